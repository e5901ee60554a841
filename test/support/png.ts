// Owns: pictures as PNG files: of one colour, and with a palette.
import { crc32, deflateSync } from 'node:zlib';

/** @param rgb 0..255 each */
export function plainPng(side: number, rgb: readonly [number, number, number]): Buffer {
  return png(side, 'rgb', Buffer.from(Array.from({ length: side }, () => rgb).flat()));
}

/** As editors and optimisers write pictures of few colours. @param rgb of the whole left half; the right one is black */
export function palettePng(side: number, rgb: readonly [number, number, number]): Buffer {
  const row = Buffer.alloc(side, 1).fill(0, side / 2);
  return png(side, 'palette', row, chunk('PLTE', Buffer.from([0, 0, 0, ...rgb])));
}

/** Eight bits for each colour or index (PNG specification §11.2.1). */
function png(side: number, kind: 'rgb' | 'palette', row: Buffer, palette: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, kind === 'rgb' ? 2 : 3], 8);
  const filtered = Buffer.concat([Buffer.from([0]), row]);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: side }, () => filtered)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    ...[signature, chunk('IHDR', header), palette],
    ...[chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))],
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
