// Owns: frames that are not to be seen yet: kept compressed until it is time. Pure. May import: media/rtp.
import type { RtpFrame } from '../rtp/depacketise.ts';

/** Beyond it they are let through: a delay that asks for more is wrong. */
const maxHeld = 120;

interface Held {
  readonly frame: RtpFrame;
  readonly capturedUs: number;
}

/** In the order in which they came, whatever their times say: each needs the one before. */
export class HeldFrames {
  #held: Held[] = [];
  delayUs = 0;

  push(frame: RtpFrame, capturedUs: number): void {
    this.#held.push({ frame, capturedUs });
  }

  /** @returns those whose time has come at `nowUs` */
  take(nowUs: number): readonly RtpFrame[] {
    let count = Math.max(0, this.#held.length - maxHeld);
    while (count < this.#held.length && this.#isDue(this.#held[count] as Held, nowUs)) count += 1;
    return count === 0 ? [] : this.#held.splice(0, count).map(({ frame }) => frame);
  }

  #isDue({ capturedUs }: Held, nowUs: number): boolean {
    return this.delayUs === 0 || capturedUs + this.delayUs <= nowUs;
  }

  clear(): void {
    this.#held = [];
  }
}
