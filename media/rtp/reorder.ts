// Owns: bringing RTP packets back into the order in which they were sent, waiting no longer than is worth it.
import type { RtpPacket } from './packet.ts';
import { extendSeq } from './sequence.ts';

export interface ReorderOptions {
  /** What is missing is given up after so long. */
  readonly maxWaitUs: number;
  readonly maxPackets: number;
}

/** A step beyond this is a sender that began anew, not a loss. */
const maxStep = 3_000;

/**
 * Packets go out in order and each once. Time is given by the caller: `push` and `expire` say what it is now.
 * Of network jitter it takes out nothing: frames carry their time.
 */
export class ReorderBuffer {
  readonly #options: ReorderOptions;
  readonly #held = new Map<number, { packet: RtpPacket; sinceUs: number }>();
  #next: number | undefined;
  #ssrc = 0;
  #lost = 0;
  #late = 0;

  constructor(options: ReorderOptions) {
    this.#options = options;
  }

  get lost(): number {
    return this.#lost;
  }

  /** Doubles, and what came after it was given up. */
  get late(): number {
    return this.#late;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Sequence numbers to ask for again, between what went out and what is held. */
  get missing(): number[] {
    if (this.#next === undefined || this.#held.size === 0) return [];
    const last = Math.max(...this.#held.keys());
    const numbers: number[] = [];
    for (let at = this.#next; at < last; at++) if (!this.#held.has(at)) numbers.push(at & 0xffff);
    return numbers;
  }

  push(packet: RtpPacket, nowUs: number, emit: (packet: RtpPacket) => void): void {
    const at = this.#place(packet);
    if (this.#next === undefined || at === undefined) return;
    if (at < this.#next || this.#held.has(at)) {
      this.#late += 1;
      return;
    }
    if (at === this.#next) {
      this.#next += 1;
      emit(packet);
      this.#release(emit);
    } else {
      this.#held.set(at, { packet, sinceUs: nowUs });
    }
    this.expire(nowUs, emit);
  }

  /** Gives up what has been waited for long enough. */
  expire(nowUs: number, emit: (packet: RtpPacket) => void): void {
    while (this.#held.size > 0) {
      const first = Math.min(...this.#held.keys());
      const { sinceUs } = this.#held.get(first) ?? { sinceUs: 0 };
      const isPatient = nowUs - sinceUs < this.#options.maxWaitUs && this.#held.size <= this.#options.maxPackets;
      if (isPatient) return;
      this.#lost += first - (this.#next ?? first);
      this.#next = first;
      this.#release(emit);
    }
  }

  #place(packet: RtpPacket): number | undefined {
    const { sequenceNumber, ssrc } = packet;
    const at = this.#next === undefined ? sequenceNumber : extendSeq(sequenceNumber, this.#next);
    const isNew = this.#next === undefined || ssrc !== this.#ssrc || Math.abs(at - this.#next) > maxStep;
    if (!isNew) return at;
    this.#held.clear();
    this.#ssrc = ssrc;
    // Away from zero, so that an early packet of the first has a place too.
    this.#next = sequenceNumber + 65_536;
    return this.#next;
  }

  #release(emit: (packet: RtpPacket) => void): void {
    for (;;) {
      const held = this.#next === undefined ? undefined : this.#held.get(this.#next);
      if (!held || this.#next === undefined) return;
      this.#held.delete(this.#next);
      this.#next += 1;
      emit(held.packet);
    }
  }
}
