// Owns: by which numbers a room is reached: what the rules for calls say, for people. Pure. May import: core only.
import { dispatch } from './dispatch.ts';
import type { KnownRule } from './dispatch-rules.ts';
import { roomsOf } from './menu-words.ts';
import type { NumberPlan } from './number-plan.ts';
import type { RoomRecord } from './room.ts';
import type { SipAccess } from './room-sip.ts';

export interface DialInNumber {
  /** As the rule has it. */
  readonly number: string;
  readonly access: 'pin' | 'open';
  /** Of the rule, instead of the room's. */
  readonly hasOwnPin: boolean;
  /** The room is one of several to choose from there. */
  readonly isMenu: boolean;
}

const maxNumbers = 20;

export interface RoomDoor {
  readonly access: SipAccess;
  /** Where it asks for one and has none it refuses; a menu may know another way in. */
  readonly hasPin: boolean;
  readonly plan?: NumberPlan | undefined;
}

/** Those that whoever calls may dial: rules that ask for more of a call, or that another one stands before, are none. */
export function dialInNumbers(
  rules: readonly KnownRule[],
  room: Pick<RoomRecord, 'id' | 'name'>,
  { access, hasPin, plan }: RoomDoor,
): DialInNumber[] {
  if (access === 'closed') return [];
  const names = new Set([room.id.toLowerCase(), room.name.toLowerCase()]);
  const isIt = (name: string) => names.has(name.toLowerCase());
  return rules
    .flatMap((rule): DialInNumber[] => {
      const { number, trunk, menu } = rule;
      const isMenu = menu !== undefined && [...roomsOf(menu)].some(isIt);
      if (number === undefined || !(isMenu || (rule.room !== undefined && isIt(rule.room)))) return [];
      const through = trunk === undefined ? undefined : { id: trunk, name: trunk };
      // As from somebody of whom nothing is known.
      const facts = { dialled: number, from: '', trunk: through, account: undefined, divertedFrom: [] };
      const { decision } = dispatch({ ...facts, header: () => undefined, atMs: Date.now() }, rules, plan);
      if (decision.rule !== rule || rule.time !== undefined) return [];
      const hasOwnPin = rule.pin !== undefined;
      const asks = hasOwnPin ? 'pin' : (rule.access ?? access);
      if (asks === 'pin' && !hasOwnPin && !hasPin && !isMenu) return [];
      return [{ number, access: asks, hasOwnPin, isMenu }];
    })
    .slice(0, maxNumbers);
}
