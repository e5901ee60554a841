import type { SipMessage } from '../message/message.ts';
import type { Dialog } from './dialog.ts';
import type { DialogTable } from './dialog-table.ts';

const graceMs = 64_000;
const defaultExpiresSec = 3600;

/** Keeps a subscription no longer than it lasts: call with each 2xx in its dialog, either way. */
export function watchSubscription(
  dialogs: DialogTable,
  dialog: Dialog,
  request: SipMessage,
  response: SipMessage,
): void {
  if (dialog.method !== 'SUBSCRIBE') return;
  if (request.method === 'NOTIFY' && /^\s*terminated/i.test(request.get('subscription-state') ?? '')) {
    dialogs.remove(dialog);
    return;
  }
  if (request.method !== 'SUBSCRIBE') return;
  const expiresSec = Number(response.get('expires') ?? request.get('expires') ?? defaultExpiresSec);
  dialog.cleanups.get('expiry')?.();
  const delayMs = Math.min(
    (Number.isFinite(expiresSec) ? expiresSec : defaultExpiresSec) * 1000 + graceMs,
    2 ** 31 - 1,
  );
  const timer = setTimeout(() => dialogs.remove(dialog), delayMs);
  dialog.cleanups.set('expiry', () => clearTimeout(timer));
}
