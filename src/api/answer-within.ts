// Owns: waiting with an end. May import: nothing of ours.

/** @returns undefined when it fails or does not answer in time: the rest of what is being told is still good */
export async function answerWithin<T>(timeoutMs: number, question: () => Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), Math.max(1, timeoutMs));
  try {
    return await Promise.race([question(), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
