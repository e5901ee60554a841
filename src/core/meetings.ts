// Owns: the doors of all rooms: who is let in, who waits and is let in later, and rooms whose time is over. May import:
// core only.
import { EventEmitter } from 'node:events';
import { type ErrorCode, GatewayError, toGatewayError } from './errors.ts';
import type { RoomId } from './ids.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import { listen } from './listen.ts';
import type { Logger } from './ports.ts';
import type { Room, RoomRecord } from './room.ts';
import { type Entrance, isOver, judgeEntrance, type RoomMeeting, roleIn, type WaitReason } from './room-meeting.ts';
import type { Rooms } from './rooms.ts';
import { Waiter, type WaitingInfo, type WaitingParty, type WaitNews, waitingInfo } from './waiting.ts';

export interface Arrival {
  /** Name or id. */
  readonly room: string;
  readonly mayCreate?: boolean | undefined;
  readonly party: WaitingParty;
  /** To being recorded, where the room asks for that. */
  readonly hasConsented: boolean;
  /** Absent for who cannot be kept waiting: it is refused then. */
  readonly wait?: { readonly signal: AbortSignal; readonly tell: (news: WaitNews) => void } | undefined;
}

export interface Entered {
  readonly room: Room;
  /** In a personal room it may be another than was asked for. */
  readonly role: string;
}

type Told = [room: RoomRecord, who: WaitingInfo];

export type MeetingsEvents = {
  waiting: Told;
  /** By a moderator, or because what it waited for has come. */
  admitted: Told;
  /** A moderator said no, the meeting was locked or its time is over. */
  denied: [...Told, why: ErrorCode];
  /** It went away by itself. */
  gone: Told;
  /** Who waits outside of this room, or why, has changed. */
  changed: [room: RoomId];
};

export interface MeetingsOptions {
  readonly rooms: Rooms;
  readonly log: Logger;
  /** Asked before anybody comes in or waits. @throws GatewayError `overloaded` */
  readonly assertMayJoin?: (() => void) | undefined;
  readonly tickMs?: number;
}

const maxWaiting = 500;
/** Whoever waits longer is asked to come again. */
const maxWaitMs = 12 * 3_600_000;
/** A room for one meeting that nobody ever came to. */
const unusedMs = 24 * 3_600_000;
/** How often those are looked for. */
const sweepMs = 600_000;

interface Lobby {
  readonly record: RoomRecord;
  readonly waiters: Waiter[];
}

/**
 * ```
 *  arrival ──may come in──────────────────────────────► room
 *     │ └──has to wait──► waiting ──admitted, its time──► room
 *     │                     └──denied, over, gone────► away
 *     └──refused───────────────────────────────────────► away
 * ```
 */
export class Meetings extends Owned {
  readonly events = new EventEmitter<MeetingsEvents>();
  readonly #options: MeetingsOptions;
  readonly #lobbies = new Map<RoomId, Lobby>();
  readonly #timer: NodeJS.Timeout;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #isDraining = false;

  constructor(options: MeetingsOptions) {
    super();
    this.#options = options;
    // Every session of a moderator listens.
    this.events.setMaxListeners(0);
    const { rooms, tickMs = 1_000 } = options;
    rooms.events.on('updated', (record) => this.#review(record));
    rooms.events.on('deleted', (record) => this.#turnAllAway(record.id, deleted()));
    rooms.events.on('opened', (room) => this.#follow(room));
    // Clocks are set and machines sleep: looking at the time each second is right in every case.
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
  }

  /**
   * The room, open, as soon as this one may come in; waits for that where it can.
   * @throws GatewayError `room_locked`, `meeting_over`, `consent_required`, `must_wait`, `not_admitted`, `overloaded`,
   * and what `rooms.open()` throws
   */
  async enter(arrival: Arrival): Promise<Entered> {
    const { rooms } = this.#options;
    this.assertTakesPeople();
    const found = await rooms.find(arrival.room);
    if (!found) {
      const room = await rooms.open(arrival.room, { mayCreate: arrival.mayCreate ?? false });
      return { room, role: arrival.party.role };
    }
    const { id } = found.record;
    const entrance = this.judge(found.record, arrival);
    if (entrance.kind === 'refuse') throw new GatewayError(entrance.code, entrance.message);
    if (entrance.kind === 'wait') await this.#wait(found.record, arrival, entrance.reason);
    const room = await rooms.open(id);
    return { room, role: roleIn(room.record, arrival.party) };
  }

  /** For doors that have work to do before anybody comes in. @throws GatewayError `overloaded` */
  assertTakesPeople(): void {
    this.#options.assertMayJoin?.();
  }

  /** What would become of it now. */
  judge(record: RoomRecord, arrival: Pick<Arrival, 'party' | 'hasConsented'>, isAdmitted = false): Entrance {
    const { hasConsented, party } = arrival;
    const isModerator = moderates(record, roleIn(record, party));
    // Rooms without a meeting ask for none, and may be large.
    const hasModerator = record.meeting !== undefined && this.#hasModerator(record.id);
    return judgeEntrance(record.meeting, { isModerator, hasConsented, isAdmitted }, hasModerator, Date.now());
  }

  /**
   * Of who watches from outside of the room: there nobody waits, and nobody is recorded.
   * @param isThere it watches already: a lock or a waiting room is for those who come
   * @throws GatewayError `room_locked`, `meeting_over`, `must_wait`, `overloaded`
   */
  assertMayWatch(record: RoomRecord, party: WaitingParty, isThere: boolean): void {
    if (!isThere) this.assertTakesPeople();
    const entrance = this.judge(record, { party, hasConsented: true }, isThere);
    if (entrance.kind === 'refuse') throw new GatewayError(entrance.code, entrance.message);
    if (entrance.kind === 'wait') throw mustWait(record, entrance.reason);
  }

  /** Why somebody who may not moderate would wait now; undefined when it would not, or could not come at all. */
  waitReason(record: RoomRecord): WaitReason | undefined {
    const comer = { isModerator: false, hasConsented: true, isAdmitted: false };
    const meeting = { ...record.meeting, isLocked: false };
    const entrance = judgeEntrance(meeting, comer, this.#hasModerator(record.id), Date.now());
    return entrance.kind === 'wait' ? entrance.reason : undefined;
  }

  /** Who waits outside of it, next one first. */
  waitingIn(room: RoomId): WaitingInfo[] {
    return this.#lobbies.get(room)?.waiters.map(waitingInfo) ?? [];
  }

  /** @throws GatewayError `not_found` */
  admit(room: RoomId, waitingId: string): void {
    const { record, waiter } = this.#find(room, waitingId);
    this.#letIn(record, waiter);
  }

  /** Those that wait for a moderator's word, not for the start of the meeting. @returns how many came in */
  admitAll(room: RoomId): number {
    const lobby = this.#lobbies.get(room);
    const waiters = lobby?.waiters.filter(({ reason }) => reason === 'admission') ?? [];
    for (const waiter of waiters) if (lobby) this.#letIn(lobby.record, waiter);
    return waiters.length;
  }

  /** @throws GatewayError `not_found` */
  deny(room: RoomId, waitingId: string): void {
    const { waiter } = this.#find(room, waitingId);
    waiter.turnAway(new GatewayError('not_admitted', 'A moderator did not let you in.'));
  }

  /** By a moderator in the room. @throws GatewayError `not_found`, `conflict` */
  async change(room: RoomId, change: Pick<RoomMeeting, 'isLocked' | 'hasWaitingRoom'>): Promise<void> {
    const { record, revision } = await this.#options.rooms.get(room);
    await this.#options.rooms.update(room, { meeting: { ...record.meeting, ...change } }, revision);
  }

  /** Nobody is kept waiting for a server that goes away. */
  drain(): void {
    this.#isDraining = true;
    for (const room of this.#lobbies.keys()) this.#turnAllAway(room, draining());
  }

  undrain(): void {
    this.#isDraining = false;
  }

  async #wait(record: RoomRecord, { party, wait }: Arrival, reason: Waiter['reason']): Promise<void> {
    if (!wait) throw mustWait(record, reason);
    if (this.#isDraining || this.isClosed) throw draining();
    const lobby = this.#lobbies.get(record.id) ?? { record, waiters: [] };
    if (lobby.waiters.length >= maxWaiting) {
      throw new GatewayError('limit_reached', `${maxWaiting} wait for this meeting already.`, { retryAfterMs: 30_000 });
    }
    const waiter = new Waiter({ ...party, role: roleIn(record, party) }, reason, wait.tell);
    this.#lobbies.set(record.id, lobby);
    lobby.waiters.push(waiter);
    const gone = () => waiter.turnAway(new GatewayError('closed', 'It went away while it waited.'));
    const signal = AbortSignal.any([wait.signal, AbortSignal.timeout(maxWaitMs)]);
    signal.addEventListener('abort', gone, { once: true });
    if (signal.aborted) gone();
    this.#options.log.info({ room: record.name, user: party.user, reason }, 'waits to be let in');
    this.events.emit('waiting', record, this.#infoOf(record.id, waiter));
    this.#changed(record.id);
    let info: WaitingInfo | undefined;
    try {
      await waiter.over;
      info = this.#infoOf(record.id, waiter);
    } catch (thrown) {
      const who = this.#infoOf(record.id, waiter);
      if (signal.aborted) this.events.emit('gone', record, who);
      else this.events.emit('denied', record, who, toGatewayError(thrown).code);
      throw thrown;
    } finally {
      signal.removeEventListener('abort', gone);
      this.#forget(record.id, waiter);
    }
    this.events.emit('admitted', record, info);
  }

  #letIn(record: RoomRecord, waiter: Waiter): void {
    waiter.isAdmitted = true;
    this.#options.log.info({ room: record.name, user: waiter.party.user }, 'let in');
    waiter.letIn();
  }

  #forget(room: RoomId, waiter: Waiter): void {
    const waiters = this.#lobbies.get(room)?.waiters ?? [];
    const index = waiters.indexOf(waiter);
    if (index >= 0) waiters.splice(index, 1);
    if (waiters.length === 0) this.#lobbies.delete(room);
    this.#changed(room);
  }

  /** Tells everybody where they are in the queue now, and moderators who is in it. */
  #changed(room: RoomId): void {
    const lobby = this.#lobbies.get(room);
    const startsAtMs = lobby?.record.meeting?.startsAtMs;
    const count = lobby?.waiters.length ?? 0;
    lobby?.waiters.forEach((waiter, index) => {
      waiter.tell({ reason: waiter.reason, position: index + 1, count, startsAtMs });
    });
    this.events.emit('changed', room);
  }

  /** Something that people wait for may have come. @param record as it is now */
  #review(record: RoomRecord): void {
    const lobby = this.#lobbies.get(record.id);
    if (!lobby) return;
    this.#lobbies.set(record.id, { ...lobby, record });
    let isNews = false;
    for (const waiter of lobby.waiters) {
      const entrance = this.judge(record, { party: waiter.party, hasConsented: true }, waiter.isAdmitted);
      if (entrance.kind === 'enter') waiter.letIn();
      else if (entrance.kind === 'refuse') waiter.turnAway(new GatewayError(entrance.code, entrance.message));
      else if (entrance.reason !== waiter.reason) {
        waiter.reason = entrance.reason;
        isNews = true;
      }
    }
    if (isNews || record !== lobby.record) this.#changed(record.id);
  }

  #follow(room: Room): void {
    const review = () => this.#review(room.record);
    const detach = listen(room.events, { participantJoined: review, participantUpdated: review });
    room.events.on('closed', (reason) => {
      detach();
      void this.#tidy(room.record, reason);
    });
  }

  /** The lock is of one meeting, and so is a room that was made for one. */
  async #tidy({ id, meeting }: RoomRecord, reason: CloseReason): Promise<void> {
    const { rooms, log } = this.#options;
    if (this.isClosed || (reason !== 'idle' && reason !== 'ended')) return;
    try {
      if (meeting?.isTemporary) await rooms.delete(id);
      else if (meeting?.isLocked) await this.change(id, { isLocked: false });
    } catch (cause) {
      // It may have been deleted, or changed by somebody who was faster.
      log.debug({ room: id, err: cause }, 'room not tidied');
    }
  }

  #tick(): void {
    const nowMs = Date.now();
    for (const room of [...this.#options.rooms.liveRooms()]) {
      const { meeting } = room.record;
      if (meeting && isOver(meeting, nowMs)) void room.end();
    }
    for (const { record } of [...this.#lobbies.values()]) this.#review(record);
    if (performance.now() - this.#sweptAtMs < sweepMs) return;
    this.#sweptAtMs = performance.now();
    this.#sweep().catch((cause: unknown) => this.#options.log.warn({ err: cause }, 'old rooms not looked for'));
  }

  async #sweep(): Promise<void> {
    const { rooms } = this.#options;
    for await (const { record } of rooms.all()) {
      if (this.isClosed) return;
      const { id, meeting, createdAtMs } = record;
      const isOld = Date.now() - Math.max(createdAtMs, meeting?.startsAtMs ?? 0) > unusedMs;
      if (meeting?.isTemporary && isOld && !rooms.live(id) && !this.#lobbies.has(id)) await rooms.delete(id);
    }
  }

  #hasModerator(id: RoomId): boolean {
    for (const one of this.#options.rooms.live(id)?.participants.values() ?? []) {
      if (one.permissions.moderate && one.isConnected && !one.isHidden && !one.isClosed) return true;
    }
    return false;
  }

  #find(room: RoomId, waitingId: string): { record: RoomRecord; waiter: Waiter } {
    const lobby = this.#lobbies.get(room);
    const waiter = lobby?.waiters.find(({ id }) => id === waitingId);
    if (!lobby || !waiter) throw new GatewayError('not_found', 'Nobody of that id is waiting any more.');
    return { record: lobby.record, waiter };
  }

  #infoOf(room: RoomId, waiter: Waiter): WaitingInfo {
    return waitingInfo(waiter, this.#lobbies.get(room)?.waiters.indexOf(waiter) ?? 0);
  }

  #turnAllAway(room: RoomId, error: GatewayError): void {
    for (const waiter of this.#lobbies.get(room)?.waiters ?? []) waiter.turnAway(error);
  }

  protected override onClose(): void {
    clearInterval(this.#timer);
    this.drain();
  }
}

/** For who waits, and for who cannot. */
export const waitMessages: Readonly<Record<Waiter['reason'], string>> = {
  not_started: 'The meeting has not started yet.',
  no_moderator: 'The meeting starts when a moderator comes.',
  admission: 'A moderator has to let you in.',
};

function mustWait({ meeting }: RoomRecord, reason: Waiter['reason']): GatewayError {
  const untilStartMs = reason === 'not_started' ? (meeting?.startsAtMs ?? 0) - Date.now() : 10_000;
  const retryAfterMs = Math.min(3_600_000, Math.max(1_000, untilStartMs));
  return new GatewayError('must_wait', waitMessages[reason], { retryAfterMs });
}

function moderates({ roles }: RoomRecord, role: string): boolean {
  return roles.find((known) => known.role === role)?.moderate ?? false;
}

const draining = () =>
  new GatewayError('draining', 'This server is being drained and takes no new participants.', { retryAfterMs: 5_000 });

const deleted = () => new GatewayError('not_found', 'The room was deleted.');
