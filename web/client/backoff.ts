// Owns: how long to wait before trying again. Pure.

export interface BackoffOptions {
  /** Ceiling of the first wait, milliseconds. */
  readonly firstMs: number;
  /** Ceiling of any wait, milliseconds. */
  readonly maxMs: number;
}

const reconnectBackoff: BackoffOptions = { firstMs: 400, maxMs: 8_000 };

/**
 * Doubles its ceiling with each try and waits between half of it and all of it: a thousand clients of a server that
 * restarts must not come back in the same millisecond, and none is to wait next to nothing again and again.
 * @param attempt 1 for the first
 * @param random 0 ≤ random < 1
 * @returns milliseconds
 */
export function backoffMs(attempt: number, random: number, options: BackoffOptions = reconnectBackoff): number {
  const ceiling = Math.min(options.maxMs, options.firstMs * 2 ** Math.max(0, attempt - 1));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
