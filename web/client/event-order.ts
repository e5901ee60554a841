// Owns: which numbered events have been seen. Pure.

export type Verdict =
  /** Next in line, or without a number: act on it. */
  | 'apply'
  /** Seen before; a resume replays from what the server believes we have. */
  | 'repeat'
  /** Something in between is missing: resume from `lastSeq`. */
  | 'gap';

/** The server numbers what it can replay from 1, without gaps; transient events carry no number. */
export class EventOrder {
  #lastSeq = 0;

  /** What to show to `resume`. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  judge(seq: number | undefined): Verdict {
    if (seq === undefined) return 'apply';
    if (seq <= this.#lastSeq) return 'repeat';
    if (seq > this.#lastSeq + 1) return 'gap';
    this.#lastSeq = seq;
    return 'apply';
  }
}
