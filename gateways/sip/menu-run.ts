// Owns: a caller in a menu: plays what the menu says, hears keys, and finds the room. The call decides what comes of it.
import type { PromptLanguage, SpokenPrompt } from '#core/leg-media.ts';
import { type MenuEnd, type MenuStep, type MenuTurn, MenuWalk } from '#core/menu-walk.ts';
import type { PhoneMenu } from '#core/phone-menu.ts';
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
}

export interface MenuRunOptions {
  /** What it needs of the leg. */
  readonly leg: {
    play(prompts: readonly SpokenPrompt[]): Promise<boolean>;
    stopPlaying(): void;
    setLanguage(language: PromptLanguage): void;
  };
  readonly menu: CallMenu;
  readonly signal: AbortSignal;
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

  constructor(options: MenuRunOptions) {
    this.#options = options;
    this.#walk = new MenuWalk(options.menu.menu, options.menu.language);
  }

  /** Pressed ahead of what is asked next. */
  get waitingKeys(): readonly string[] {
    return this.#keys;
  }

  press(key: string): void {
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
