// Owns: when a failed delivery is tried again. Pure.

export interface BackoffSettings {
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
}

/**
 * Doubles up to the longest wait; between half of that and all of it by chance, so that receivers that come back are not
 * met by everybody at once.
 * @param failures so far, from 1
 * @param random 0..1
 */
export function retryDelayMs(failures: number, { firstRetryMs, maxRetryMs }: BackoffSettings, random: number): number {
  const longestMs = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 40));
  return Math.round(longestMs * (0.5 + random / 2));
}
