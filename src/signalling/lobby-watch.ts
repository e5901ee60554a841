// Owns: what somebody who waits is told, and what moderators are told of those who wait. May import: core, ./protocol.
import { type Meetings, waitMessages } from '#core/meetings.ts';
import type { Participant } from '#core/participant.ts';
import type { WaitNews } from '#core/waiting.ts';
import type { EventMap, WaitingInfo } from './protocol.ts';

export function waitingEvent(news: WaitNews): { event: 'waiting'; data: EventMap['waiting'] } {
  const { reason, startsAtMs = null } = news;
  return { event: 'waiting', data: { ...news, startsAtMs, message: waitMessages[reason] } };
}

/** Tells a moderator who waits; whoever becomes one is told from then on. */
export class LobbyWatch {
  readonly #participant: Participant;
  readonly #meetings: Meetings;
  readonly #tell: (waiting: readonly WaitingInfo[]) => void;
  #isTold = false;

  constructor(participant: Participant, meetings: Meetings, tell: (waiting: readonly WaitingInfo[]) => void) {
    this.#participant = participant;
    this.#meetings = meetings;
    this.#tell = tell;
    meetings.events.on('changed', this.#changed);
    participant.events.on('updated', this.#reviewRole);
  }

  /** To be called once it can be told something: some may wait already. */
  look(): void {
    const waiting = this.#meetings.waitingIn(this.#participant.room.id);
    this.#isTold = this.#participant.permissions.moderate;
    if (this.#isTold && waiting.length > 0) this.#tell(waiting);
  }

  close(): void {
    this.#meetings.events.off('changed', this.#changed);
    this.#participant.events.off('updated', this.#reviewRole);
  }

  readonly #changed = (room: Participant['room']['id']): void => {
    if (room === this.#participant.room.id && this.#isTold) this.#tell(this.#meetings.waitingIn(room));
  };

  readonly #reviewRole = (): void => {
    const { moderate } = this.#participant.permissions;
    if (moderate === this.#isTold) return;
    // Who moderates no more has nobody waiting.
    if (!moderate) this.#tell([]);
    this.#isTold = false;
    this.look();
  };
}
