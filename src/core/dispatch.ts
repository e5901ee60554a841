// Owns: which room a call is for, and past which door, from what was dialled. Pure. May import: core only.
import { type CallFacts, type DispatchMatch, mismatchOf } from './dispatch-match.ts';
import { roomNamePattern } from './ids.ts';
import type { PromptLanguage } from './leg-media.ts';
import { defaultNumberPlan, type NumberPlan } from './number-plan.ts';
import type { PhoneMenu } from './phone-menu.ts';
import type { RecordOption } from './recorded-call.ts';

/** A system of yours that decides, by a signed POST. */
export interface DispatchHook {
  readonly url: string;
  /** `whsec_…`: signs what is asked. */
  readonly secret: string;
  readonly timeoutMs?: number | undefined;
  /** Where the call goes when it does not answer; refused with 480 if absent. */
  readonly fallbackRoom?: string | undefined;
}

export interface DispatchRule extends DispatchMatch {
  /** Name or id; absent in a rule that rejects. */
  readonly room?: string | undefined;
  /** Instead of what the room says: let in whoever comes by this rule, or ask for a PIN. */
  readonly access?: 'pin' | 'open' | undefined;
  /** Instead of the room's. */
  readonly pin?: string | undefined;
  readonly language?: PromptLanguage | undefined;
  readonly reject?: { readonly status: number; readonly reason: string } | undefined;
  /** To a room of each caller's own, of this prefix and its number; made with its first call by a trunk or an account. */
  readonly personalRoom?: { readonly prefix: string } | undefined;
  readonly webhook?: DispatchHook | undefined;
  /** The caller chooses by keys. */
  readonly menu?: PhoneMenu | undefined;
  /** Whether and how calls that come by it are recorded, whatever their trunk says. */
  readonly record?: RecordOption | undefined;
}

export type Decision<R extends DispatchRule = DispatchRule> =
  | { readonly kind: 'room'; readonly room: string; readonly rule: R | undefined; readonly isPersonal?: true }
  | { readonly kind: 'ask'; readonly hook: DispatchHook; readonly rule: R }
  | { readonly kind: 'menu'; readonly menu: PhoneMenu; readonly rule: R }
  | {
      readonly kind: 'reject';
      readonly reason: string;
      /** To the caller, where that is not the reason. */
      readonly told?: string;
      readonly status: number;
      readonly rule: R | undefined;
    };

export interface Dialled {
  /** Name or number. */
  readonly user: string;
  /** Said along with it: `demo*1234`, `demo;pin=1234`. */
  readonly pin: string | undefined;
}

/** What stands where a caller keeps the number private (RFC 3323 §4.1.1.3, and what carriers write): they are many people. */
const withheld: ReadonlySet<string> = new Set([
  'anonymous',
  'restricted',
  'unavailable',
  'unknown',
  'private',
  'withheld',
]);
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

export interface Dispatched<R extends DispatchRule> {
  readonly decision: Decision<R>;
  /** Rules that were tried before, and in which point the call does not fit each. */
  readonly rejected: readonly { readonly rule: R; readonly reason: string }[];
}

/** First rule that fits, then the room of that name; whether there is such a room is for the caller to see. */
export function dispatch<R extends DispatchRule>(
  facts: CallFacts,
  rules: readonly R[],
  plan: NumberPlan = defaultNumberPlan,
): Dispatched<R> {
  const { dialled } = facts;
  const rejected: { rule: R; reason: string }[] = [];
  if (dialled === '')
    return { decision: reject('The called address has no user part, which would name a room.'), rejected };
  if (dialled.length > maxDialled)
    return { decision: reject('The called address is too long for any room.'), rejected };
  for (const rule of rules) {
    const reason = mismatchOf(rule, facts, plan);
    if (reason === undefined) return { decision: decisionOf(rule, facts), rejected };
    rejected.push({ rule, reason });
  }
  if (roomNamePattern.test(dialled)) return { decision: { kind: 'room', room: dialled, rule: undefined }, rejected };
  return { decision: reject('No rule takes the called address, and it is no name of a room.'), rejected };
}

function decisionOf<R extends DispatchRule>(rule: R, { from, trunk, account }: CallFacts): Decision<R> {
  if (rule.reject) return { kind: 'reject', rule, ...rule.reject };
  if (rule.menu) return { kind: 'menu', menu: rule.menu, rule };
  if (rule.webhook) return { kind: 'ask', hook: rule.webhook, rule };
  if (!rule.personalRoom) return { kind: 'room', room: rule.room ?? '', rule };
  // Anybody can say any number: rooms are not made for whoever dials.
  const reason = 'Rooms of their own are for callers of a trunk or an account.';
  if (!trunk && account === undefined) return { kind: 'reject', status: 403, reason, rule };
  const isNobody = account === undefined && withheld.has(from.toLowerCase());
  const name = `${rule.personalRoom.prefix}${(account ?? from).replaceAll(/[^A-Za-z0-9._~-]/g, '')}`;
  if (!isNobody && name.length > rule.personalRoom.prefix.length && roomNamePattern.test(name)) {
    return { kind: 'room', room: name, rule, isPersonal: true };
  }
  return { kind: 'reject', status: 403, reason: 'The caller shows no number that a room could be named after.', rule };
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
