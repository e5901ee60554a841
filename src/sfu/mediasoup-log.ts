// Owns: where mediasoup's own log goes.
import { setLogEventListeners } from 'mediasoup';
import type { Logger } from '#core/ports.ts';

/**
 * mediasoup has one log for the whole process. Its errors are warnings to us: it retries or refuses, and what an
 * operator has to act on (a worker's death) we log ourselves.
 */
export function logMediasoup(log: Logger): void {
  const writeTo = (level: 'debug' | 'warn') => (namespace: string, text: string, err?: Error) =>
    log[level](err === undefined ? { namespace, text } : { namespace, text, err }, 'mediasoup');
  setLogEventListeners({ ondebug: undefined, onwarn: writeTo('debug'), onerror: writeTo('warn') });
}
