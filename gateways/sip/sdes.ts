// Owns: keys of SRTP in SDP (RFC 4568). Pure but for the random keys. Never log what passes through here.
import { randomBytes } from 'node:crypto';
import { type SrtpSuite, srtpKeyLength, srtpSuites } from '#core/leg-media.ts';
import type { SdpMedia } from './sdp.ts';

export interface CryptoLine {
  readonly tag: number;
  readonly suite: SrtpSuite;
  /** Master key and salt, base64. */
  readonly key: string;
}

/**
 * Those lines that we could answer, in the peer's order. One with session parameters, several keys or an MKI is passed
 * over: RFC 4568 §6.3 forbids to accept what one does not do.
 */
export function cryptoLinesOf({ attributes }: SdpMedia): CryptoLine[] {
  return attributes.flatMap(({ name, value }) => {
    if (name !== 'crypto') return [];
    const [, tag, suite, key = '', lifetime] =
      /^(\d{1,9}) +(\S+) +inline:([A-Za-z0-9+/]+={0,2})(\|[0-9^]+)?(?: +WSH=\d+)?\s*$/.exec(value) ?? [];
    const known = srtpSuites.find((each) => each === suite);
    if (!known || Buffer.from(key, 'base64').length !== srtpKeyLength[known]) return [];
    // A lifetime is 2^n or a number; without the caret and this short it would be an MKI's first half.
    if (lifetime !== undefined && !/^\|(2\^\d{1,2}|\d+)$/.test(lifetime)) return [];
    return [{ tag: Number(tag), suite: known, key }];
  });
}

/** Whether the encryption of an m-line, or that it has none, is what may be taken. Keys by DTLS are none of these. */
export function isSecuredAs(media: SdpMedia, srtp: 'off' | 'allow' | 'require', isPlainAllowed = true): boolean {
  const hasKeys = cryptoLinesOf(media).length > 0;
  if (/^RTP\/SAVPF?$/.test(media.protocol)) return hasKeys && srtp !== 'off';
  // Keys in plain RTP/AVP are opportunistic encryption (RFC 8643).
  return /^RTP\/AVPF?$/.test(media.protocol) && (hasKeys || (srtp !== 'require' && isPlainAllowed));
}

export function newKey(suite: SrtpSuite): string {
  return randomBytes(srtpKeyLength[suite]).toString('base64');
}

export function cryptoText({ tag, suite, key }: CryptoLine): string {
  return `a=crypto:${tag} ${suite} inline:${key}`;
}
