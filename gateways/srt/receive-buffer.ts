// Owns: packets that have come and wait for their time or for those missing before them. Pure. May import: sequence.
import { extendSequence } from './sequence.ts';

export interface BufferedPacket {
  readonly payload: Buffer;
  readonly dueUs: number;
}

interface Loss {
  /** When the sender was last told. */
  reportedUs: number;
}

export type Arrival =
  | 'stored'
  /** It came before. */
  | 'duplicate'
  /** Its time is over: what comes after it has been handed on. */
  | 'late'
  /** Further ahead than the window; or there are too many bytes waiting. */
  | 'beyond';

export interface ReceiveBufferOptions {
  readonly initialSequenceNumber: number;
  /** A power of two. */
  readonly windowPackets: number;
  readonly maxBytes: number;
}

/**
 * A window over extended sequence numbers: what is before `#next` is over, what lies between it and `#end` has either
 * come or is in the list of losses.
 *
 *     handed on or given up │ next: here, lost, here … │ end: not sent yet, for all we know
 */
export class ReceiveBuffer {
  readonly #slots: (BufferedPacket | undefined)[];
  readonly #mask: number;
  readonly #maxBytes: number;
  /** Rising: what is lost later is further ahead. */
  readonly #losses = new Map<number, Loss>();
  #next: number;
  #end: number;
  /** The first that is here; undefined when none is. */
  #first: number | undefined;
  #bytes = 0;
  #count = 0;
  /** Never handed on: their time was over. */
  droppedPackets = 0;

  constructor({ initialSequenceNumber, windowPackets, maxBytes }: ReceiveBufferOptions) {
    this.#slots = Array.from({ length: windowPackets }, () => undefined);
    this.#mask = windowPackets - 1;
    this.#maxBytes = maxBytes;
    this.#next = initialSequenceNumber;
    this.#end = initialSequenceNumber;
  }

  /** Extended number of the first packet that is missing: all before it have come or are given up. */
  get acknowledged(): number {
    for (const lost of this.#losses.keys()) return lost;
    return this.#end;
  }

  get freePackets(): number {
    return this.#slots.length - (this.#end - this.#next);
  }

  get waitingPackets(): number {
    return this.#count;
  }

  get lossCount(): number {
    return this.#losses.size;
  }

  extend(sequenceNumber: number): number {
    return extendSequence(sequenceNumber, this.#end);
  }

  /**
   * @param number extended
   * @returns what became of it; `gap` are numbers that are missed for the first time, and count as reported now
   */
  put(
    number: number,
    packet: BufferedPacket,
    nowUs: number,
  ): { readonly arrival: Arrival; readonly gap?: readonly number[] } {
    if (number < this.#next) return { arrival: 'late' };
    if (number >= this.#next + this.#slots.length) {
      if (this.#count > 0) return { arrival: 'beyond' };
      this.#jumpTo(number); // after an outage that was longer than the window
    }
    if (this.#slots[number & this.#mask]) return { arrival: 'duplicate' };
    if (this.#bytes + packet.payload.length > this.#maxBytes) return { arrival: 'beyond' };
    const gap: number[] = [];
    for (let missing = this.#end; missing < number; missing += 1) {
      this.#losses.set(missing, { reportedUs: nowUs });
      gap.push(missing);
    }
    this.#losses.delete(number);
    this.#slots[number & this.#mask] = packet;
    this.#end = Math.max(this.#end, number + 1);
    this.#first = Math.min(this.#first ?? number, number);
    this.#bytes += packet.payload.length;
    this.#count += 1;
    return gap.length > 0 ? { arrival: 'stored', gap } : { arrival: 'stored' };
  }

  /** When the next packet that is here is due; undefined when none is. */
  get nextDueUs(): number | undefined {
    return this.#first === undefined ? undefined : this.#slots[this.#first & this.#mask]?.dueUs;
  }

  /** @returns the next packet whose time has come, those missing before it given up; undefined when there is none */
  take(nowUs: number): Buffer | undefined {
    const first = this.#first;
    const packet = first === undefined ? undefined : this.#slots[first & this.#mask];
    if (first === undefined || !packet || packet.dueUs > nowUs) return undefined;
    this.#giveUpBefore(first);
    this.#slots[first & this.#mask] = undefined;
    this.#next = first + 1;
    this.#bytes -= packet.payload.length;
    this.#count -= 1;
    this.#first = this.#firstFrom(this.#next);
    return packet.payload;
  }

  /** The sender has given up on these: they are not waited for. Extended numbers, the last included. */
  drop(first: number, last: number): void {
    const from = Math.max(first, this.#next);
    const to = Math.min(last, this.#next + this.#slots.length - 1);
    if (from > to) return;
    // Numbers that were never seen are missed from now on, so that dropping them leaves no hole without a loss.
    for (let missing = this.#end; missing < from; missing += 1) this.#losses.set(missing, { reportedUs: 0 });
    for (let number = from; number <= to; number += 1) this.#losses.delete(number);
    this.#end = Math.max(this.#end, to + 1);
  }

  /** @returns what is lost and was not reported since `sinceUs`, rising, and notes it as reported */
  report(sinceUs: number, nowUs: number): number[] {
    const due: number[] = [];
    for (const [number, loss] of this.#losses) {
      if (loss.reportedUs > sinceUs) continue;
      loss.reportedUs = nowUs;
      due.push(number);
    }
    return due;
  }

  clear(): void {
    this.#slots.fill(undefined);
    this.#losses.clear();
    this.#next = this.#end;
    this.#first = undefined;
    this.#bytes = 0;
    this.#count = 0;
  }

  #firstFrom(from: number): number | undefined {
    if (this.#count === 0) return undefined;
    for (let number = from; number < this.#end; number += 1) {
      if (this.#slots[number & this.#mask]) return number;
    }
    return undefined;
  }

  #giveUpBefore(number: number): void {
    this.droppedPackets += number - this.#next;
    for (const lost of this.#losses.keys()) {
      if (lost >= number) break;
      this.#losses.delete(lost);
    }
  }

  #jumpTo(number: number): void {
    this.droppedPackets += number - this.#next;
    this.#losses.clear();
    this.#next = number;
    this.#end = number;
  }
}
