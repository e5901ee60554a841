// Owns: packets that are to be sent or have been and are not confirmed yet. Pure. May import: packet.
import { markRetransmitted } from './packet.ts';

export interface SentPacket {
  /** Whole, as it goes out. */
  readonly datagram: Buffer;
  /** When the application gave it. */
  readonly bornUs: number;
  /** When it last went out again; undefined while it has not. */
  resentUs: number | undefined;
}

/**
 * A window over extended sequence numbers:
 *
 *     confirmed │ first: in flight … │ unsent: waiting for their turn … │ end
 */
export class SendBuffer {
  readonly #packets: (SentPacket | undefined)[];
  readonly #mask: number;
  /** What the peer misses, in the order of its complaints. */
  readonly #losses = new Set<number>();
  #first: number;
  #unsent: number;
  #end: number;
  #bytes = 0;
  #unsentBytes = 0;

  /** @param windowPackets a power of two */
  constructor(initialSequenceNumber: number, windowPackets: number) {
    this.#packets = Array.from({ length: windowPackets }, () => undefined);
    this.#mask = windowPackets - 1;
    this.#first = initialSequenceNumber;
    this.#unsent = initialSequenceNumber;
    this.#end = initialSequenceNumber;
  }

  /** Extended number that the next packet gets. */
  get end(): number {
    return this.#end;
  }

  get first(): number {
    return this.#first;
  }

  get inFlight(): number {
    return this.#unsent - this.#first;
  }

  get queuedPackets(): number {
    return this.#end - this.#first;
  }

  get unsentPackets(): number {
    return this.#end - this.#unsent;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.queuedPackets >= this.#packets.length;
  }

  get hasLosses(): boolean {
    return this.#losses.size > 0;
  }

  get oldest(): SentPacket | undefined {
    return this.#first < this.#end ? this.#packets[this.#first & this.#mask] : undefined;
  }

  /** With the number `end`; not when full. */
  add(datagram: Buffer, bornUs: number): void {
    this.#packets[this.#end & this.#mask] = { datagram, bornUs, resentUs: undefined };
    this.#end += 1;
    this.#bytes += datagram.length;
    this.#unsentBytes += datagram.length;
  }

  /** @param number extended; all before it have arrived. @returns whether that is news */
  confirm(number: number): boolean {
    if (number <= this.#first || number > this.#unsent) return false;
    this.#dropBefore(number);
    return true;
  }

  /** Gives up on the oldest, sent or not. */
  dropOldest(): void {
    this.#dropBefore(this.#first + 1);
  }

  /** Complaints count for what is in flight and was not sent again since `sinceUs`. Extended, the last included. */
  noteLost(first: number, last: number, sinceUs: number): void {
    const to = Math.min(last, this.#unsent - 1);
    for (let number = Math.max(first, this.#first); number <= to; number += 1) {
      const { resentUs } = this.#packets[number & this.#mask] ?? {};
      if (resentUs === undefined || resentUs < sinceUs) this.#losses.add(number);
    }
  }

  /** @returns the packet to send next, those first that are missed; undefined when there is none */
  next(nowUs: number, maySendNew: boolean): { readonly datagram: Buffer; readonly isAgain: boolean } | undefined {
    for (const number of this.#losses) {
      this.#losses.delete(number);
      const packet = this.#packets[number & this.#mask];
      if (!packet) continue;
      packet.resentUs = nowUs;
      markRetransmitted(packet.datagram);
      return { datagram: packet.datagram, isAgain: true };
    }
    const packet = maySendNew && this.#unsent < this.#end ? this.#packets[this.#unsent & this.#mask] : undefined;
    if (!packet) return undefined;
    this.#unsent += 1;
    this.#unsentBytes -= packet.datagram.length;
    return { datagram: packet.datagram, isAgain: false };
  }

  #dropBefore(number: number): void {
    for (; this.#first < number; this.#first += 1) {
      const bytes = this.#packets[this.#first & this.#mask]?.datagram.length ?? 0;
      this.#bytes -= bytes;
      if (this.#first >= this.#unsent) this.#unsentBytes -= bytes;
      this.#packets[this.#first & this.#mask] = undefined;
      this.#losses.delete(this.#first);
    }
    this.#unsent = Math.max(this.#unsent, this.#first);
  }
}
