// Owns: the picture that somebody is shown by while his video is off. Pure but for its hash. May import: core only.
import { createHash } from 'node:crypto';
import { GatewayError } from './errors.ts';
import { type ImageFacts, imageFacts } from './image-facts.ts';

/** Every browser of a room loads it, and a media worker decodes it. */
export const maxAvatarBytes = 131_072;
const smallestSide = 16;
const largestSide = 1_024;

export interface Avatar {
  /** Another one for another picture. */
  readonly id: string;
  readonly mimeType: ImageFacts['mimeType'];
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
  const facts = imageFacts(data);
  if (!facts) return refuse('is a PNG or a JPEG');
  const { mimeType, width, height } = facts;
  // By what its header says: a small file may ask for gigabytes.
  const isSide = (side: number) => side >= smallestSide && side <= largestSide;
  if (!isSide(width) || !isSide(height)) refuse(`has sides of ${smallestSide} to ${largestSide} pixels`);
  return { id: createHash('sha256').update(data).digest('hex').slice(0, 16), mimeType, data };
}

function refuse(message: string): never {
  throw new GatewayError('invalid_request', `The avatar ${message}.`, { fields: [{ path: 'image', message }] });
}
