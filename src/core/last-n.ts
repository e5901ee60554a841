// Owns: which videos a receiver gets when it may have only N. Pure.

export interface LastNCandidate<Id> {
  readonly id: Id;
  /** Pinned by the receiver, or a screen share: always sent and not counted. */
  readonly isExempt: boolean;
  /** 0 for whoever spoke last, growing with time since; Infinity for who never spoke. */
  readonly speakerRank: number;
}

/**
 * @param n how many besides the exempt; negative means all
 * @returns ids that are to flow; who never spoke comes in the order given, after everybody who did
 */
export function chooseLastN<Id>(candidates: readonly LastNCandidate<Id>[], n: number): ReadonlySet<Id> {
  if (n < 0) return new Set(candidates.map((candidate) => candidate.id));
  const ranked = candidates
    .filter((candidate) => !candidate.isExempt)
    .map((candidate, order) => ({ ...candidate, order }))
    // Two that never spoke have equal (infinite) ranks, whose difference is NaN: compare before subtracting.
    .sort((a, b) => (a.speakerRank === b.speakerRank ? a.order - b.order : a.speakerRank - b.speakerRank))
    .slice(0, n);
  return new Set([
    ...candidates.filter((candidate) => candidate.isExempt).map((candidate) => candidate.id),
    ...ranked.map((candidate) => candidate.id),
  ]);
}
