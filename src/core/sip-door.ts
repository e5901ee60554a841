// Owns: who may come into which room by phone: what was dialled, the rules, the room's own door, PINs. May import: core.
import { type Decision, dispatch, readDialled } from './dispatch.ts';
import type { DispatchRules, KnownRule } from './dispatch-rules.ts';
import { type ErrorCode, GatewayError } from './errors.ts';
import { GuessGuard } from './guess-guard.ts';
import type { RoomId } from './ids.ts';
import type { PromptLanguage } from './leg-media.ts';
import { addressGroup } from './net-policy.ts';
import type { RoomRecord } from './room.ts';
import { isSamePin, type RoomPins } from './room-pins.ts';
import { effectiveSip, type SipDefaults } from './room-sip.ts';
import type { Rooms } from './rooms.ts';

/** What became of an address that was called, and how that came about. */
export interface DoorVerdict {
  readonly dialled: string;
  readonly outcome: 'enter' | 'ask_pin' | 'reject';
  readonly room: { readonly id: RoomId; readonly name: string } | undefined;
  readonly rule: KnownRule | undefined;
  readonly language: PromptLanguage;
  readonly hasPrompts: boolean;
  /** For a rejected one: what SIP answers, and why. */
  readonly rejection: { readonly code: ErrorCode; readonly status: number; readonly reason: string } | undefined;
  /** One sentence for each step, for people. */
  readonly steps: readonly string[];
}

/** A verdict with the PIN that opens the door; not for the API. */
export interface Admission extends DoorVerdict {
  readonly room: { readonly id: RoomId; readonly name: string };
  /** Undefined where none is asked for, or where it came with the call. */
  readonly pin: string | undefined;
}

/** A call that a rule rejects, with a status of its own. */
export class CallRejected extends GatewayError {
  readonly sipStatus: number;
  constructor(sipStatus: number, code: ErrorCode, reason: string) {
    super(code, reason);
    this.sipStatus = sipStatus;
  }
}

export interface SipDoorOptions {
  readonly rooms: Pick<Rooms, 'findRecord'>;
  readonly rules: Pick<DispatchRules, 'all'>;
  readonly pins: RoomPins;
  readonly defaults: SipDefaults;
  readonly nowMs?: () => number;
}

type Entrance =
  | { readonly kind: 'open'; readonly step: string }
  | { readonly kind: 'pin'; readonly pin: string; readonly step: string }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly reason: string };

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export class SipDoor {
  readonly #options: SipDoorOptions;
  readonly #byAddress: GuessGuard;
  readonly #byRoom: GuessGuard;

  constructor(options: SipDoorOptions) {
    this.#options = options;
    const what = 'wrong PINs from this address';
    const limits = { firstWaitMs: minuteMs / 2, maxWaitMs: 60 * minuteMs, forgetMs: dayMs };
    this.#byAddress = new GuessGuard({ free: 3, ...limits, what }, options.nowMs);
    // Many addresses guessing at one room: slowed down, but not so that they keep everybody else out for long.
    const forRoom = { free: 30, firstWaitMs: 5_000, maxWaitMs: 5 * minuteMs, forgetMs: 60 * minuteMs };
    this.#byRoom = new GuessGuard({ ...forRoom, what: 'wrong PINs for this room' }, options.nowMs);
  }

  /** What would become of a call; nothing happens. */
  async explain(uri: string): Promise<DoorVerdict> {
    const { verdict } = await this.#judge(uri);
    return verdict;
  }

  /**
   * @param address of the caller, for the lock-out
   * @throws GatewayError `not_found`, `forbidden`, `rate_limited`; CallRejected where a rule says so
   */
  async admit(uri: string, address: string): Promise<Admission> {
    const { verdict, entrance, given } = await this.#judge(uri);
    const { room, rejection } = verdict;
    if (rejection) throw new CallRejected(rejection.status, rejection.code, rejection.reason);
    if (!room || entrance?.kind !== 'pin') return { ...verdict, room: assertRoom(room), pin: undefined };
    this.assertMayGuess(room.id, address);
    const isVouched = given !== undefined && this.guess(given, { room, pin: entrance.pin }, address);
    return { ...verdict, room, pin: isVouched ? undefined : entrance.pin };
  }

  /** @throws GatewayError `rate_limited` while this address, or the room, is locked out */
  assertMayGuess(room: RoomId, address: string): void {
    this.#byAddress.check(addressGroup(address));
    this.#byRoom.check(room);
  }

  /** @returns whether it is right; a wrong one counts */
  guess(typed: string, { room, pin }: { room: { id: RoomId }; pin: string }, address: string): boolean {
    if (isSamePin(typed, pin)) {
      this.#byAddress.noteRight(addressGroup(address));
      return true;
    }
    this.#byAddress.noteWrong(addressGroup(address));
    this.#byRoom.noteWrong(room.id);
    return false;
  }

  async #judge(uri: string): Promise<{ verdict: DoorVerdict; entrance?: Entrance; given?: string | undefined }> {
    const { rules, rooms, defaults } = this.#options;
    const { user: dialled, pin: given } = readDialled(uri);
    const decision: Decision<KnownRule> = dispatch(dialled, rules.all);
    const { rule } = decision;
    const steps = [`"${dialled.slice(0, 64)}" was dialled.`, ruleStep(decision)];
    const base = { dialled, rule, steps, language: rule?.language ?? defaults.language, hasPrompts: true };
    const rejected = (code: ErrorCode, status: number, reason: string, room?: RoomRecord): DoorVerdict => {
      steps.push(`Rejected with ${status}: ${reason}`);
      const rejection = { code, status, reason };
      return { ...base, room: room && { id: room.id, name: room.name }, outcome: 'reject', rejection };
    };
    if (decision.kind === 'reject') {
      const code = decision.rule ? 'forbidden' : 'not_found';
      return { verdict: rejected(code, decision.status, decision.reason) };
    }
    const found = await rooms.findRecord(decision.room);
    if (!found) return { verdict: rejected('not_found', 404, `There is no room "${decision.room.slice(0, 64)}".`) };
    const sip = effectiveSip(found.sip, defaults);
    const entrance = this.#entranceOf(rule, found);
    if (entrance.kind === 'refused') {
      return { verdict: rejected(entrance.code, 403, entrance.reason, found) };
    }
    steps.push(entrance.step);
    const verdict: DoorVerdict = {
      ...base,
      room: { id: found.id, name: found.name },
      outcome:
        entrance.kind === 'open' || (given !== undefined && isSamePin(given, entrance.pin)) ? 'enter' : 'ask_pin',
      language: rule?.language ?? sip.language,
      hasPrompts: sip.hasPrompts,
      rejection: undefined,
    };
    return { verdict, entrance, given };
  }

  #entranceOf(rule: KnownRule | undefined, record: RoomRecord): Entrance {
    const { pins, defaults } = this.#options;
    const { access } = effectiveSip(record.sip, defaults);
    if (access === 'closed') {
      return refused(`The room "${record.name}" takes no calls (sip.access is "closed").`);
    }
    if (rule?.pin !== undefined) return { kind: 'pin', pin: rule.pin, step: 'The rule asks for a PIN of its own.' };
    if (rule?.access === 'open') return { kind: 'open', step: 'The rule lets in whoever comes by it.' };
    if (rule?.access === undefined && access === 'open') {
      return { kind: 'open', step: `The room "${record.name}" is open to whoever calls.` };
    }
    const pin = pins.of(record.sip);
    if (pin === undefined) {
      return refused(`The room "${record.name}" has no PIN for phones yet; set sip.pin, or sip.access to "open".`);
    }
    return { kind: 'pin', pin, step: `The room "${record.name}" asks for its PIN.` };
  }
}

function ruleStep({ rule }: Decision<KnownRule>): string {
  if (!rule) return 'No rule takes that; it is looked up as the name of a room.';
  const what = rule.number === undefined ? `pattern ${rule.pattern}` : `number ${rule.number}`;
  const then = rule.reject ? 'rejects it' : `sends it to the room "${rule.room}"`;
  return `The rule ${rule.id} (${what}) takes it and ${then}.`;
}

function refused(reason: string): Entrance {
  return { kind: 'refused', code: 'forbidden', reason };
}

function assertRoom<T>(room: T | undefined): T {
  if (room === undefined) throw new GatewayError('not_found', 'There is no such room.');
  return room;
}
