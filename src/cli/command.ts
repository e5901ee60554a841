// Owns: what a command of the command line is, and what it is given. May import: #client.
import type { Client } from '#client/index.mjs';

export interface Option {
  /** Shown after the name; absent for one that is on or off. */
  readonly value?: string;
  readonly summary: string;
}

export type Options = Readonly<Record<string, Option>>;

/** As they were given; what is on or off is `true`. */
export type Given = Readonly<Record<string, string | true | undefined>>;

export interface Outcome {
  /** What `--json` prints. */
  readonly data: unknown;
  /** What people are shown. */
  readonly text: string;
}

/** Where a command does its work. */
export interface Reach {
  /** The running gateway. */
  readonly client: Client;
  /** Runs on the store of the data folder instead, where nothing answers; only what commands with `offline` need. */
  readonly keys: KeyDesk;
}

/** API keys, whether a running gateway keeps them or the store alone is at hand. */
export interface KeyDesk {
  list(): Promise<readonly KeyRow[]>;
  create(input: { name: string; scopes: readonly string[]; expiresAt: string | undefined }): Promise<NewKeyRow>;
  rotate(id: string, keepOldMs: number): Promise<NewKeyRow>;
  revoke(id: string): Promise<void>;
}

export interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
}

export type NewKeyRow = KeyRow & { readonly key: string };

export interface Command {
  /** `keys create` */
  readonly name: string;
  /** What follows it, in words for the usage: `NAME`, `[ROOM]`. */
  readonly positionals: readonly string[];
  readonly options: Options;
  readonly summary: string;
  /** Works without a gateway, on the store. */
  readonly isForStore?: boolean;
  run(reach: Reach, positionals: readonly string[], given: Given): Promise<Outcome>;
}

/** What was typed is wrong; shown with the usage. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @param text `90s`, `10m`, `12h`, `30d` @throws UsageError */
export function durationMs(text: string, option: string): number {
  const [, amount, unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = unitsMs[unit];
  if (amount === undefined || factor === undefined) {
    throw new UsageError(`--${option} takes a time such as 90s, 10m, 12h or 30d, not "${text}".`);
  }
  return Number(amount) * factor;
}

/** @throws UsageError */
export function wholeNumber(text: string, option: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isInteger(number))
    throw new UsageError(`--${option} takes a whole number, not "${text}".`);
  return number;
}

/** @returns the text of an option, undefined where it was not given */
export function textOf(given: Given, option: string): string | undefined {
  const value = given[option];
  return typeof value === 'string' ? value : undefined;
}

/** @throws UsageError */
export function choice<T extends string>(given: Given, option: string, choices: readonly T[]): T | undefined {
  const text = textOf(given, option);
  if (text === undefined) return undefined;
  const found = choices.find((one) => one === text);
  if (found === undefined) throw new UsageError(`--${option} is one of ${choices.join(', ')}, not "${text}".`);
  return found;
}
