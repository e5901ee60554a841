// Owns: trying whether a media worker starts on this machine. May import: core, ./media-worker.
import type { Logger } from '#core/ports.ts';
import { MediaWorker } from './media-worker.ts';

/** @throws Error with what it died of */
export async function startsMediaWorker(log: Logger): Promise<void> {
  const worker = new MediaWorker({ id: 0, log, logLevel: 'error' });
  try {
    await worker.configure(0);
  } finally {
    await worker.close();
  }
}
