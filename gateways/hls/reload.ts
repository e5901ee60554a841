// Owns: what a player asks of a playlist in its query (RFC 8216bis §6.2.5). Pure. May import: core errors.
import { GatewayError } from '#core/errors.ts';

export interface Reload {
  /** Answered when it is there; without a part: the whole segment. */
  readonly awaited: { readonly number: number; readonly part: number | undefined } | undefined;
  readonly isDelta: boolean;
}

/** Who asks for what lies farther ahead has gone wrong (§6.2.5.2). */
const maxAhead = 2;

/** @param next number of the segment that grows or comes next @throws GatewayError `invalid_request` */
export function parseReload(query: (name: string) => string | undefined, next: number): Reload {
  const number = parseNumber(query('_HLS_msn'), '_HLS_msn');
  const part = parseNumber(query('_HLS_part'), '_HLS_part');
  const skip = query('_HLS_skip');
  if (part !== undefined && number === undefined) throw wrong('_HLS_part needs _HLS_msn.');
  if (number !== undefined && number > next + maxAhead) {
    throw wrong(`_HLS_msn=${number} is too far ahead: segment ${next} comes next.`);
  }
  return { awaited: number === undefined ? undefined : { number, part }, isDelta: skip === 'YES' || skip === 'v2' };
}

function parseNumber(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw wrong(`${name} is a whole number.`);
  return Number(text);
}

const wrong = (message: string) => new GatewayError('invalid_request', message);
