// Owns: a caller in a menu: plays what the menu says, hears keys, and finds the room. The call decides what comes of it.
import type { PromptLanguage, SpokenPrompt } from '#core/leg-media.ts';
import type { MenuDial, MenuTypedDial } from '#core/menu-dial.ts';
import { type MenuDialFailure, type MenuEnd, type MenuStep, type MenuTurn, MenuWalk } from '#core/menu-walk.ts';
import type { PhoneMenu } from '#core/phone-menu.ts';
import type { Room } from '#core/room.ts';
import type { Admittance } from './call-options.ts';

/** A menu with its ways into rooms. They throw what a call that had dialled the room would be refused with. */
export interface CallMenu {
  readonly menu: PhoneMenu;
  /** Undefined: each room's own. */
  readonly language: PromptLanguage | undefined;
  enter(room: string, access: 'pin' | 'open' | undefined): Promise<Admittance>;
  /** @returns undefined where there is none @throws GatewayError `rate_limited` */
  findByNumber(typed: string): Promise<Admittance | undefined>;
  /** @returns undefined for a wrong one @throws GatewayError `rate_limited` */
  findByPin(typed: string, rooms: readonly string[]): Promise<Admittance | undefined>;
  /**
   * Calls somebody: until he answers, or does not, or the signal aborts.
   * @returns undefined for a number that may not be called @throws GatewayError `rate_limited`
   */
  dial(dialling: MenuDialling): Promise<MenuDialOutcome | undefined>;
}

export interface MenuDialling {
  readonly dial: MenuDial | MenuTypedDial;
  readonly typed?: string | undefined;
  /** Of the caller. */
  readonly callId: string;
  readonly signal: AbortSignal;
  /** It is on its way. */
  readonly onCalling: (to: string, callId: string) => void;
  /** It is heard in that room before it answers. Never rejects. */
  readonly onEarlyMedia: (room: Room) => Promise<Undo>;
}

/** Brings the caller out of there again, before the room is closed. Never rejects. */
export type Undo = () => Promise<void>;

export type MenuDialOutcome =
  /** There they are to meet. */
  | { readonly kind: 'answered'; readonly admittance: Admittance }
  | { readonly kind: MenuDialFailure; readonly reason: string };

export interface MenuRunOptions {
  /** What it needs of the leg. */
  readonly leg: {
    play(prompts: readonly SpokenPrompt[], options?: { isRepeated?: boolean }): Promise<boolean>;
    stopPlaying(): void;
    setLanguage(language: PromptLanguage): void;
  };
  readonly menu: CallMenu;
  readonly callId: string;
  readonly signal: AbortSignal;
  /** Lets the caller hear a room that it is not in yet. Never rejects. */
  readonly listenIn: (room: Room) => Promise<Undo>;
  /** It is a step further. */
  readonly onStep: (steps: readonly MenuStep[]) => void;
}

export type MenuOutcome =
  | { readonly kind: 'in'; readonly admittance: Admittance }
  | { readonly kind: 'end'; readonly why: MenuEnd; readonly reason: string };

/** Typed ahead; who presses more is not listened to. */
const maxWaitingKeys = 32;

const left: MenuTurn = { kind: 'end', why: 'left', reason: 'No room was chosen in time.', say: [] };

export class MenuRun {
  readonly #options: MenuRunOptions;
  readonly #walk: MenuWalk;
  readonly #keys: string[] = [];
  #wake: () => void = () => undefined;
  /** While somebody is called. */
  #dialling: AbortController | undefined;

  constructor(options: MenuRunOptions) {
    this.#options = options;
    this.#walk = new MenuWalk(options.menu.menu, options.menu.language);
  }

  /** Pressed ahead of what is asked next. */
  get waitingKeys(): readonly string[] {
    return this.#keys;
  }

  press(key: string): void {
    if (this.#dialling) {
      // Nothing else is asked now; the ringing goes on.
      if (key === '*') this.#dialling.abort();
      return;
    }
    if (this.#keys.length < maxWaitingKeys) this.#keys.push(key);
    this.#options.leg.stopPlaying();
    this.#wake();
  }

  /** @throws GatewayError as the room that was chosen refuses; `closed` when the leg is gone */
  async run(): Promise<MenuOutcome> {
    const { leg, menu, signal, onStep } = this.#options;
    let turn = this.#walk.begin();
    for (;;) {
      if (this.#walk.language) leg.setLanguage(this.#walk.language);
      if (this.#walk.steps.length > 0) onStep(this.#walk.steps);
      if (signal.aborted) turn = left;
      switch (turn.kind) {
        case 'ask':
          turn = await this.#ask(turn.say);
          break;
        case 'find': {
          const found = await this.#find(turn);
          if (!('kind' in found)) return { kind: 'in', admittance: this.#spoken(found) };
          turn = found;
          break;
        }
        case 'dial': {
          const called = await this.#dial(turn);
          if (!('kind' in called)) return { kind: 'in', admittance: this.#spoken(called) };
          turn = called;
          break;
        }
        case 'room':
          return { kind: 'in', admittance: this.#spoken(await menu.enter(turn.room, turn.access)) };
        case 'end':
          if (turn.say.length > 0 && turn.why !== 'left') await this.#whole(leg.play(turn.say));
          return turn;
      }
    }
  }

  async #ask(say: readonly SpokenPrompt[]): Promise<MenuTurn> {
    const { leg, signal } = this.#options;
    // Who has typed ahead knows what is asked.
    let saying = say.length > 0 && this.#keys.length === 0 ? leg.play(say) : undefined;
    for (;;) {
      if (signal.aborted) return left;
      const key = this.#keys.shift();
      const turn = key === undefined ? undefined : this.#walk.press(key);
      if (turn) return turn;
      if (key !== undefined) continue;
      const isOver = await this.#nextKey(saying);
      if (isOver && !saying) return this.#walk.silence();
      if (isOver || this.#keys.length > 0) saying = undefined;
    }
  }

  /** @returns true for none: what was being said has been, or the time for one is over */
  async #nextKey(saying: Promise<boolean> | undefined): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { signal } = this.#options;
    const timer = saying ? undefined : setTimeout(() => resolve(true), this.#walk.waitMs);
    void saying?.then(() => resolve(true));
    const stop = () => resolve(false);
    this.#wake = stop;
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  async #find({ find, typed, rooms }: Extract<MenuTurn, { kind: 'find' }>): Promise<Admittance | MenuTurn> {
    const { menu } = this.#options;
    try {
      const found = await (find === 'pin' ? menu.findByPin(typed, rooms) : menu.findByNumber(typed));
      if (!found) return this.#walk.wrong();
      this.#walk.found(found.room.name);
      this.#options.onStep(this.#walk.steps);
      return found;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'rate_limited') return this.#walk.lockedOut();
      throw error;
    }
  }

  /** The caller hears it ring. */
  async #dial(turn: Extract<MenuTurn, { kind: 'dial' }>): Promise<Admittance | MenuTurn> {
    const { menu, leg, callId, signal, listenIn, onStep } = this.#options;
    const walk = this.#walk;
    const dialling = new AbortController();
    this.#dialling = dialling;
    this.#keys.length = 0;
    void leg.play([{ name: 'ringing' }], { isRepeated: true });
    const onCalling = (to: string, call: string) => {
      walk.calling(to, call);
      onStep(walk.steps);
    };
    const onEarlyMedia = (room: Room) => {
      leg.stopPlaying();
      return listenIn(room);
    };
    try {
      const typed = 'typed' in turn ? turn.typed : undefined;
      const anySignal = AbortSignal.any([signal, dialling.signal]);
      const watching = { onCalling, onEarlyMedia };
      const outcome = await menu.dial({ dial: turn.dial, typed, callId, signal: anySignal, ...watching });
      if (!outcome) return walk.wrong();
      if (outcome.kind !== 'answered') return walk.unanswered(outcome.kind, outcome.reason);
      walk.answered();
      onStep(walk.steps);
      return outcome.admittance;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'rate_limited') return walk.lockedOut();
      throw error;
    } finally {
      this.#dialling = undefined;
      leg.stopPlaying();
    }
  }

  /** To its end, or the end of the call's patience. */
  async #whole(saying: Promise<boolean>): Promise<void> {
    const { signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve(), { once: true });
    await Promise.race([saying, promise]);
  }

  /** What the caller chose counts more than what the room says. */
  #spoken(admittance: Admittance): Admittance {
    return { ...admittance, language: this.#walk.language ?? admittance.language };
  }
}
