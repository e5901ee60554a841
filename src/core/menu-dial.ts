// Owns: whom a choice of a menu calls: what a rule says of it, and which of the numbers that callers type it allows. Pure. May
// import: core only.
import { type NumberPlan, normalNumber } from './number-plan.ts';
import type { MenuPrompt } from './phone-menu.ts';

interface MenuDialBase {
  /** Name or id of the trunk that it goes through. */
  readonly trunk?: string | undefined;
  /** It rings so long at most. */
  readonly ringTimeoutMs?: number | undefined;
  /** Whether the number of the caller is shown there; unless said, it is where no trunk, which may have a say, is between. */
  readonly showsCaller?: boolean | undefined;
  /** Instead of our words that it is busy, does not answer or is not reached; and where the caller goes on. */
  readonly unanswered?:
    | { readonly say?: readonly MenuPrompt[] | undefined; readonly goto?: string | undefined }
    | undefined;
}

export interface MenuDial extends MenuDialBase {
  /** SIP or tel address, username of an account; a number where there is a trunk. */
  readonly to: string;
}

/** The caller types whom. */
export interface MenuTypedDial extends MenuDialBase {
  readonly trunk: string;
  /** Those that may be called; none else is. */
  readonly numbers: readonly string[];
}

export const defaultRingTimeoutMs = 30_000;

/** `+4930*`, `2??`: ? is a digit, * at the end any more of them. */
export const dialNumberPattern = /^\+?\d[\d?]{0,18}\*?$/;
/** E.164 */
const maxDigits = 15;

/**
 * What is called for what was typed. A pattern with + is compared with the whole number, however that was typed, one
 * without with the very keys: `1*` is for extensions and lets nobody abroad.
 * @returns undefined for one that no pattern allows
 */
export function allowedNumber(typed: string, patterns: readonly string[], plan: NumberPlan): string | undefined {
  const whole = normalNumber(typed, plan);
  for (const pattern of patterns) {
    const number = pattern.startsWith('+') ? whole : typed;
    if (number.replace('+', '').length <= maxDigits && fits(number, pattern)) return number;
  }
  return undefined;
}

function fits(number: string, pattern: string): boolean {
  const isOpen = pattern.endsWith('*');
  const wanted = isOpen ? pattern.slice(0, -1) : pattern;
  if (isOpen ? number.length < wanted.length : number.length !== wanted.length) return false;
  return [...wanted].every((one, at) => one === number[at] || (one === '?' && /\d/.test(number[at] ?? '')));
}
