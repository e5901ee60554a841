import type { SipMessage } from '../message/message.ts';
import type { Dialog } from './dialog.ts';

export interface SessionExpires {
  readonly intervalSec: number;
  readonly refresher: 'uac' | 'uas' | undefined;
}

export function parseSessionExpires(value: string | undefined): SessionExpires | undefined {
  const found = /^(\d{1,9})\s*(?:;(.*))?$/.exec(value ?? '');
  if (!found) return undefined;
  const refresher = /(?:^|;)\s*refresher\s*=\s*(uac|uas)/i.exec(found[2] ?? '')?.[1]?.toLowerCase();
  return {
    intervalSec: Number(found[1]),
    refresher: refresher === 'uac' || refresher === 'uas' ? refresher : undefined,
  };
}

export interface SessionTimerHooks {
  /** No shorter interval is believed (RFC 4028 §5). */
  readonly minSessionSec: number;
  /** It is ours to refresh, and half of the interval is over. */
  onRefresh: (dialog: Dialog) => void;
  /** The peer did not refresh in time. */
  onExpired: (dialog: Dialog) => void;
}

const timersOf = new WeakMap<Dialog, NodeJS.Timeout>();

/**
 * Starts, restarts or stops the session timer of a dialog by the 2xx to an INVITE or UPDATE.
 * @param isOurRequest whether we sent that request; `uac` in Session-Expires is who sent it
 */
export function applySessionTimer(
  dialog: Dialog,
  response: SipMessage,
  isOurRequest: boolean,
  hooks: SessionTimerHooks,
): void {
  const agreed = parseSessionExpires(response.get('session-expires'));
  stopSessionTimer(dialog);
  if (!agreed || dialog.isEnded) return;
  const weRefresh = (agreed.refresher ?? 'uac') === (isOurRequest ? 'uac' : 'uas');
  const intervalMs = Math.max(agreed.intervalSec, hooks.minSessionSec) * 1000;
  // RFC 4028 §10: refresh at half of it; the other side gives up a third of it, at most 32 s, before the end.
  const delayMs = weRefresh ? intervalMs / 2 : intervalMs - Math.min(32_000, intervalMs / 3);
  const timer = setTimeout(
    () => (weRefresh ? hooks.onRefresh(dialog) : hooks.onExpired(dialog)),
    Math.min(delayMs, 2 ** 31 - 1),
  );
  timersOf.set(dialog, timer);
  dialog.cleanups.set('session timer', () => stopSessionTimer(dialog));
}

function stopSessionTimer(dialog: Dialog): void {
  clearTimeout(timersOf.get(dialog));
  timersOf.delete(dialog);
}
