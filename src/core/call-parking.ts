// Owns: the words for calls that are moved and parked. Types only. May import: core only.

/** A call that waits with music until somebody fetches it. */
export interface ParkedInfo {
  /** What is dialled to fetch it. */
  readonly slot: string;
  readonly sinceMs: number;
  /** Goes back to the room that it was parked from then. */
  readonly untilMs: number;
}
