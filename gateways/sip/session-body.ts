// Owns: finding the session description in what a request carries (RFC 3261 §8.2.3, RFC 5621). Pure.

export type SessionBody =
  /** '' where there is none: the offer is ours to make. */
  | { readonly kind: 'sdp'; readonly sdp: string }
  | { readonly kind: 'refused'; readonly status: number; readonly headers: Readonly<Record<string, string>> };

const maxParts = 16;
const unsupported: SessionBody = { kind: 'refused', status: 415, headers: { accept: 'application/sdp' } };

/**
 * @param header of the request, by name
 * @returns 415 for what is no SDP and must be understood, 406 where the other side would not understand ours
 */
export function sessionBodyOf(body: string, header: (name: string) => string | undefined): SessionBody {
  const accept = header('accept');
  if (accept !== undefined && !/application\/(?:sdp|\*)|\*\/\*/i.test(accept)) {
    return { kind: 'refused', status: 406, headers: { accept: 'application/sdp' } };
  }
  if (body.trim() === '') return { kind: 'sdp', sdp: '' };
  const encoding = header('content-encoding');
  if (encoding !== undefined && !/^\s*identity\s*$/i.test(encoding)) {
    return { kind: 'refused', status: 415, headers: { 'accept-encoding': 'identity' } };
  }
  const type = header('content-type') ?? 'application/sdp';
  if (/^\s*application\/sdp\s*(?:;|$)/i.test(type)) return { kind: 'sdp', sdp: body };
  if (/^\s*multipart\/(?:mixed|alternative)\s*;/i.test(type)) return ofParts(body, type);
  return isOptional(header('content-disposition')) ? { kind: 'sdp', sdp: '' } : unsupported;
}

/** Carriers put ISUP beside the SDP. The SDP is what we came for; others may only be there where they may be ignored. */
function ofParts(body: string, type: string): SessionBody {
  const found = /;\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type);
  const boundary = found?.[1] ?? found?.[2];
  if (boundary === undefined) return unsupported;
  for (const part of `\r\n${body}`.split(`\r\n--${boundary}`).slice(1, maxParts + 1)) {
    const head = /^[ \t]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(part);
    if (head && /^content-type\s*:\s*application\/sdp\s*(?:;|\r)/im.test(head[1] ?? '')) {
      return { kind: 'sdp', sdp: `${part.slice(head[0].length)}\r\n` };
    }
  }
  return unsupported;
}

function isOptional(disposition: string | undefined): boolean {
  return /;\s*handling\s*=\s*optional/i.test(disposition ?? '');
}
