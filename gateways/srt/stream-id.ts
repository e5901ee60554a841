// Owns: what a caller asks for by its stream id: a bare word, or libsrt's access control syntax. Pure. May import:
// core/errors.
import { GatewayError } from '#core/errors.ts';

export interface StreamRequest {
  /** `r` or the bare word; a credential here, so it goes into no log. */
  readonly resource: string;
  /** `m`; undefined where the caller does not say. */
  readonly mode: 'publish' | 'request' | 'bidirectional' | undefined;
  /** `u` */
  readonly user: string | undefined;
}

const prefix = '#!::';
const nestedPrefix = '#!:{';
const maxLength = 512;

/**
 * `#!::r=key,m=publish,u=name` or just `key`.
 * @throws GatewayError `invalid_request`
 */
export function parseStreamId(text: string): StreamRequest {
  if (text.length > maxLength) throw new GatewayError('invalid_request', 'The stream id is too long.');
  if (text.startsWith(nestedPrefix)) {
    throw new GatewayError('invalid_request', 'Stream ids in braces are not understood; use #!::r=key,m=publish.');
  }
  if (!text.startsWith(prefix)) return { resource: text.trim(), mode: undefined, user: undefined };
  const fields = new Map<string, string>();
  for (const part of text.slice(prefix.length).split(',')) {
    const at = part.indexOf('=');
    if (at > 0) fields.set(part.slice(0, at).trim(), part.slice(at + 1));
  }
  const type = fields.get('t') ?? 'stream';
  if (type !== 'stream') throw new GatewayError('unsupported_media_type', `SRT carries streams here, not "t=${type}".`);
  return { resource: fields.get('r') ?? '', mode: modeOf(fields.get('m')), user: fields.get('u') };
}

function modeOf(text: string | undefined): StreamRequest['mode'] {
  if (text === undefined || text === 'publish' || text === 'request' || text === 'bidirectional') return text;
  throw new GatewayError('invalid_request', 'The mode of a stream id is publish, request or bidirectional.');
}
