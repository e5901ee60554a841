// Owns: which room a call is for, and past which door, from what was dialled. Pure. May import: core only.
import { roomNamePattern } from './ids.ts';
import type { PromptLanguage } from './leg-media.ts';

/** `number` is compared as it is dialled, `pattern` is a regular expression over all of it. */
export interface DispatchRule {
  readonly number?: string | undefined;
  readonly pattern?: string | undefined;
  /** Name or id; absent in a rule that rejects. */
  readonly room?: string | undefined;
  /** Instead of what the room says: let in whoever comes by this rule, or ask for a PIN. */
  readonly access?: 'pin' | 'open' | undefined;
  /** Instead of the room's. */
  readonly pin?: string | undefined;
  readonly language?: PromptLanguage | undefined;
  readonly reject?: { readonly status: number; readonly reason: string } | undefined;
}

export type Decision<R extends DispatchRule = DispatchRule> =
  | { readonly kind: 'room'; readonly room: string; readonly rule: R | undefined }
  | { readonly kind: 'reject'; readonly reason: string; readonly status: number; readonly rule: R | undefined };

export interface Dialled {
  /** Name or number. */
  readonly user: string;
  /** Said along with it: `demo*1234`, `demo;pin=1234`. */
  readonly pin: string | undefined;
}

const maxDialled = 128;
const maxRead = 512;
const pinParameter = /;pin=(\d{1,16})(?=[;>?@:]|$)/i;

/** The user part of a SIP or tel URI, without escapes, parameters and visual separators of numbers. */
export function dialledOf(uri: string): string {
  const [, user = ''] = /^(?:sips?:([^@]*)@|tel:)/i.exec(uri) ?? [];
  const text = /^tel:/i.test(uri) ? uri.slice(4) : user;
  const bare = unescaped((text.split(/[;:]/, 1)[0] ?? '').slice(0, maxRead));
  return /^\+?[\d().\s-]*\d[\d().\s-]*$/.test(bare) ? bare.replaceAll(/[().\s-]/g, '') : bare;
}

/** What was dialled, and the PIN that may come with it: `sip:demo*1234@host`, `sip:demo@host;pin=1234`. */
export function readDialled(uri: string): Dialled {
  const dialled = dialledOf(uri);
  const [, parameter] = pinParameter.exec(uri.slice(0, maxRead)) ?? [];
  const [, user, star] = /^(.+)\*(\d{1,16})$/.exec(dialled) ?? [];
  if (user !== undefined && user !== '' && !user.endsWith('*')) return { user, pin: parameter ?? star };
  return { user: dialled, pin: parameter };
}

/** For logs, lists and records: the address as it was called, without a PIN in it. */
export function withoutPin(uri: string): string {
  return uri
    .replace(/^(sips?:[^@;:]*[^@;:*]|tel:[^;]*[^;*])\*\d{1,16}(?=[@;:]|$)/i, '$1')
    .replaceAll(/;pin=[^;>?@:]*/gi, '');
}

/** First rule that fits, then the room of that name; whether there is such a room is for the caller to see. */
export function dispatch<R extends DispatchRule>(dialled: string, rules: readonly R[]): Decision<R> {
  if (dialled === '') return reject('The called address has no user part, which would name a room.');
  if (dialled.length > maxDialled) return reject('The called address is too long for any room.');
  const rule = rules.find((one) => fits(one, dialled));
  if (rule?.reject) return { kind: 'reject', rule, ...rule.reject };
  if (rule?.room !== undefined) return { kind: 'room', room: rule.room, rule };
  if (roomNamePattern.test(dialled)) return { kind: 'room', room: dialled, rule: undefined };
  return reject('No rule takes the called address, and it is no name of a room.');
}

function fits({ number, pattern }: DispatchRule, dialled: string): boolean {
  if (number !== undefined) return number === dialled;
  return pattern !== undefined && compiled(pattern).test(dialled);
}

const known = new Map<string, RegExp>();
const maxKnown = 1_000;

function compiled(pattern: string): RegExp {
  const found = known.get(pattern);
  if (found) return found;
  if (known.size >= maxKnown) known.clear();
  const made = new RegExp(`^(?:${pattern})$`, 'u');
  known.set(pattern, made);
  return made;
}

/**
 * Why a pattern cannot be one: callers choose what it is tried on, so that one that can take for ever is refused.
 * @returns undefined for a good one
 */
export function flawOfPattern(pattern: string): string | undefined {
  try {
    new RegExp(pattern, 'u');
  } catch {
    return 'is no regular expression';
  }
  const bare = pattern.replaceAll(/\\.|\[(?:\\.|[^\]\\])*\]/g, 'x');
  if (/\([^()]*[*+{][^()]*\)[*+{]/.test(bare)) return 'repeats a group that itself repeats, which can take for ever';
  if (/\\[1-9]/.test(pattern)) return 'refers back to a group, which can take for ever';
  return undefined;
}

function reject(reason: string): Decision<never> {
  return { kind: 'reject', reason, status: 404, rule: undefined };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A % that begins no escape stands for itself; no room has it in its name.
    return text;
  }
}
