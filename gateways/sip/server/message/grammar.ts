// Owns: SIP messages as bytes, text and values: the grammar of RFC 3261 §25. May import: nothing but its own folder and
// node:net for addresses.

/** What may appear in a token (RFC 3261 §25.1), by char code. */
const tokenCharacters = new Uint8Array(128);
for (const character of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~") {
  tokenCharacters[character.charCodeAt(0)] = 1;
}

export function isTokenCode(code: number): boolean {
  return code < 128 && tokenCharacters[code] === 1;
}

export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) if (!isTokenCode(text.charCodeAt(i))) return false;
  return true;
}

export function isDigits(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

/** Space, tab, and the CR and LF of a folded line. */
export function isWhite(code: number): boolean {
  return code === 32 || code === 9 || code === 13 || code === 10;
}

export function skipWhite(text: string, from: number): number {
  let i = from;
  while (i < text.length && isWhite(text.charCodeAt(i))) i++;
  return i;
}

export function skipToken(text: string, from: number): number {
  let i = from;
  while (i < text.length && isTokenCode(text.charCodeAt(i))) i++;
  return i;
}

/**
 * Index after the closing quote of the quoted string that starts at `from`, or -1 where it never closes.
 * @see RFC 3261 §25.1 quoted-string
 */
export function skipQuoted(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5c /* \ */) i++;
    else if (code === 0x22 /* " */) return i + 1;
  }
  return -1;
}

/** Splits a header value at the commas that are neither in quotes nor in angle brackets. Empty members are kept. */
export function splitCommas(value: string): string[] {
  if (!value.includes(',')) return [value.trim()];
  const parts: string[] = [];
  let start = 0;
  let isInAngle = false;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0x22) {
      const end = skipQuoted(value, i);
      if (end < 0) break;
      i = end - 1;
    } else if (code === 0x3c) isInAngle = true;
    else if (code === 0x3e) isInAngle = false;
    else if (code === 0x2c && !isInAngle) {
      parts.push(value.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(value.slice(start).trim());
  return parts;
}

/** `;name=value` pairs by lower-case name; a flag has the value ''. Quotes are kept. */
export type Params = Map<string, string>;

/**
 * Reads generic-params from `from` to the end of the text or to a top-level comma.
 * @returns where it stopped, or -1 where the grammar is broken
 */
export function parseParams(text: string, from: number, into: Params): number {
  let i = skipWhite(text, from);
  while (i < text.length && text.charCodeAt(i) === 0x3b /* ; */) {
    i = skipWhite(text, i + 1);
    const nameEnd = skipToken(text, i);
    if (nameEnd === i) return -1;
    const name = text.slice(i, nameEnd).toLowerCase();
    i = skipWhite(text, nameEnd);
    let value = '';
    if (text.charCodeAt(i) === 0x3d /* = */) {
      i = skipWhite(text, i + 1);
      const valueEnd = skipParamValue(text, i);
      if (valueEnd <= i) return -1;
      value = text.slice(i, valueEnd);
      i = skipWhite(text, valueEnd);
    }
    // The first of two wins: a second `tag` or `branch` must not change what the first reader of it saw.
    if (!into.has(name)) into.set(name, value);
    if (into.size > 64) return -1;
  }
  if (i < text.length && text.charCodeAt(i) !== 0x2c) return -1;
  return i;
}

/** gen-value: token, host (with IPv6 brackets or bare colons as some send) or quoted string. */
function skipParamValue(text: string, from: number): number {
  if (text.charCodeAt(from) === 0x22) return skipQuoted(text, from);
  let i = from;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (isTokenCode(code) || code === 0x5b || code === 0x5d || code === 0x3a || code === 0x2f || code > 127) i++;
    else break;
  }
  return i;
}

/**
 * A string of its own, for what is kept. A piece of one keeps the whole message in memory that it was cut from, and what was
 * put together is to V8 a tree of such pieces.
 */
export function copied(text: string): string {
  return Buffer.from(text).toString();
}
