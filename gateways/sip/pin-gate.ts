// Owns: asking a caller for the PIN by voice and keys. The call decides what comes of it.
import type { PromptName } from '#core/leg-media.ts';

export interface PinGateOptions {
  /** What it needs of the leg. */
  readonly leg: {
    play(prompts: readonly PromptName[]): Promise<boolean>;
    stopPlaying(): void;
  };
  readonly pin: string;
  /** Whether typed digits are the PIN; counts wrong ones. @throws when no more may be tried for now */
  readonly guess: (typed: string) => boolean;
  readonly signal: AbortSignal;
  readonly tries?: number;
  /** Until the first key, counted from the end of the question. */
  readonly firstKeyMs?: number;
  /** After a key: what was typed until then is taken. */
  readonly nextKeyMs?: number;
}

export type PinGateOutcome = 'right' | 'wrong' | 'silent' | 'locked_out' | 'left';

/** Longer than any PIN: what is typed beyond is a wrong one. */
const maxTyped = 17;

/**
 *   asking ──keys──> typing ──#, the whole PIN or a pause──> right | asking again | wrong
 *      └────────────────────no key─────────────────────────> asking again | silent
 *
 * Keys may be pressed into the question. `*` begins anew.
 */
export class PinGate {
  readonly #options: Required<PinGateOptions>;
  #typed = '';
  #isComplete = false;
  #onKey: () => void = () => undefined;

  constructor(options: PinGateOptions) {
    this.#options = { tries: 3, firstKeyMs: 10_000, nextKeyMs: 5_000, ...options };
  }

  press(key: string): void {
    this.#options.leg.stopPlaying();
    if (key === '*') this.#typed = '';
    else if (key === '#') this.#isComplete = this.#typed !== '';
    else if (/^\d$/.test(key) && !this.#isComplete) {
      this.#typed = (this.#typed + key).slice(0, maxTyped);
      this.#isComplete = this.#typed === this.#options.pin;
    }
    this.#onKey();
  }

  async run(): Promise<PinGateOutcome> {
    const { tries, guess, signal, leg } = this.#options;
    let question: readonly PromptName[] = ['welcome', 'enter_pin'];
    let wasTyped = false;
    for (let attempt = 1; attempt <= tries; attempt++) {
      if (signal.aborted) return 'left';
      const typed = await this.#ask(question);
      if (signal.aborted) return 'left';
      question = ['enter_pin'];
      if (typed === '') continue;
      wasTyped = true;
      try {
        if (guess(typed)) return 'right';
      } catch {
        // The reason is with the guard; the caller hears that it was wrong and is let go.
        await leg.play(['wrong_pin']);
        return 'locked_out';
      }
      question = ['wrong_pin'];
    }
    if (wasTyped) await leg.play(['wrong_pin']);
    return wasTyped ? 'wrong' : 'silent';
  }

  /** @returns what was typed; empty when nothing was */
  async #ask(question: readonly PromptName[]): Promise<string> {
    const { leg, firstKeyMs, nextKeyMs, signal } = this.#options;
    let isOver = this.#isComplete;
    // Typed before the question was asked, with `#` after it: answers it.
    const asked = isOver || this.#typed !== '' ? Promise.resolve() : leg.play(question);
    const key = () => new Promise<void>((resolve) => (this.#onKey = resolve));
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([asked, key(), ended]);
    while (!isOver && !this.#isComplete && !signal.aborted) {
      const waitMs = this.#typed === '' ? firstKeyMs : nextKeyMs;
      const wait = Promise.withResolvers<void>();
      const timer = setTimeout(wait.resolve, waitMs);
      const pressed = key().then(() => true);
      const wasPressed = await Promise.race([pressed, wait.promise.then(() => false), ended.then(() => true)]);
      clearTimeout(timer);
      isOver = !wasPressed;
    }
    const typed = this.#typed;
    this.#typed = '';
    this.#isComplete = false;
    return typed;
  }
}
