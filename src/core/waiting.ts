// Owns: those who wait outside of one room, in the order in which they came. May import: core only.
import { randomText } from './ids.ts';
import type { WaitReason } from './room-meeting.ts';

export interface WaitingParty {
  readonly kind: 'webrtc' | 'sip';
  readonly user: string;
  readonly displayName: string;
  readonly role: string;
}

export interface WaitingInfo extends WaitingParty {
  readonly id: string;
  readonly reason: WaitReason;
  /** 1 is next. */
  readonly position: number;
  readonly sinceMs: number;
}

/** What whoever waits is told, at first and whenever it changes. */
export interface WaitNews {
  readonly reason: WaitReason;
  readonly position: number;
  readonly count: number;
  readonly startsAtMs: number | undefined;
}

export class Waiter {
  readonly id = `WT_${randomText(12)}`;
  readonly party: WaitingParty;
  readonly sinceMs = Date.now();
  readonly #over = Promise.withResolvers<void>();
  readonly #tell: (news: WaitNews) => void;
  #told = '';
  reason: WaitReason;
  isAdmitted = false;

  constructor(party: WaitingParty, reason: WaitReason, tell: (news: WaitNews) => void) {
    this.party = party;
    this.reason = reason;
    this.#tell = tell;
    this.#over.promise.catch(() => undefined);
  }

  /** Settles when it may come in; rejects when it may not, or went away. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  tell(news: WaitNews): void {
    const text = JSON.stringify(news);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell(news);
  }

  letIn(): void {
    this.#over.resolve();
  }

  turnAway(error: Error): void {
    this.#over.reject(error);
  }
}

export function waitingInfo(waiter: Waiter, index: number): WaitingInfo {
  const { id, party, reason, sinceMs } = waiter;
  return { id, ...party, reason, position: index + 1, sinceMs };
}
