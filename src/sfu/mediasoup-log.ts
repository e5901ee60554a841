// Owns: where mediasoup's own log goes.
import { setLogEventListeners } from 'mediasoup';
import type { Logger } from '#core/ports.ts';

/** What a worker says when it is closed; that it ends was wanted, and that it dies is told otherwise. */
const expected = /channel remotely closed|worker process died unexpectedly/;

/**
 * mediasoup has one log for the whole process. Its errors are warnings to us: it retries or refuses, and what an
 * operator has to act on (a worker's death) we log ourselves.
 */
export function logMediasoup(log: Logger): void {
  const writeTo = (level: 'debug' | 'warn') => (namespace: string, text: string, err?: Error) => {
    const fields = err === undefined ? { namespace, text } : { namespace, text, err };
    log[expected.test(text) ? 'debug' : level](fields, 'mediasoup');
  };
  setLogEventListeners({ ondebug: undefined, onwarn: writeTo('debug'), onerror: writeTo('warn') });
}
