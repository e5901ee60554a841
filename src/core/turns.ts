// Owns: work that is done one after the other, in the order in which it was asked for. May import: nothing.

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** What failed does not keep the next from its turn: whoever asked for it is told. */
  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
