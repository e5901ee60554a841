// Owns: the picture that somebody is shown by while his video is off. Pure but for its hash. May import: core only.
import { createHash } from 'node:crypto';
import { GatewayError } from './errors.ts';

/** Every browser of a room loads it, and a media worker decodes it. */
export const maxAvatarBytes = 131_072;
const smallestSide = 16;
const largestSide = 1_024;

export interface Avatar {
  /** Another one for another picture. */
  readonly id: string;
  readonly mimeType: 'image/png' | 'image/jpeg';
  readonly data: Uint8Array;
}

/** Avatars that a URL names: `src/wire/avatar-fetcher.ts`. */
export interface AvatarSource {
  /** Before its name is looked up. @throws GatewayError `invalid_request` for no URL of HTTP, `forbidden` by the network policy */
  assertMayFetch(url: string): void;
  /**
   * @returns a PNG or JPEG; the same for a while, whatever its server has
   * @throws GatewayError as `assertMayFetch()` and `avatarOf()`, `upstream_failed`, `upstream_refused`, `timeout`,
   *   `too_large`, `overloaded` where too many wait already, `closed`
   */
  fetch(url: string): Promise<Uint8Array>;
}

/** @throws GatewayError `invalid_request` for what is no PNG or JPEG of a bounded size */
export function avatarOf(data: Uint8Array): Avatar {
  if (data.length > maxAvatarBytes) refuse(`has at most ${maxAvatarBytes} bytes`);
  const facts = pngSize(data) ?? jpegSize(data);
  if (!facts) return refuse('is a PNG or a JPEG');
  const { mimeType, width, height } = facts;
  // By what its header says: a small file may ask for gigabytes.
  const isSide = (side: number) => side >= smallestSide && side <= largestSide;
  if (!isSide(width) || !isSide(height)) refuse(`has sides of ${smallestSide} to ${largestSide} pixels`);
  return { id: createHash('sha256').update(data).digest('hex').slice(0, 16), mimeType, data };
}

interface ImageFacts {
  readonly mimeType: Avatar['mimeType'];
  readonly width: number;
  readonly height: number;
}

/** PNG specification §5.2 and §11.2.1: the signature, then the header chunk. */
function pngSize(data: Uint8Array): ImageFacts | undefined {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (data.length < 33 || !signature.every((byte, at) => data[at] === byte)) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (view.getUint32(12) !== 0x49484452) return undefined;
  return { mimeType: 'image/png', width: view.getUint32(16), height: view.getUint32(20) };
}

/** ITU-T T.81 §B.1: segments of a marker and a length, up to the frame header, which has the size. */
function jpegSize(data: Uint8Array): ImageFacts | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= data.length; ) {
    const [start, marker] = [data[at], data[at + 1] ?? 0];
    if (start !== 0xff) return undefined;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    // SOF0 to SOF15, without DHT, JPG and DAC, which lie among them.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { mimeType: 'image/jpeg', width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    const length = view.getUint16(at + 2);
    if (length < 2) return undefined;
    at += 2 + length;
  }
  return undefined;
}

function refuse(message: string): never {
  throw new GatewayError('invalid_request', `The avatar ${message}.`, { fields: [{ path: 'image', message }] });
}
