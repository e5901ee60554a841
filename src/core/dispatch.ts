// Owns: which room a call is for, from what was dialled. Pure. May import: core only.
import { roomNamePattern } from './ids.ts';

/** `number` is compared as it is dialled, `pattern` is a regular expression over all of it. */
export interface DispatchRule {
  readonly number?: string | undefined;
  readonly pattern?: string | undefined;
  /** Name or id. */
  readonly room: string;
}

export type Decision =
  | { readonly kind: 'room'; readonly room: string; readonly by: 'rule' | 'name' }
  | { readonly kind: 'reject'; readonly reason: string };

const maxDialled = 128;
const maxRead = 512;

/** The user part of a SIP or tel URI, without escapes, parameters and visual separators of numbers. */
export function dialledOf(uri: string): string {
  const [, user = ''] = /^(?:sips?:([^@]*)@|tel:)/i.exec(uri) ?? [];
  const text = /^tel:/i.test(uri) ? uri.slice(4) : user;
  const bare = unescaped((text.split(/[;:]/, 1)[0] ?? '').slice(0, maxRead));
  return /^\+?[\d().\s-]*\d[\d().\s-]*$/.test(bare) ? bare.replaceAll(/[().\s-]/g, '') : bare;
}

/** First rule that fits, then the room of that name; whether there is such a room is for the caller to see. */
export function dispatch(dialled: string, rules: readonly DispatchRule[]): Decision {
  if (dialled === '')
    return { kind: 'reject', reason: 'The called address has no user part, which would name a room.' };
  if (dialled.length > maxDialled) return { kind: 'reject', reason: 'The called address is too long for any room.' };
  const rule = rules.find(({ number, pattern }) =>
    number !== undefined ? number === dialled : new RegExp(`^(?:${pattern ?? '$^'})$`, 'u').test(dialled),
  );
  if (rule) return { kind: 'room', room: rule.room, by: 'rule' };
  if (roomNamePattern.test(dialled)) return { kind: 'room', room: dialled, by: 'name' };
  return { kind: 'reject', reason: 'No rule takes the called address, and it is no name of a room.' };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A % that begins no escape stands for itself; no room has it in its name.
    return text;
  }
}
