// Owns: work on all of something that may be much, without anything else having to wait for it. May import: nothing.

/** The event loop does what else there is to do. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Does one part at once and each further one in a turn of its own.
 *
 * @param part does the part that begins there and says where the next one does; undefined when there is none
 * @param onFailed what a part has thrown; the rest is left
 */
export function inParts(part: (from: number) => number | undefined, onFailed: (thrown: unknown) => void): void {
  const go = (from: number): void => {
    try {
      const next = part(from);
      if (next !== undefined) setImmediate(go, next);
    } catch (thrown) {
      onFailed(thrown);
    }
  };
  go(0);
}
