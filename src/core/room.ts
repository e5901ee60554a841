// Owns: a room that is in use: who is in it and what goes on. May import: core only.
import { EventEmitter } from 'node:events';
import type { DataPublication } from './data-track.ts';
import { GatewayError } from './errors.ts';
import type { RoleDefinition } from './grants.ts';
import { type ParticipantId, type PublicationId, type RoomId, randomText } from './ids.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import { Participant, type ParticipantKind, type ParticipantOptions } from './participant.ts';
import { PassingMap } from './passing-map.ts';
import type { Logger, SfuPort, SfuRoom } from './ports.ts';
import type { RoomMedia } from './room-media.ts';
import type { RoomMeeting } from './room-meeting.ts';
import type { RoomSip } from './room-sip.ts';
import { StreamSelection } from './stream-selection.ts';
import type { Publication } from './track.ts';
import type { ViewSettings } from './view-settings.ts';

/** What can be said of a room while nobody is in it; kept in the store. */
export interface RoomSettings extends RoomMedia {
  readonly displayName: string;
  /** -1: no limit. */
  readonly maxParticipants: number;
  /** Publications in the room at once; -1: no limit. */
  readonly inputLimit: number;
  /** Camera videos that a receiver gets at once, by who spoke last; -1: all. */
  readonly lastN: number;
  /** The live room closes so long after the last participant left. */
  readonly emptyTimeoutMs: number;
  readonly roles: readonly RoleDefinition[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Phones; absent in rooms that say nothing of them. */
  readonly sip?: RoomSip | undefined;
  /** Absent: `common` as it is by itself. An empty list: the room is never composed. */
  readonly views?: readonly ViewSettings[] | undefined;
  /** false: who publishes nothing is told of to moderators alone; everybody unless said. */
  readonly announcesAudience?: boolean | undefined;
  /** false: what comes, changes and ends of streams is told to moderators alone; to everybody unless said. */
  readonly announcesStreams?: boolean | undefined;
  /** When it is and who may come in; absent: always, and everybody with leave to. */
  readonly meeting?: RoomMeeting | undefined;
}

export interface RoomRecord extends RoomSettings {
  readonly id: RoomId;
  readonly name: string;
  readonly createdAtMs: number;
}

export interface ChatMessage {
  readonly id: string;
  /** Absent for what the server says (API). */
  readonly from: { readonly id: ParticipantId; readonly displayName: string } | undefined;
  readonly to: ParticipantId | 'all';
  readonly text: string;
  readonly sentAtMs: number;
}

export type RoomEvents = {
  participantJoined: [participant: Participant];
  participantUpdated: [participant: Participant];
  participantLeft: [participant: Participant, reason: CloseReason];
  publicationAdded: [publication: Publication];
  publicationUpdated: [publication: Publication];
  publicationRemoved: [publication: Publication, reason: CloseReason];
  dataPublicationAdded: [publication: DataPublication];
  dataPublicationRemoved: [publication: DataPublication];
  activeSpeakerChanged: [participantId: ParticipantId | null];
  /** Publications above the threshold, loudest first, dBov -127..0; empty when all fall silent. */
  levelsMeasured: [levels: readonly { publication: Publication; levelDbov: number }[]];
  chatSent: [message: ChatMessage];
  /** A phone pressed a key: `0`-`9`, `*`, `#`, `A`-`D`. */
  dtmfReceived: [participant: Participant, digit: string];
  updated: [];
  recordingChanged: [isRecorded: boolean];
  /** All media of the room was lost and may be made again now. */
  mediaRestarted: [];
  closed: [reason: CloseReason];
};

export const maxChatLength = 4_000;
const chatHistoryLength = 100;
/** A rebuild waits for a new SFU worker so long; each try is bounded by the pool itself. */
const rebuildTries = 5;

const speakingKinds: ReadonlySet<ParticipantKind> = new Set(['webrtc', 'sip', 'bridge']);

export class Room extends Owned {
  readonly events = new EventEmitter<RoomEvents>();
  readonly participants = new PassingMap<ParticipantId, Participant>();
  readonly chatHistory: ChatMessage[] = [];
  readonly openedAtMs = Date.now();
  readonly #sfuPort: SfuPort;
  readonly #log: Logger;
  readonly #selection: StreamSelection;
  #record: RoomRecord;
  #sfu: SfuRoom;
  #isRebuilding = false;
  #activeSpeaker: ParticipantId | null = null;
  /** Who takes whose place. */
  readonly #heirs = new PassingMap<ParticipantId, Participant>();
  #emptyTimer: NodeJS.Timeout | undefined;
  #recordings = 0;
  #visibleCount = 0;

  private constructor(record: RoomRecord, sfuPort: SfuPort, sfu: SfuRoom, log: Logger) {
    super();
    // Each session listens to its room; rooms of hundreds are normal.
    this.events.setMaxListeners(0);
    this.#record = record;
    this.#sfuPort = sfuPort;
    this.#log = log;
    this.#sfu = sfu;
    this.#selection = new StreamSelection({
      record: () => this.#record,
      participants: () => this.participants.values(),
      log,
    });
    this.#watchSfu(sfu);
    this.#reviewEmpty();
  }

  static async create(record: RoomRecord, sfuPort: SfuPort, log: Logger): Promise<Room> {
    const roomLog = log.child({ room: record.name });
    const sfu = await sfuPort.createRoom({ log: roomLog });
    return new Room(record, sfuPort, sfu, roomLog);
  }

  get record(): RoomRecord {
    return this.#record;
  }
  get id(): RoomId {
    return this.#record.id;
  }
  get name(): string {
    return this.#record.name;
  }
  get activeSpeaker(): ParticipantId | null {
    return this.#activeSpeaker;
  }

  /** Who is in it is to know. */
  get isRecorded(): boolean {
    return this.#recordings > 0;
  }

  /** @returns to be called when it is recorded no longer */
  noteRecording(): () => void {
    const change = (by: 1 | -1) => {
      const before = this.isRecorded;
      this.#recordings += by;
      if (before !== this.isRecorded) this.events.emit('recordingChanged', this.isRecorded);
    };
    change(1);
    return () => change(-1);
  }

  /** The room's media side. @throws GatewayError `media_lost` while it is being rebuilt, `closed` */
  get media(): SfuRoom {
    if (this.isClosed) throw new GatewayError('closed', 'The room has closed.');
    if (this.#isRebuilding || this.#sfu.isClosed) {
      throw new GatewayError('media_lost', 'The room is getting a new media worker; try again in a second.', {
        retryAfterMs: 1_000,
      });
    }
    return this.#sfu;
  }

  /** Those that lists and pages show. */
  get visibleParticipants(): Participant[] {
    return [...this.participants.values()].filter((participant) => !participant.isHidden);
  }

  /** How many those are. */
  get visibleCount(): number {
    return this.#visibleCount;
  }

  /** Whether there is somebody besides this one who might talk to it. Beyond a bridge somebody may be heard. */
  hasOtherPeople(than: Participant): boolean {
    for (const one of this.participants.values()) {
      if (one !== than && !one.isHidden && speakingKinds.has(one.kind)) return true;
    }
    return false;
  }

  *publications(): Iterable<Publication> {
    for (const participant of this.participants.values()) yield* participant.publications.values();
  }

  *dataPublications(): Iterable<DataPublication> {
    for (const participant of this.participants.values()) yield* participant.dataPublications.values();
  }

  findPublication(id: PublicationId): Publication | undefined {
    for (const participant of this.participants.values()) {
      const found = participant.publications.get(id);
      if (found) return found;
    }
    return undefined;
  }

  /** @throws GatewayError `room_full`, `forbidden` (no such role), `closed` */
  join(options: ParticipantOptions): Participant {
    if (this.isClosed) throw new GatewayError('closed', 'The room has closed.');
    const limit = this.#record.maxParticipants;
    const isFull = limit >= 0 && this.#visibleCount >= limit;
    if (isFull && !options.isHidden && !this.#mayTakePlaceOf(options.takesPlaceOf)) {
      throw new GatewayError('room_full', `The room "${this.name}" is full (${limit} participants).`);
    }
    const participant = this.own(new Participant(this, options));
    this.participants.set(participant.id, participant);
    if (!participant.isHidden) this.#visibleCount += 1;
    if (options.takesPlaceOf !== undefined) this.#heirs.set(options.takesPlaceOf, participant);
    this.#reviewEmpty();
    participant.events.on('updated', () => this.events.emit('participantUpdated', participant));
    participant.events.on('closed', (reason) => this.#forget(participant, reason));
    this.#log.info(
      { participant: participant.id, kind: participant.kind, user: participant.user },
      'participant joined',
    );
    this.events.emit('participantJoined', participant);
    return participant;
  }

  /** A place is given away once, and again when whoever got it is gone. */
  #mayTakePlaceOf(id: ParticipantId | undefined): boolean {
    if (id === undefined || !this.participants.has(id)) return false;
    return this.#heirs.get(id)?.isClosed ?? true;
  }

  #forget(participant: Participant, reason: CloseReason): void {
    if (this.participants.delete(participant.id) && !participant.isHidden) this.#visibleCount -= 1;
    this.#heirs.delete(participant.id);
    this.#selection.left(participant.id);
    if (this.#activeSpeaker === participant.id) this.#setActiveSpeaker(null);
    this.#log.info({ participant: participant.id, reason }, 'participant left');
    this.events.emit('participantLeft', participant, reason);
    this.#reviewEmpty();
    this.reviewSelection();
  }

  /** @throws GatewayError `limit_reached` */
  assertInputAllowed(): void {
    const limit = this.#record.inputLimit;
    // What is made of the room for others (its mix, its views) takes nobody's place.
    const inputs = [...this.publications()].filter(({ participant }) => !participant.isHidden);
    if (limit >= 0 && inputs.length >= limit) {
      throw new GatewayError('limit_reached', `The room "${this.name}" takes at most ${limit} streams.`);
    }
  }

  /** Called by a participant that has just published. */
  admitPublication(publication: Publication): void {
    publication.events.on('updated', () => this.events.emit('publicationUpdated', publication));
    publication.events.on('closed', (reason) => {
      this.#selection.ended(publication.id);
      this.events.emit('publicationRemoved', publication, reason);
      this.reviewSelection();
    });
    if (publication.kind === 'audio') {
      this.#sfu.observeAudio(publication.producer).catch((cause: unknown) => {
        // Only the speaker indication suffers; the stream itself is fine.
        this.#log.warn({ publication: publication.id, err: cause }, 'audio not observed');
      });
    }
    this.events.emit('publicationAdded', publication);
  }

  admitDataPublication(publication: DataPublication): void {
    void publication.done.then(() => this.events.emit('dataPublicationRemoved', publication));
    this.events.emit('dataPublicationAdded', publication);
  }

  /**
   * @param from absent when the API speaks for the server
   * @throws GatewayError `forbidden`, `not_found`, `too_large`, `invalid_request`
   */
  sendChat(from: Participant | undefined, to: ParticipantId | 'all', text: string): ChatMessage {
    if (from && !from.permissions.chat) throw new GatewayError('forbidden', `Your role "${from.role}" may not chat.`);
    if (text.trim() === '') throw new GatewayError('invalid_request', 'A message needs some text.');
    if (text.length > maxChatLength) {
      throw new GatewayError('too_large', `A message has at most ${maxChatLength} characters.`);
    }
    if (to !== 'all' && !this.participants.has(to)) {
      throw new GatewayError('not_found', 'That participant is not in the room.');
    }
    const message: ChatMessage = {
      id: `MS_${randomText(12)}`,
      from: from && { id: from.id, displayName: from.displayName },
      to,
      text,
      sentAtMs: Date.now(),
    };
    if (to === 'all') {
      this.chatHistory.push(message);
      if (this.chatHistory.length > chatHistoryLength) this.chatHistory.shift();
    }
    this.events.emit('chatSent', message);
    return message;
  }

  /** New settings for the running room. Limits hold for who comes from now on; nobody is thrown out by them. */
  applyRecord(record: RoomRecord): void {
    this.#record = record;
    for (const participant of this.participants.values()) participant.reviewRole();
    this.#reviewEmpty();
    this.reviewSelection();
    this.events.emit('updated');
  }

  /** Its time is over: everybody is told so, then it closes. */
  async end(): Promise<void> {
    await Promise.all([...this.participants.values()].map((participant) => participant.close('ended')));
    await this.close('ended');
  }

  /** Last-N and the loudest voices, after something came, went, or was pinned. */
  reviewSelection(): void {
    if (!this.isClosed) this.#selection.review();
  }

  #publicationOf(producerId: string): Publication | undefined {
    for (const publication of this.publications()) {
      if (publication.producer.id === producerId) return publication;
    }
    return undefined;
  }

  #setActiveSpeaker(id: ParticipantId | null): void {
    if (this.#activeSpeaker === id) return;
    this.#activeSpeaker = id;
    if (id !== null && !this.isClosed) this.#selection.spoke(id);
    this.events.emit('activeSpeakerChanged', id);
  }

  #watchSfu(sfu: SfuRoom): void {
    sfu.events.on('dominantSpeakerChanged', (producerId) => {
      const publication = producerId === null ? undefined : this.#publicationOf(producerId);
      this.#setActiveSpeaker(publication?.participant.id ?? null);
    });
    sfu.events.on('levelsMeasured', (levels) => {
      const known = levels.flatMap(({ producerId, levelDbov }) => {
        const publication = this.#publicationOf(producerId);
        return publication ? [{ publication, levelDbov }] : [];
      });
      if (!this.isClosed) this.#selection.heard(known);
      this.events.emit('levelsMeasured', known);
    });
    sfu.events.on('failed', () => void this.#rebuild());
  }

  /** The participants stay, their media goes; they are told once there is a new SfuRoom to come back to. */
  async #rebuild(): Promise<void> {
    if (this.isClosed || this.#isRebuilding) return;
    this.#isRebuilding = true;
    this.#log.warn({}, 'media worker lost, rebuilding the room');
    await Promise.all([...this.participants.values()].map((participant) => participant.dropMedia()));
    for (let attempt = 1; attempt <= rebuildTries && !this.isClosed; attempt++) {
      try {
        const sfu = await this.#sfuPort.createRoom({ log: this.#log });
        if (this.isClosed) {
          sfu.close();
          return;
        }
        this.#sfu = sfu;
        this.#watchSfu(sfu);
        this.#isRebuilding = false;
        this.#log.info({ attempt }, 'room rebuilt');
        for (const participant of this.participants.values()) participant.events.emit('mediaRestarted');
        this.events.emit('mediaRestarted');
        return;
      } catch (cause) {
        this.#log.error({ err: cause, attempt }, 'room not rebuilt');
      }
    }
    await this.close('failed');
  }

  #reviewEmpty(): void {
    clearTimeout(this.#emptyTimer);
    this.#emptyTimer = undefined;
    if (this.isClosed || this.participants.size > 0) return;
    this.#emptyTimer = setTimeout(() => void this.close('idle'), this.#record.emptyTimeoutMs).unref();
  }

  protected override onClose(reason: CloseReason): void {
    clearTimeout(this.#emptyTimer);
    this.#sfu.close();
    this.#log.info({ reason }, 'room closed');
    this.events.emit('closed', reason);
  }
}
