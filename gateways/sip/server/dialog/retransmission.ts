import { giveUpMs, type TimerSettings } from '../transaction/timers.ts';

export interface RetransmissionOptions {
  readonly timers: TimerSettings;
  readonly send: () => void;
  /** 64*T1 passed without the ACK or PRACK. */
  readonly onGivenUp: () => void;
  /** RFC 3262 §3 doubles without end, RFC 3261 §13.3.1.4 up to T2. */
  readonly isCapped: boolean;
}

/**
 * Sends again until stopped: a 2xx to INVITE until its ACK, a reliable provisional until its PRACK. Over TCP too, because
 * the hop that loses it may be further on.
 * @returns how to stop it
 */
export function retransmit({ timers, send, onGivenUp, isCapped }: RetransmissionOptions): () => void {
  let intervalMs = timers.t1Ms;
  let leftMs = giveUpMs(timers);
  let timer: NodeJS.Timeout;
  const again = (): void => {
    leftMs -= intervalMs;
    if (leftMs <= 0) {
      onGivenUp();
      return;
    }
    send();
    intervalMs = Math.min(intervalMs * 2, leftMs, isCapped ? timers.t2Ms : Number.POSITIVE_INFINITY);
    timer = setTimeout(again, intervalMs);
  };
  timer = setTimeout(again, intervalMs);
  return () => clearTimeout(timer);
}
