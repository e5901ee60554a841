// Owns: the way of a call from its answer into the room: its menu, its PIN, and who has to let it in.
import type { CallEnd } from '#core/call.ts';
import { type GatewayError, toGatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { PromptName } from '#core/leg-media.ts';
import type { MenuStep } from '#core/menu-walk.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import { farewellFor, gateEnds, menuEnd } from './call-ends.ts';
import type { Admittance, SipCallOptions } from './call-options.ts';
import { type CallMenu, MenuRun, type Undo } from './menu-run.ts';
import { PinGate } from './pin-gate.ts';

/** A caller that keeps pressing `*` is not listened to for ever. */
const maxGateMs = 120_000;

/** Pressed before anything asks; who presses more is not listened to. */
const maxAhead = 32;

/** What of the call it comes to. */
export interface EntranceOwner {
  readonly id: string;
  readonly signal: AbortSignal;
  /** It has ended, or is about to. */
  readonly isOver: boolean;
  readonly isInRoom: boolean;
  /** It hears music until it is let in. */
  waits(): void;
  /** Out of the menu, to the mix of the room that was chosen. @throws GatewayError as `phones.moveLeg()` */
  takeTo(admittance: Admittance, leg: Leg): Promise<void>;
  /** Hears that room, until it is taken there or the way back is gone. Never rejects. */
  listenIn(room: Room, leg: Leg): Promise<Undo>;
  /** A step further in its menu. */
  wentOn(): void;
  goIn(leg: Leg): void;
  finish(end: CallEnd, farewell: readonly PromptName[]): void;
  fail(error: GatewayError, sipStatus: undefined, farewell: readonly PromptName[]): void;
}

export type EntranceOptions = Pick<SipCallOptions, 'gate' | 'lobby' | 'from' | 'menu' | 'hasPrompts' | 'settings'>;

export class CallEntrance {
  readonly #owner: EntranceOwner;
  readonly #options: EntranceOptions;
  readonly #log: Logger;
  #gate: PinGate | undefined;
  #menu: MenuRun | undefined;
  /** Of the room that was dialled, or chosen. */
  #way: Pick<Admittance, 'gate' | 'lobby' | 'hasPrompts'>;
  #steps: readonly MenuStep[] | undefined;
  #isPastMenu: boolean;
  #hasBegun = false;
  /** Pressed between the menu and the PIN. */
  #ahead = '';
  #isPastGate: boolean;
  #isAtDoor = false;

  constructor(owner: EntranceOwner, options: EntranceOptions, log: Logger) {
    this.#owner = owner;
    this.#options = options;
    this.#log = log;
    this.#way = options;
    this.#isPastMenu = options.menu === undefined;
    this.#isPastGate = this.#isPastMenu && options.gate === undefined;
  }

  /** It has chosen no room yet. */
  get isChoosing(): boolean {
    return !this.#isPastMenu;
  }

  /** Its way through the menu; undefined where there was none. */
  get steps(): readonly MenuStep[] | undefined {
    return this.#steps;
  }

  /** Whether it is told anything but what menus and PINs need. */
  get hasPrompts(): boolean {
    return this.isChoosing || (this.#way.hasPrompts ?? true);
  }

  /** It was answered before it could come in. */
  get wasKept(): boolean {
    return this.#options.menu !== undefined || this.#way.gate !== undefined || this.#isAtDoor;
  }

  /** No PIN is asked for, or it was typed. */
  get isPastGate(): boolean {
    return this.#isPastGate;
  }

  /** @returns whether the key was for the menu or the PIN */
  press(digit: string): boolean {
    const asking = this.#menu ?? this.#gate;
    asking?.press(digit);
    if (!asking && this.isChoosing && this.#ahead.length < maxAhead) this.#ahead += digit;
    return asking !== undefined || this.isChoosing;
  }

  /** As far as it may now: called when it is answered, and with what was agreed. */
  proceed(leg: Leg): void {
    const { gate } = this.#way;
    const { menu } = this.#options;
    if (this.#isPastGate) this.#enter(leg);
    else if (menu && !this.#isPastMenu) void this.#choose(menu, leg);
    else if (gate && !this.#gate) void this.#ask(gate, leg);
  }

  async #choose(menu: CallMenu, leg: Leg): Promise<void> {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const owner = this.#owner;
    const { from, settings } = this.#options;
    const signal = AbortSignal.any([owner.signal, AbortSignal.timeout(settings.maxMenuMs)]);
    const onStep = (steps: readonly MenuStep[]) => {
      this.#steps = [...steps];
      owner.wentOn();
    };
    const listenIn = (room: Room) => owner.listenIn(room, leg);
    this.#menu = new MenuRun({ leg, menu, callId: owner.id, signal, listenIn, onStep });
    try {
      const outcome = await this.#menu.run();
      this.#ahead = this.#menu.waitingKeys.join('');
      this.#menu = undefined;
      if (owner.isOver) return;
      if (outcome.kind === 'end') {
        const { why, reason } = outcome;
        this.#log.warn({ why, reason, from }, 'caller chose no room');
        owner.finish(menuEnd(why, reason), ['goodbye']);
        return;
      }
      await owner.takeTo(outcome.admittance, leg);
      if (owner.isOver) return;
      this.#way = outcome.admittance;
      this.#isPastMenu = true;
      this.#isPastGate = outcome.admittance.gate === undefined;
      owner.wentOn();
    } catch (error) {
      if (owner.isOver) return;
      this.#menu = undefined;
      const refusal = toGatewayError(error);
      owner.fail(refusal, undefined, farewellFor(refusal.code));
      return;
    }
    this.proceed(leg);
  }

  async #ask({ pin, guess }: NonNullable<EntranceOptions['gate']>, leg: Leg): Promise<void> {
    const owner = this.#owner;
    const signal = AbortSignal.any([owner.signal, AbortSignal.timeout(maxGateMs)]);
    this.#gate = new PinGate({ leg, pin, guess, signal });
    for (const key of this.#ahead) this.#gate.press(key);
    // Only a leg that is gone lets it fail.
    const outcome = await this.#gate.run().catch(() => 'left' as const);
    this.#gate = undefined;
    if (owner.isOver) return;
    if (outcome !== 'right') {
      this.#log.warn({ outcome, from: this.#options.from }, 'caller not let in');
      owner.finish(gateEnds[outcome], ['goodbye']);
      return;
    }
    this.#isPastGate = true;
    this.#enter(leg);
  }

  #enter(leg: Leg): void {
    const { lobby } = this.#way;
    if (!this.#owner.isInRoom && lobby) void this.#waitForDoor(lobby, leg);
    else this.#owner.goIn(leg);
  }

  /** Hears music until it may come in. */
  async #waitForDoor(lobby: NonNullable<EntranceOptions['lobby']>, leg: Leg): Promise<void> {
    if (this.#isAtDoor) return;
    this.#isAtDoor = true;
    const owner = this.#owner;
    let isWaiting = false;
    const tell = () => {
      if (isWaiting || owner.isOver) return;
      isWaiting = true;
      owner.waits();
      if (!leg.isClosed) void leg.play('hold_music', { isRepeated: true });
    };
    try {
      await lobby({ signal: owner.signal, tell });
      if (owner.isOver) return;
      leg.stopPlaying();
      owner.goIn(leg);
    } catch (error) {
      if (owner.isOver) return;
      const refusal = toGatewayError(error);
      owner.fail(refusal, undefined, farewellFor(refusal.code));
    }
  }
}
