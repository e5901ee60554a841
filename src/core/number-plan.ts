// Owns: one number however it is written: +49 30 123, 0049 30 123, 030 123. Pure.

export interface NumberPlan {
  /** Of numbers without one: `49`. */
  readonly countryCode?: string | undefined;
  /** In front of numbers of the country: `0`. */
  readonly nationalPrefix: string;
  /** In front of numbers of others: `00`. */
  readonly internationalPrefix: string;
}

export const defaultNumberPlan: NumberPlan = { nationalPrefix: '0', internationalPrefix: '00' };

const separators = /[().\s-]/g;
/** Shorter ones are extensions, and are what they are. */
const shortestNumber = 6;

/** As E.164 with + where that can be told; names and extensions stay as they are, in lower case. @param shortest digits */
export function normalNumber(text: string, plan: NumberPlan, shortest = shortestNumber): string {
  const bare = text.replaceAll(separators, '');
  if (!/^\+?\d+$/.test(bare)) return text.toLowerCase();
  const { countryCode, nationalPrefix, internationalPrefix } = plan;
  if (bare.startsWith('+') || bare.length < shortest) return bare;
  if (bare.startsWith(internationalPrefix)) return `+${bare.slice(internationalPrefix.length)}`;
  if (countryCode === undefined) return `+${bare}`;
  if (nationalPrefix !== '' && bare.startsWith(nationalPrefix)) {
    return `+${countryCode}${bare.slice(nationalPrefix.length)}`;
  }
  return bare.startsWith(countryCode) ? `+${bare}` : `+${countryCode}${bare}`;
}

/** Whether a number lies between two others of the same length, both included. */
export function isInRange(number: string, first: string, last: string, plan: NumberPlan): boolean {
  const [at, from, to] = [number, first, last].map((text) => normalNumber(text, plan)) as [string, string, string];
  return at.length === from.length && from.length === to.length && at >= from && at <= to;
}
