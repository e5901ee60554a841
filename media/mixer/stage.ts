// Owns: who of a view's inputs is seen, in which order, who is primary, who waits. Pure: time is told by the caller.
// May import: nothing.

export interface StageMember {
  readonly id: number;
  /** Shared from a screen: goes before everything else in layouts that say so. */
  readonly isShared: boolean;
}

export interface StageOptions {
  readonly maxInputs: number;
  /** Who speaks becomes primary. */
  readonly isVoicePrimary: boolean;
  /** What is shared goes first, and the newest of it. */
  readonly isShareFirst: boolean;
}

/** Somebody who coughs is not primary: so long must one speak, and so long is the last one kept. */
export const settleMs = 800;
export const holdMs = 2_500;

/**
 * One list: the first is primary, and what lies beyond the number of places waits. Somebody who waits and speaks changes
 * places with whoever of those seen has not spoken for the longest time.
 */
export class Stage {
  #members: StageMember[] = [];
  #options: StageOptions;
  #pinned: number | undefined;
  #speaker: number | undefined;
  #speakerSinceMs = 0;
  #promotedAtMs = Number.NEGATIVE_INFINITY;
  readonly #spokeAtMs = new Map<number, number>();

  constructor(options: StageOptions) {
    this.#options = options;
  }

  get order(): readonly number[] {
    return this.#members.map(({ id }) => id);
  }

  get pinned(): number | undefined {
    return this.#pinned;
  }

  get speaker(): number | undefined {
    return this.#speaker;
  }

  setOptions(options: StageOptions): void {
    this.#options = options;
  }

  add(member: StageMember): void {
    const at = this.#members.findIndex(({ id }) => id === member.id);
    if (at >= 0) this.#members[at] = member;
    else this.#members.push(member);
  }

  remove(id: number): void {
    this.#members = this.#members.filter((member) => member.id !== id);
    this.#spokeAtMs.delete(id);
    if (this.#pinned === id) this.#pinned = undefined;
    if (this.#speaker === id) this.#speaker = undefined;
  }

  /** Those that it names come first, in its order; the others keep theirs. */
  reorder(ids: readonly number[]): void {
    const named = [...new Set(ids)].flatMap((id) => this.#members.find((member) => member.id === id) ?? []);
    this.#members = [...named, ...this.#members.filter((member) => !named.includes(member))];
  }

  swap(a: number, b: number): void {
    const [atA, atB] = [this.#indexOf(a), this.#indexOf(b)];
    const [memberA, memberB] = [this.#members[atA], this.#members[atB]];
    if (!memberA || !memberB) return;
    this.#members[atA] = memberB;
    this.#members[atB] = memberA;
  }

  setPrimary(id: number): void {
    const first = this.#members[0];
    if (first) this.swap(first.id, id);
  }

  /** Primary until it is unpinned, whoever speaks. */
  pin(id: number | undefined): void {
    this.#pinned = id !== undefined && this.#indexOf(id) >= 0 ? id : undefined;
    if (this.#pinned !== undefined) this.setPrimary(this.#pinned);
  }

  /** @param id undefined: nobody speaks */
  speak(id: number | undefined, nowMs: number): void {
    if (id !== undefined && this.#indexOf(id) < 0) return;
    if (this.#speaker !== undefined) this.#spokeAtMs.set(this.#speaker, nowMs);
    if (id !== undefined) this.#spokeAtMs.set(id, nowMs);
    if (id === this.#speaker) return;
    this.#speaker = id;
    this.#speakerSinceMs = nowMs;
  }

  /** Lets voice have its way. @returns whether the order has changed */
  step(nowMs: number, places: number): boolean {
    const id = this.#speaker;
    if (id === undefined || nowMs - this.#speakerSinceMs < settleMs) return false;
    const before = this.order.join();
    const isWaiting = this.waiting(places).some((member) => member.id === id);
    if (isWaiting) this.swap(id, this.#quietest(places) ?? id);
    const mayLead = this.#options.isVoicePrimary && this.#pinned === undefined;
    if (mayLead && this.#members[0]?.id !== id && nowMs - this.#promotedAtMs >= holdMs) {
      this.setPrimary(id);
      this.#promotedAtMs = nowMs;
    }
    return this.order.join() !== before;
  }

  /** What is seen, primary first. @param places that the layout has */
  seen(places: number): StageMember[] {
    return this.#arranged().slice(0, this.#seenCount(places));
  }

  waiting(places: number): StageMember[] {
    return this.#arranged().slice(this.#seenCount(places));
  }

  get count(): number {
    return this.#members.length;
  }

  #seenCount(places: number): number {
    return Math.min(places, this.#options.maxInputs);
  }

  #arranged(): StageMember[] {
    if (!this.#options.isShareFirst) return [...this.#members];
    const pinned = this.#members.filter(({ id }) => id === this.#pinned);
    const shared = this.#members.filter((member) => member.isShared && !pinned.includes(member)).reverse();
    const others = this.#members.filter((member) => !member.isShared && !pinned.includes(member));
    return [...pinned, ...shared, ...others];
  }

  /** Of those seen, without the primary, the pinned and what is shared; of equals the last. */
  #quietest(places: number): number | undefined {
    const candidates = this.seen(places).slice(this.#seenCount(places) > 1 ? 1 : 0);
    const spokeAt = ({ id }: StageMember) => this.#spokeAtMs.get(id) ?? Number.NEGATIVE_INFINITY;
    return candidates
      .filter(({ id, isShared }) => id !== this.#pinned && !isShared)
      .toReversed()
      .toSorted((a, b) => spokeAt(a) - spokeAt(b))
      .at(0)?.id;
  }

  #indexOf(id: number): number {
    return this.#members.findIndex((member) => member.id === id);
  }
}
