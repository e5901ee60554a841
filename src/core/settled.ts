// Owns: waiting for what changes, in bounds. May import: core only.
import type { EventEmitter } from 'node:events';

export interface Changing {
  // biome-ignore lint/suspicious/noExplicitAny: what it says beside the event does not matter here
  readonly events: Pick<EventEmitter<any>, 'on' | 'off'>;
  readonly signal: AbortSignal;
}

/** Asks after every `changed` of it, or what else is named, whether it is so; ends too when the time is over, or when it closes. */
export async function changedUntil(
  { events, signal }: Changing,
  isSo: () => boolean,
  timeoutMs: number,
  names: readonly string[] = ['changed'],
): Promise<void> {
  if (isSo() || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  const look = () => isSo() && resolve();
  const onAbort = () => resolve();
  for (const name of names) events.on(name, look);
  signal.addEventListener('abort', onAbort, { once: true });
  await promise;
  clearTimeout(timer);
  for (const name of names) events.off(name, look);
  signal.removeEventListener('abort', onAbort);
}
