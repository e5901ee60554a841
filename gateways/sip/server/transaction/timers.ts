// Owns: the state machines of RFC 3261 §17 with the corrections of RFC 6026. May import: message/, transport/, core.

/** RFC 3261 §17, table 4; everything else is made of these. */
export interface TimerSettings {
  /** Round-trip estimate, ms. */
  readonly t1Ms: number;
  /** Longest interval between retransmissions, ms. */
  readonly t2Ms: number;
  /** How long a message stays in the network, ms. */
  readonly t4Ms: number;
}

export const defaultTimers: TimerSettings = { t1Ms: 500, t2Ms: 4000, t4Ms: 5000 };

/** Timers B, F, H, J, L, M: when the other side is given up. */
export function giveUpMs({ t1Ms }: TimerSettings): number {
  return 64 * t1Ms;
}
