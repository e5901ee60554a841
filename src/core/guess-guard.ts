// Owns: how long who guesses wrongly has to wait. Pure but for its memory. May import: core only.
import { GatewayError } from './errors.ts';

export interface GuessGuardOptions {
  /** Wrong guesses that cost nothing yet. */
  readonly free: number;
  /** The first wait; each further wrong guess doubles it. */
  readonly firstWaitMs: number;
  readonly maxWaitMs: number;
  /** Without a guess for so long, all is forgotten. */
  readonly forgetMs: number;
  /** Named to who is refused: `wrong PINs from this address`. */
  readonly what: string;
  /** Beyond it those longest not seen are forgotten. */
  readonly maxKeys?: number;
}

interface Guesses {
  wrong: number;
  atMs: number;
  lockedUntilMs: number;
}

/** Who guesses on although it was told when it may: more than the wrong guess that locked it out. */
export class LockedOut extends GatewayError {}

/** A lock-out that grows, by key: an address, a room. Bounded memory, no timers. */
export class GuessGuard {
  readonly #options: Required<GuessGuardOptions>;
  readonly #nowMs: () => number;
  readonly #guesses = new Map<string, Guesses>();

  constructor(options: GuessGuardOptions, nowMs: () => number = () => performance.now()) {
    this.#options = { maxKeys: 50_000, ...options };
    this.#nowMs = nowMs;
  }

  /** @throws LockedOut (`rate_limited`) with `retryAfterMs` while it is locked out */
  check(key: string): void {
    const waitMs = (this.#known(key)?.lockedUntilMs ?? 0) - this.#nowMs();
    if (waitMs <= 0) return;
    const seconds = Math.ceil(waitMs / 1_000);
    throw new LockedOut('rate_limited', `Too many ${this.#options.what}; try again in ${seconds} s.`, {
      retryAfterMs: seconds * 1_000,
    });
  }

  /** @returns how long it has to wait now, milliseconds; 0 for not at all */
  noteWrong(key: string): number {
    const { free, firstWaitMs, maxWaitMs, maxKeys } = this.#options;
    const atMs = this.#nowMs();
    const wrong = (this.#known(key)?.wrong ?? 0) + 1;
    const waitMs = wrong < free ? 0 : Math.min(maxWaitMs, firstWaitMs * 2 ** Math.min(30, wrong - free));
    // Put in again, so that the map stays in order of the last guess.
    this.#guesses.delete(key);
    this.#guesses.set(key, { wrong, atMs, lockedUntilMs: atMs + waitMs });
    const [oldest] = this.#guesses.size > maxKeys ? this.#guesses.keys() : [];
    if (oldest !== undefined) this.#guesses.delete(oldest);
    return waitMs;
  }

  noteRight(key: string): void {
    this.#guesses.delete(key);
  }

  #known(key: string): Guesses | undefined {
    const found = this.#guesses.get(key);
    if (!found || this.#nowMs() - found.atMs < this.#options.forgetMs) return found;
    this.#guesses.delete(key);
    return undefined;
  }
}
