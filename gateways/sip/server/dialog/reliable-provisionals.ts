import type { SipMessage } from '../message/message.ts';
import { type RetransmissionOptions, retransmit } from './retransmission.ts';

/** The reliable provisional responses to one INVITE: their numbers, and their repetition until PRACK (RFC 3262 §3). */
export class ReliableProvisionals {
  readonly #cseq: number | undefined;
  #number = 0;
  /** How to stop the repetition of each that waits for its PRACK. */
  readonly #waiting = new Map<number, () => void>();

  /** @param cseq of the INVITE */
  constructor(cseq: number | undefined) {
    this.#cseq = cseq;
  }

  /** RSeq of the next one. */
  nextNumber(): number {
    this.#number = this.#number === 0 ? 1 + Math.floor(Math.random() * 0x7fff_ffff) : this.#number + 1;
    return this.#number;
  }

  /** Of the response that took the last number. */
  repeat(options: Omit<RetransmissionOptions, 'isCapped'>): void {
    this.#waiting.set(this.#number, retransmit({ ...options, isCapped: false }));
  }

  /** @returns whether RAck names one that waits, by its RSeq and the CSeq of the INVITE (RFC 3262 §7.2) */
  acknowledge(prack: SipMessage): boolean {
    const found = /^(\d{1,10})\s+(\d{1,10})\s+(\S+)$/.exec(prack.get('rack') ?? '');
    const stop = this.#waiting.get(Number(found?.[1]));
    if (!found || !stop || Number(found[2]) !== this.#cseq || found[3] !== 'INVITE') return false;
    stop();
    this.#waiting.delete(Number(found[1]));
    return true;
  }

  stop(): void {
    for (const stop of this.#waiting.values()) stop();
    this.#waiting.clear();
  }
}

export function supportsReliable(request: SipMessage): boolean {
  return request.tokens('supported').includes('100rel') || request.tokens('require').includes('100rel');
}
