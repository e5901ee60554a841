// Owns: who may come into which room by phone: what was dialled, the rules, the room's own door, PINs. May import: core.
import { diversionsOf, divertedFrom } from './call-diversion.ts';
import { CallRejected } from './call-rejected.ts';
import { type Decision, type DispatchHook, dispatch, readDialled } from './dispatch.ts';
import type { CallFacts, DispatchMatch } from './dispatch-match.ts';
import type { DispatchRules, KnownRule } from './dispatch-rules.ts';
import { type ErrorCode, GatewayError } from './errors.ts';
import { GuessGuard } from './guess-guard.ts';
import type { RoomId } from './ids.ts';
import type { PromptLanguage } from './leg-media.ts';
import type { MenuDial, MenuTypedDial } from './menu-dial.ts';
import { dialledIn, dialText, menuSteps, roomsOf } from './menu-words.ts';
import { addressGroup } from './net-policy.ts';
import type { NumberPlan } from './number-plan.ts';
import type { PhoneMenu } from './phone-menu.ts';
import type { RoomRecord } from './room.ts';
import { isSamePin, type RoomPins } from './room-pins.ts';
import { effectiveSip, type SipDefaults } from './room-sip.ts';
import type { Rooms } from './rooms.ts';

/** What became of an address that was called, and how that came about. */
export interface DoorVerdict {
  readonly dialled: string;
  /** `ask_webhook`: somebody else's system decides; what it says is not known before it is asked. `menu`: the caller does. */
  readonly outcome: 'enter' | 'ask_pin' | 'ask_webhook' | 'menu' | 'reject';
  /** Rules that were tried before, and in which point the call does not fit each. */
  readonly rejectedRules: readonly { readonly rule: KnownRule; readonly reason: string }[];
  readonly room: { readonly id: RoomId; readonly name: string } | undefined;
  readonly rule: KnownRule | undefined;
  readonly language: PromptLanguage;
  readonly hasPrompts: boolean;
  /** For a rejected one: what SIP answers, and why. */
  readonly rejection:
    | { readonly code: ErrorCode; readonly status: number; readonly reason: string; readonly told?: string | undefined }
    | undefined;
  /** One sentence for each step, for people. */
  readonly steps: readonly string[];
}

/** A verdict with the PIN that opens the door; not for the API. */
export interface Admission extends DoorVerdict {
  readonly room: { readonly id: RoomId; readonly name: string };
  /** Undefined where none is asked for, or where it came with the call. */
  readonly pin: string | undefined;
  /** One came with the call that is wrong, and was counted. */
  readonly hadWrongPin: boolean;
}

/** The caller chooses a room first, by keys. */
export interface MenuAdmission extends DoorVerdict {
  readonly menu: PhoneMenu;
  readonly rule: KnownRule;
}

/** A room that was chosen in a menu. */
export interface MenuChoice {
  readonly rule: KnownRule;
  readonly room: string;
  readonly access?: 'pin' | 'open' | undefined;
}

/** Of a call besides what it dialled; what is absent is not known of it. */
export type CallerFacts = Partial<Omit<CallFacts, 'dialled'>> & {
  /** Whose guesses are counted together: the caller of a trunk, whose address is everybody's. The address unless said. */
  readonly guesser?: string | undefined;
};

export interface HookQuestion extends Omit<CallFacts, 'header' | 'atMs'> {
  readonly address: string;
}

/** What a webhook decides. @throws GatewayError for one that does not answer, or not so */
export type AskHook = (hook: DispatchHook, question: HookQuestion) => Promise<HookAnswer>;

export interface HookAnswer {
  readonly room?: string | undefined;
  readonly access?: 'pin' | 'open' | undefined;
  readonly reject?: { readonly status: number; readonly reason: string; readonly told?: string } | undefined;
}

export interface SipDoorOptions {
  readonly rooms: Pick<Rooms, 'findRecord' | 'create'>;
  readonly plan?: NumberPlan | undefined;
  readonly askHook?: AskHook | undefined;
  /** Why a menu could not call somebody now. */
  readonly flawOfDial?: ((dial: MenuDial | MenuTypedDial) => string | undefined) | undefined;
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
  readonly #byNumber: GuessGuard;

  constructor(options: SipDoorOptions) {
    this.#options = options;
    const what = 'wrong PINs from this address';
    const limits = { firstWaitMs: minuteMs / 2, maxWaitMs: 60 * minuteMs, forgetMs: dayMs };
    this.#byAddress = new GuessGuard({ free: 3, ...limits, what }, options.nowMs);
    // Many addresses guessing at one room: slowed down, but not so that they keep everybody else out for long.
    const forRoom = { free: 30, firstWaitMs: 5_000, maxWaitMs: 5 * minuteMs, forgetMs: 60 * minuteMs };
    this.#byRoom = new GuessGuard({ ...forRoom, what: 'wrong PINs for this room' }, options.nowMs);
    // A number may be mistyped, and says less than a PIN.
    this.#byNumber = new GuessGuard({ free: 10, ...limits, what: 'wrong conference numbers' }, options.nowMs);
  }

  /** What would become of a call; nothing happens. */
  async explain(uri: string, caller: CallerFacts = {}): Promise<DoorVerdict> {
    const { verdict } = await this.#judge(uri, factsOf(uri, caller));
    return verdict;
  }

  /**
   * Into a room at once: a menu is nobody's to walk through here.
   * @param address of the caller, for the lock-out
   * @throws GatewayError `not_found`, `forbidden`; LockedOut; CallRejected where a rule says so
   */
  async admit(uri: string, address: string, caller: CallerFacts = {}): Promise<Admission> {
    const admission = await this.arrive(uri, address, caller);
    if (!('menu' in admission)) return admission;
    throw new CallRejected(403, 'forbidden', 'A menu is there, which has to be called.');
  }

  /**
   * As `admit()`, for a call that may be asked what it wants.
   * @param choice what it chose in the menu that it was sent to before; the rules are not asked again then
   */
  async arrive(
    uri: string,
    address: string,
    { guesser = address, ...caller }: CallerFacts = {},
    choice?: MenuChoice,
  ): Promise<Admission | MenuAdmission> {
    const facts = factsOf(uri, caller);
    const ask = (hook: DispatchHook) => this.#asked(hook, facts, address);
    const { verdict, entrance, given } = await this.#judge(uri, facts, ask, choice);
    const { room, rejection, rule } = verdict;
    if (verdict.outcome === 'menu' && rule?.menu) return { ...verdict, menu: rule.menu, rule };
    if (rejection) throw new CallRejected(rejection.status, rejection.code, rejection.reason, rejection.told);
    if (!room || entrance?.kind !== 'pin') {
      return { ...verdict, room: assertRoom(room), pin: undefined, hadWrongPin: false };
    }
    this.assertMayGuess(room.id, guesser);
    const isVouched = given !== undefined && this.guess(given, { room, pin: entrance.pin }, guesser);
    const hadWrongPin = given !== undefined && !isVouched;
    return { ...verdict, room, pin: isVouched ? undefined : entrance.pin, hadWrongPin };
  }

  /** Never fails: who does not answer is stood in for by the fallback of the rule. */
  async #asked(hook: DispatchHook, { header: _, atMs: __, ...facts }: CallFacts, address: string): Promise<HookAnswer> {
    try {
      if (!this.#options.askHook || hook.secret === '')
        throw new GatewayError('internal', 'Webhooks cannot be asked here.');
      return await this.#options.askHook(hook, { ...facts, address });
    } catch (error) {
      const { fallbackRoom } = hook;
      if (fallbackRoom !== undefined) return { room: fallbackRoom };
      const why = error instanceof GatewayError ? error.message : 'It failed.';
      // Where it is asked, and why it cannot be, is nothing that callers are to know.
      const told = 'The webhook of the rule does not decide.';
      return { reject: { status: 480, reason: `The webhook of the rule does not decide: ${why}`, told } };
    }
  }

  /** @throws LockedOut while this address, or the room, is locked out */
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

  /**
   * The one of a menu's rooms whose PIN it is.
   * @param who guesses: an address, or the caller of a trunk
   * @throws GatewayError `rate_limited` while `who` is, or guesses at this menu are, locked out
   */
  async findByPin(typed: string, { rule, rooms }: { rule: string; rooms: readonly string[] }, who: string) {
    const guessed = `menu:${rule}`;
    this.#byAddress.check(addressGroup(who));
    this.#byRoom.check(guessed);
    let found: RoomRecord | undefined;
    for (const name of rooms) {
      const record = await this.#options.rooms.findRecord(name);
      const pin = this.#options.pins.of(record?.sip);
      // All of them are compared: how long it takes says nothing.
      if (pin !== undefined && isSamePin(typed, pin)) found ??= record;
    }
    if (found) this.#byAddress.noteRight(addressGroup(who));
    else {
      this.#byAddress.noteWrong(addressGroup(who));
      this.#byRoom.noteWrong(guessed);
    }
    return found;
  }

  /** Of a number that was typed in a menu. @throws GatewayError `rate_limited` once too many were nobody's */
  assertMayTry(who: string): void {
    this.#byNumber.check(addressGroup(who));
  }

  noteNumber(who: string, isRight: boolean): void {
    if (isRight) this.#byNumber.noteRight(addressGroup(who));
    else this.#byNumber.noteWrong(addressGroup(who));
  }

  async #judge(
    uri: string,
    facts: CallFacts,
    /** Absent: nothing may happen, and nobody is asked. */
    ask?: (hook: DispatchHook) => Promise<HookAnswer>,
    choice?: MenuChoice,
  ): Promise<{ verdict: DoorVerdict; entrance?: Entrance; given?: string | undefined }> {
    const { rules, rooms, defaults, plan } = this.#options;
    const { user: dialled, pin: given } = readDialled(uri);
    const { decision: first, rejected: rejectedRules } = choice
      ? { decision: chosen(choice), rejected: [] }
      : dispatch(facts, rules.all, plan);
    const { rule: taken } = first;
    const steps = [`"${dialled.slice(0, 64)}" was dialled.`, ruleStep(first)];
    const answer = first.kind === 'ask' && ask ? await ask(first.hook) : undefined;
    const decision = answer ? decidedBy(answer, taken) : first;
    const { rule } = decision;
    if (answer)
      steps.push(
        'reject' in answer && answer.reject
          ? 'The webhook refuses it.'
          : `The webhook names the room "${answer.room}".`,
      );
    const base = {
      ...{ dialled, rule: taken, rejectedRules, steps },
      ...{ language: rule?.language ?? defaults.language, hasPrompts: true },
    };
    const rejected = (
      code: ErrorCode,
      status: number,
      reason: string,
      { room, told }: { room?: RoomRecord; told?: string | undefined } = {},
    ): DoorVerdict => {
      steps.push(`Rejected with ${status}: ${reason}`);
      const rejection = { code, status, reason, told };
      return { ...base, room: room && { id: room.id, name: room.name }, outcome: 'reject', rejection };
    };
    const unsettled = (outcome: DoorVerdict['outcome']) => ({
      ...base,
      outcome,
      room: undefined,
      rejection: undefined,
    });
    if (decision.kind === 'ask') return { verdict: unsettled('ask_webhook') };
    if (decision.kind === 'menu') {
      steps.push(...menuSteps(decision.menu));
      for (const name of roomsOf(decision.menu)) {
        if (!(await rooms.findRecord(name))) steps.push(`There is no room "${name}" now: who chooses it is refused.`);
      }
      for (const dial of dialledIn(decision.menu)) {
        const flaw = this.#options.flawOfDial?.(dial);
        if (flaw !== undefined) steps.push(`${dialText(dial)} cannot be called now: ${flaw}`);
      }
      return { verdict: unsettled('menu') };
    }
    if (decision.kind === 'reject') {
      const code = decision.rule ? 'forbidden' : 'not_found';
      return { verdict: rejected(code, decision.status, decision.reason, { told: decision.told }) };
    }
    if (decision.isPersonal && !(await rooms.findRecord(decision.room))) {
      steps.push(`The room "${decision.room}" is made for this caller.`);
      if (!ask) return { verdict: unsettled('enter') };
      // Without a PIN the others stay outside; the caller comes in by the rule.
      await rooms.create({ name: decision.room, sip: { access: 'pin' } });
    }
    const found = await rooms.findRecord(decision.room);
    if (!found) return { verdict: rejected('not_found', 404, `There is no room "${decision.room.slice(0, 64)}".`) };
    const sip = effectiveSip(found.sip, defaults);
    const entrance = this.#entranceOf(decision.isPersonal && rule ? { ...rule, access: 'open' } : rule, found);
    if (entrance.kind === 'refused') {
      return { verdict: rejected(entrance.code, 403, entrance.reason, { room: found }) };
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

function factsOf(uri: string, caller: CallerFacts): CallFacts {
  return {
    ...{ from: '', trunk: undefined, account: undefined, header: () => undefined, atMs: Date.now() },
    divertedFrom: divertedFrom(diversionsOf(caller.header ?? (() => undefined))),
    ...{ ...caller, dialled: readDialled(uri).user },
  };
}

function chosen({ rule, room, access }: MenuChoice): Decision<KnownRule> {
  return { kind: 'room', room, rule: { ...rule, access, pin: undefined } };
}

function decidedBy({ room, access, reject }: HookAnswer, rule: KnownRule | undefined): Decision<KnownRule> {
  if (reject) return { kind: 'reject', ...reject, rule };
  return { kind: 'room', room: room ?? '', rule: rule && { ...rule, access: access ?? rule.access } };
}

function ruleStep(decision: Decision<KnownRule>): string {
  const { rule } = decision;
  if (!rule) return 'No rule takes that; it is looked up as the name of a room.';
  const then = {
    ask: 'asks a webhook',
    menu: 'lets the caller choose by a menu',
    reject: 'rejects it',
    room: `sends it to the room "${decision.kind === 'room' ? decision.room : ''}"`,
  };
  return `The rule ${rule.id} (${matchText(rule)}) takes it and ${then[decision.kind]}.`;
}

function matchText({
  number,
  numberRange,
  pattern,
  from,
  fromPattern,
  divertedFrom: past,
  trunk,
  account,
  headers,
  time,
}: DispatchMatch): string {
  const words = [
    number !== undefined && `number ${number}`,
    numberRange && `numbers ${numberRange.first} to ${numberRange.last}`,
    pattern !== undefined && `pattern ${pattern}`,
    (from ?? fromPattern) !== undefined && `caller ${from ?? fromPattern}`,
    past !== undefined && `sent on from ${past}`,
    trunk !== undefined && `trunk ${trunk}`,
    account !== undefined && `account ${account}`,
    headers && `headers ${Object.keys(headers).join(', ')}`,
    time && 'time',
  ];
  return words.filter((word) => typeof word === 'string').join(', ');
}

function refused(reason: string): Entrance {
  return { kind: 'refused', code: 'forbidden', reason };
}

function assertRoom<T>(room: T | undefined): T {
  if (room === undefined) throw new GatewayError('not_found', 'There is no such room.');
  return room;
}
