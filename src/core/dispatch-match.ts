// Owns: whether a call fits what a rule asks of it, and if not, in which point. Pure. May import: core only.
import { fitsPattern } from './bounded-pattern.ts';
import { isInRange, type NumberPlan, normalNumber } from './number-plan.ts';

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

/** From `from` up to, not including, `to`, `HH:MM`; over midnight where `to` is the earlier one. */
export interface RuleTime {
  readonly days?: readonly Weekday[] | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** IANA name; UTC unless said. */
  readonly timeZone?: string | undefined;
}

/** All that is given has to fit. */
export interface DispatchMatch {
  /** What is dialled, however it is written (E.164 or not). */
  readonly number?: string | undefined;
  readonly numberRange?: { readonly first: string; readonly last: string } | undefined;
  /** Over all of what is dialled. */
  readonly pattern?: string | undefined;
  /** Number or name of the caller; with * at the end: what it begins with. */
  readonly from?: string | undefined;
  readonly fromPattern?: string | undefined;
  /** Number or name that the call was for before it was sent on to us, like `from`. */
  readonly divertedFrom?: string | undefined;
  /** Name or id of the trunk that brings it. */
  readonly trunk?: string | undefined;
  /** Username of the account that calls; * for any. */
  readonly account?: string | undefined;
  /** Header names to patterns over all of their value. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly time?: RuleTime | undefined;
}

export interface CallFacts {
  readonly dialled: string;
  /** User part of the caller's address. */
  readonly from: string;
  readonly trunk: { readonly id: string; readonly name: string } | undefined;
  readonly account: string | undefined;
  /** The oldest first. */
  readonly divertedFrom: readonly string[];
  readonly header: (name: string) => string | undefined;
  readonly atMs: number;
}

const shownLength = 48;
const shown = (text: string): string => `"${text.slice(0, shownLength)}"`;

/** @returns undefined where all fits, else the first point in which it does not, for people */
export function mismatchOf(match: DispatchMatch, facts: CallFacts, plan: NumberPlan): string | undefined {
  return (
    numberMismatch(match, facts, plan) ??
    callerMismatch(match, facts, plan) ??
    diversionMismatch(match, facts, plan) ??
    headerMismatch(match, facts) ??
    (match.time && !isWithin(match.time, facts.atMs) ? 'it is not the time for it' : undefined)
  );
}

function numberMismatch(match: DispatchMatch, { dialled }: CallFacts, plan: NumberPlan): string | undefined {
  const { number, numberRange, pattern } = match;
  if (number !== undefined && normalNumber(number, plan) !== normalNumber(dialled, plan)) {
    return `${shown(dialled)} is not the number ${shown(number)}`;
  }
  if (numberRange && !isInRange(dialled, numberRange.first, numberRange.last, plan)) {
    return `${shown(dialled)} is not between ${numberRange.first} and ${numberRange.last}`;
  }
  return pattern === undefined ? undefined : patternMismatch(pattern, dialled, shown(dialled));
}

function callerMismatch(match: DispatchMatch, facts: CallFacts, plan: NumberPlan): string | undefined {
  const { from, fromPattern, trunk, account } = match;
  if (trunk !== undefined && trunk !== facts.trunk?.id && trunk !== facts.trunk?.name) {
    return facts.trunk ? `it came by the trunk ${shown(facts.trunk.name)}` : 'it came by no trunk';
  }
  if (account !== undefined && (facts.account === undefined || (account !== '*' && account !== facts.account))) {
    return facts.account === undefined ? 'it is from no account' : `it is from the account ${shown(facts.account)}`;
  }
  if (from !== undefined && !isCaller(from, facts.from, plan))
    return `the caller ${shown(facts.from)} is not ${shown(from)}`;
  return fromPattern === undefined
    ? undefined
    : patternMismatch(fromPattern, facts.from, `the caller ${shown(facts.from)}`);
}

function diversionMismatch(
  { divertedFrom: wanted }: DispatchMatch,
  { divertedFrom }: CallFacts,
  plan: NumberPlan,
): string | undefined {
  if (wanted === undefined || divertedFrom.some((past) => isCaller(wanted, past, plan))) return undefined;
  if (divertedFrom.length === 0) return 'it was not sent on by anybody';
  return `it was sent on from ${divertedFrom.map(shown).join(', ')}, not from ${shown(wanted)}`;
}

function headerMismatch({ headers = {} }: DispatchMatch, { header }: CallFacts): string | undefined {
  for (const [name, pattern] of Object.entries(headers)) {
    const value = header(name);
    if (value === undefined) return `there is no header ${name}`;
    const mismatch = patternMismatch(pattern, value, `the header ${name}`);
    if (mismatch !== undefined) return mismatch;
  }
  return undefined;
}

function patternMismatch(pattern: string, text: string, what: string): string | undefined {
  return fitsPattern(pattern, text) ? undefined : `${what} does not fit the pattern ${shown(pattern)}`;
}

function isCaller(wanted: string, from: string, plan: NumberPlan): boolean {
  if (!wanted.endsWith('*')) return normalNumber(wanted, plan) === normalNumber(from, plan);
  return normalNumber(from, plan).startsWith(normalNumber(wanted.slice(0, -1), plan, 1));
}

/** @returns whether there is such a time zone */
export function isTimeZone(name: string): boolean {
  try {
    clockOf(name);
    return true;
  } catch {
    return false;
  }
}

const clocks = new Map<string, Intl.DateTimeFormat>();
const maxClocks = 500;

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const found = clocks.get(timeZone);
  if (found) return found;
  if (clocks.size >= maxClocks) clocks.clear();
  const made = new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit' });
  clocks.set(timeZone, made);
  return made;
}

function isWithin({ days, from = '00:00', to = '24:00', timeZone = 'UTC' }: RuleTime, atMs: number): boolean {
  const parts = Object.fromEntries(
    clockOf(timeZone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  );
  const today = weekdays.indexOf((parts.weekday ?? '').toLowerCase() as Weekday);
  const now = `${parts.hour}:${parts.minute}`;
  const isOn = (day: number) => !days || days.includes(weekdays[(day + 7) % 7] as Weekday);
  if (from <= to) return isOn(today) && now >= from && now < to;
  // Over midnight: the hours after it belong to the day on which they began.
  return (isOn(today) && now >= from) || (isOn(today - 1) && now < to);
}
