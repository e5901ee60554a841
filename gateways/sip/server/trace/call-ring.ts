import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import type { LadderMessage } from './ladder.ts';

export interface Noted {
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly direction: 'in' | 'out';
  readonly flow: Flow;
}

/** What most calls come to. */
const usualBytes = 4_096;

/**
 * The messages of one call. Its memory is used again for another call once this one is forgotten, and holds no object for
 * each message: hundreds of calls live just so long that the collector of garbage has to carry all of it about.
 */
export class CallRing {
  callId = '';
  /** Of messages that made room for later ones. */
  droppedCount = 0;
  #bytes = Buffer.allocUnsafeSlow(usualBytes);
  #usedBytes = 0;
  /** Of what follows, so much is of this call. */
  #size = 0;
  readonly #atMs: number[] = [];
  readonly #isOut: boolean[] = [];
  readonly #flows: (Flow | undefined)[] = [];
  /** Of each message, one after the other in the bytes. */
  readonly #lengths: number[] = [];
  /** Of those that were put into words. */
  readonly #words: (LadderMessage | undefined)[] = [];

  get size(): number {
    return this.#size;
  }

  /** For another call. */
  clear(): void {
    this.#flows.fill(undefined, 0, this.#size);
    this.#words.fill(undefined, 0, this.#size);
    this.droppedCount = this.#usedBytes = this.#size = 0;
    if (this.#bytes.length > 2 * usualBytes) this.#bytes = Buffer.allocUnsafeSlow(usualBytes);
  }

  /** @param kept bytes and messages are copied */
  add({ atMs, direction, flow }: Noted, kept: Buffer | SipMessage | LadderMessage): void {
    const at = this.#size++;
    this.#atMs[at] = atMs;
    this.#isOut[at] = direction === 'out';
    this.#flows[at] = sameAs(this.#flows[at - 1], flow);
    const isWorded = 'text' in kept;
    this.#words[at] = isWorded ? kept : undefined;
    if (isWorded) this.#lengths[at] = 0;
    else this.#lengths[at] = Buffer.isBuffer(kept) ? this.#copy(kept) : this.#copy(kept.toBuffer());
  }

  /** @param index from the beginning, from 0 */
  drop(index: number): void {
    const lengths = this.#lengths;
    let start = 0;
    for (let i = 0; i < index; i++) start += lengths[i] ?? 0;
    const length = lengths[index] ?? 0;
    this.#bytes.copyWithin(start, start + length, this.#usedBytes);
    this.#usedBytes -= length;
    this.#size--;
    this.droppedCount++;
    for (const list of [this.#atMs, this.#isOut, this.#flows, lengths, this.#words]) list.copyWithin(index, index + 1);
  }

  /** In order; the bytes are good until the next message. */
  notes(): (Noted & { readonly kept: Buffer | LadderMessage })[] {
    const notes = [];
    let end = 0;
    for (let i = 0; i < this.#size; i++) {
      const flow = this.#flows[i];
      const start = end;
      end += this.#lengths[i] ?? 0;
      const kept = this.#words[i] ?? this.#bytes.subarray(start, end);
      const direction = this.#isOut[i] ? ('out' as const) : ('in' as const);
      if (flow) notes.push({ atMs: this.#atMs[i] ?? 0, direction, flow, kept });
    }
    return notes;
  }

  /** @returns how many */
  #copy(bytes: Buffer): number {
    const needed = this.#usedBytes + bytes.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#usedBytes));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#usedBytes);
    this.#usedBytes = needed;
    return bytes.length;
  }
}

/** The one of before where it leads to the same peer: each datagram has a flow of its own. */
function sameAs(before: Flow | undefined, flow: Flow): Flow {
  const isSame =
    before?.protocol === flow.protocol &&
    before.remoteAddress === flow.remoteAddress &&
    before.remotePort === flow.remotePort &&
    before.isReliable === flow.isReliable &&
    !flow.isReliable;
  return isSame ? before : flow;
}
