// Owns: listening to several events of one emitter, and stopping all of it at once. May import: node:events.
import type { EventEmitter } from 'node:events';

/** One listener an event, for as many events as wanted. */
export type Listeners<Events extends Record<keyof Events, unknown[]>> = {
  readonly [Name in keyof Events]?: (...args: Events[Name]) => void;
};

/** @returns takes all of them off again */
export function listen<Events extends Record<keyof Events, unknown[]>>(
  emitter: EventEmitter<Events>,
  listeners: Listeners<Events>,
): () => void {
  // The names and listeners are matched by the type above; EventEmitter's own generics cannot follow them in a loop.
  const untyped = emitter as unknown as EventEmitter;
  const entries = Object.entries(listeners) as [string, (...args: unknown[]) => void][];
  for (const [name, listener] of entries) untyped.on(name, listener);
  return () => {
    for (const [name, listener] of entries) untyped.off(name, listener);
  };
}
