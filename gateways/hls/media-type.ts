// Owns: how the media of a broadcast is named to players (RFC 6381). Pure. May import: core types.
import type { LiveInit } from '#core/live-media.ts';

export function mimeTypeOf({ tracks }: LiveInit): string {
  const main = tracks.some(({ kind }) => kind === 'video') ? 'video' : 'audio';
  return `${main}/mp4; codecs="${tracks.map(({ codecs }) => codecs).join(', ')}"`;
}
