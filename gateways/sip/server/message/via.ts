import { type Params, parseParams, skipToken, skipWhite, splitCommas } from './grammar.ts';
import { formatHostPort, readHost, readPort } from './uri.ts';

/** One hop that a request took. */
export interface Via {
  /** Upper case: UDP, TCP, TLS, WS, WSS or what it was. */
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
}

export const branchCookie = 'z9hG4bK';

/** One Via value, and nothing after it. */
export function parseVia(text: string): Via | undefined {
  let i = skipWhite(text, 0);
  if (text.slice(i, i + 3).toUpperCase() !== 'SIP') return undefined;
  i = skipSlash(text, i + 3);
  if (i < 0 || text.slice(i, i + 3) !== '2.0') return undefined;
  i = skipSlash(text, i + 3);
  if (i < 0) return undefined;
  const transportEnd = skipToken(text, i);
  const transport = text.slice(i, transportEnd).toUpperCase();
  i = skipWhite(text, transportEnd);
  if (transport === '' || i === transportEnd) return undefined;

  const hostStart = i;
  if (text.charCodeAt(i) === 0x5b) i = text.indexOf(']', i) + 1;
  else while (i < text.length && !' \t\r\n:;,'.includes(text[i] ?? '')) i++;
  const host = i > hostStart ? readHost(text.slice(hostStart, i)) : undefined;
  if (host === undefined) return undefined;
  i = skipWhite(text, i);
  let port: number | undefined;
  if (text.charCodeAt(i) === 0x3a) {
    const portStart = skipWhite(text, i + 1);
    i = portStart;
    while (i < text.length && text.charCodeAt(i) >= 48 && text.charCodeAt(i) <= 57) i++;
    port = readPort(text.slice(portStart, i));
    if (port === undefined) return undefined;
  }
  const params: Params = new Map();
  return parseParams(text, i, params) === text.length ? { transport, host, port, params } : undefined;
}

function skipSlash(text: string, from: number): number {
  const i = skipWhite(text, from);
  return text.charCodeAt(i) === 0x2f ? skipWhite(text, i + 1) : -1;
}

export function formatVia(via: Via): string {
  let text = `SIP/2.0/${via.transport} ${formatHostPort(via.host, via.port)}`;
  for (const [name, value] of via.params) text += value === '' ? `;${name}` : `;${name}=${value}`;
  return text;
}

/** Top and rest of one header line that may hold several. */
export function splitTopVia(value: string): { top: string; rest: string } {
  if (!value.includes(',')) return { top: value, rest: '' };
  const [top = '', ...others] = splitCommas(value);
  return { top, rest: others.join(', ') };
}
