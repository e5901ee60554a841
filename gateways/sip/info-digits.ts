// Owns: keys pressed that come by SIP INFO (RFC 6086 leaves the format to custom). Pure.
import type { SipQuestion } from './dialog.ts';

const maxDigits = 32;

/** `application/dtmf-relay` (`Signal=5`) and `application/dtmf` (`5`); anything else brings none. */
export function digitsOf({ contentType, body }: Pick<SipQuestion, 'contentType' | 'body'>): string[] {
  const [type] = contentType.toLowerCase().split(';');
  const text =
    type?.trim() === 'application/dtmf-relay'
      ? (/^\s*signal\s*=\s*(\S+)/im.exec(body.slice(0, 512))?.[1] ?? '')
      : type?.trim() === 'application/dtmf'
        ? body.trim()
        : '';
  // Some write the number of the event: 10 is *, 11 is #.
  const named = text === '10' ? '*' : text === '11' ? '#' : text;
  return /^[0-9*#a-d]{1,32}$/i.test(named) ? [...named.toUpperCase()].slice(0, maxDigits) : [];
}
