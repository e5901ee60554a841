// Owns: Debian's ffmpeg as what benchmarks compare with: its CPU time, and the files that it makes cut into units.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { h264NalType, splitAnnexB } from '#media/rtp/h264.ts';

/** User and system time of a program, without that of its start (measured by one that does nothing). */
export async function cpuMsOf(args: readonly string[]): Promise<number> {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'fatal', '-nostdin', '-y', ...args], {
    stdio: 'inherit',
  });
  const before = childCpuMs();
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`ffmpeg ended with ${code}: ${args.join(' ')}`);
  return childCpuMs() - before;
}

/** Of children that have been waited for: cutime and cstime, proc(5), in ticks of 10 ms. */
function childCpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

export type PictureFormat = 'h264' | 'hevc' | 'ivf' | 'm4v' | 'mjpeg';

/** IVF, Annex B cut where a slice begins a picture, MPEG-4 where a picture's headers begin, JPEG where one begins. */
export function unitsOf(data: Buffer, format: PictureFormat): Buffer[] {
  if (format === 'mjpeg') return cutBefore(data, Buffer.from([0xff, 0xd8, 0xff]));
  if (format === 'm4v') {
    // Sequence and group headers stand before a picture, and belong to it.
    const pieces = cutBefore(data, Buffer.from([0, 0, 1]));
    const isPicture = (piece: Buffer) => piece[3] === 0xb6;
    const units: Buffer[][] = [[]];
    for (const piece of pieces) {
      if (units.at(-1)?.some(isPicture)) units.push([]);
      units.at(-1)?.push(piece);
    }
    return units.map((parts) => Buffer.concat(parts));
  }
  if (format === 'ivf') {
    const units: Buffer[] = [];
    for (let offset = 32; offset + 12 <= data.length; ) {
      const length = data.readUInt32LE(offset);
      units.push(data.subarray(offset + 12, offset + 12 + length));
      offset += 12 + length;
    }
    return units;
  }
  const units: Buffer[][] = [[]];
  let hasSlice = false;
  const startCode = Buffer.from([0, 0, 0, 1]);
  for (const nal of allNals(data)) {
    const type = format === 'h264' ? h264NalType(nal) : ((nal[0] ?? 0) >> 1) & 0x3f;
    const isSlice = format === 'h264' ? type >= 1 && type <= 5 : type < 32;
    const isFirst = isSlice && ((nal[format === 'h264' ? 1 : 2] ?? 0) & 0x80) !== 0;
    if (hasSlice && (isFirst || !isSlice)) {
      units.push([]);
      hasSlice = false;
    }
    hasSlice ||= isSlice;
    units.at(-1)?.push(startCode, Buffer.from(nal));
  }
  return units.map((parts) => Buffer.concat(parts));
}

function cutBefore(data: Buffer, mark: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = data.indexOf(mark); at >= 0; ) {
    const next = data.indexOf(mark, at + mark.length);
    pieces.push(data.subarray(at, next < 0 ? data.length : next));
    at = next;
  }
  return pieces;
}

/** splitAnnexB is bounded for one unit; a file has more. */
function allNals(data: Buffer): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let at = 0;
  while (at < data.length) {
    const end = Math.min(data.length, at + 1_000_000);
    const cut = end === data.length ? end : data.lastIndexOf(Buffer.from([0, 0, 1]), end);
    nals.push(...splitAnnexB(data.subarray(at, cut)));
    at = cut;
  }
  return nals;
}
