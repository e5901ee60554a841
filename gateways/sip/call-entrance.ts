// Owns: the way of a call from its answer into the room: its PIN, and who has to let it in.
import type { CallEnd } from '#core/call.ts';
import { type GatewayError, toGatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import type { PromptName } from '#core/leg-media.ts';
import type { Logger } from '#core/ports.ts';
import { farewellFor, gateEnds } from './call-ends.ts';
import type { SipCallOptions } from './call-options.ts';
import { PinGate } from './pin-gate.ts';

/** A caller that keeps pressing `*` is not listened to for ever. */
const maxGateMs = 120_000;

/** What of the call it comes to. */
export interface EntranceOwner {
  readonly signal: AbortSignal;
  /** It has ended, or is about to. */
  readonly isOver: boolean;
  readonly isInRoom: boolean;
  /** It hears music until it is let in. */
  waits(): void;
  goIn(leg: Leg): void;
  finish(end: CallEnd, farewell: readonly PromptName[]): void;
  fail(error: GatewayError, sipStatus: undefined, farewell: readonly PromptName[]): void;
}

export type EntranceOptions = Pick<SipCallOptions, 'gate' | 'lobby' | 'from'>;

export class CallEntrance {
  readonly #owner: EntranceOwner;
  readonly #options: EntranceOptions;
  readonly #log: Logger;
  #gate: PinGate | undefined;
  #isPastGate: boolean;
  #isAtDoor = false;

  constructor(owner: EntranceOwner, options: EntranceOptions, log: Logger) {
    this.#owner = owner;
    this.#options = options;
    this.#log = log;
    this.#isPastGate = options.gate === undefined;
  }

  /** No PIN is asked for, or it was typed. */
  get isPastGate(): boolean {
    return this.#isPastGate;
  }

  /** Somebody had to let it in. */
  get wasKeptWaiting(): boolean {
    return this.#isAtDoor;
  }

  /** @returns whether the key was for the PIN */
  press(digit: string): boolean {
    this.#gate?.press(digit);
    return this.#gate !== undefined;
  }

  /** As far as it may now: called when it is answered, and with what was agreed. */
  proceed(leg: Leg): void {
    const { gate } = this.#options;
    if (this.#isPastGate) this.#enter(leg);
    else if (gate && !this.#gate) void this.#ask(gate, leg);
  }

  async #ask({ pin, guess }: NonNullable<EntranceOptions['gate']>, leg: Leg): Promise<void> {
    const owner = this.#owner;
    const signal = AbortSignal.any([owner.signal, AbortSignal.timeout(maxGateMs)]);
    this.#gate = new PinGate({ leg, pin, guess, signal });
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
    const { lobby } = this.#options;
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
