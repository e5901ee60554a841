// Owns: which rooms there are, and which of them are in use. May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';
import { defaultRoles } from './grants.ts';
import { newRoomId, type RoomId, roomIdStart, roomNamePattern } from './ids.ts';
import { nextTurn } from './in-parts.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { Logger, SfuPort } from './ports.ts';
import { Room, type RoomRecord, type RoomSettings } from './room.ts';
import { isOver, overMessage } from './room-meeting.ts';
import type { StoredDocument, StorePort } from './store-port.ts';

export interface RoomsOptions {
  readonly store: StorePort;
  readonly sfu: SfuPort;
  readonly log: Logger;
  readonly defaults: Pick<RoomSettings, 'maxParticipants' | 'inputLimit' | 'lastN' | 'emptyTimeoutMs'>;
}

export type RoomInput = Partial<RoomSettings> & { readonly name: string };
export type RoomPatch = Partial<RoomSettings> & { readonly name?: string | undefined };

/** A record and the revision that an update of it must name. */
export interface RoomEntry {
  readonly record: RoomRecord;
  readonly revision: number;
}

export type RoomsEvents = {
  created: [record: RoomRecord];
  updated: [record: RoomRecord, before: RoomRecord];
  deleted: [record: RoomRecord];
  opened: [room: Room];
  closed: [room: Room, reason: CloseReason];
};

const recordsCollection = 'rooms';
const listPageSize = 100;
/** Claims on names, so that two creations at once cannot both get one: name in lower case to `{roomId}`. */
const namesCollection = 'room-names';
/** The record follows its claim within milliseconds; a younger claim without one may be of a creation that is under way. */
const abandonedClaimMs = 10_000;
/** Records that were read and are as they were: nearly every request names a room. */
const maxFound = 1_000;

/**
 * Records live in the store, rooms in use in memory. A room opens with its first participant and closes by itself some
 * time after the last; its record stays until it is deleted.
 */
export class Rooms extends Owned {
  readonly events = new EventEmitter<RoomsEvents>();
  readonly #options: RoomsOptions;
  readonly #live = new Map<RoomId, Room>();
  /** Of those, by the lower-case name that each was opened by. */
  readonly #idsByName = new Map<string, RoomId>();
  readonly #opening = new Map<RoomId, Promise<Room>>();
  #isDraining = false;
  /** Goes up with every change of a record; what was kept under another is not looked at any more. */
  #recordsVersion = 0;
  #found: { readonly version: number; readonly entries: Map<string, RoomEntry> } = { version: 0, entries: new Map() };

  constructor(options: RoomsOptions) {
    super();
    this.#options = options;
  }

  /** @throws GatewayError `invalid_request` (name), `conflict` (name taken), `draining` */
  async create(input: RoomInput): Promise<RoomEntry> {
    this.#assertTakesMore('rooms');
    assertName(input.name);
    const { defaults, store } = this.#options;
    const record: RoomRecord = {
      displayName: input.name,
      metadata: {},
      roles: defaultRoles,
      ...defaults,
      ...defined(input),
      id: newRoomId(),
      name: input.name,
      createdAtMs: Date.now(),
    };
    await this.#claimName(record.name, record.id);
    const stored = await store.put(recordsCollection, record.id, record, 0);
    this.#recordsVersion += 1;
    this.events.emit('created', record);
    return { record, revision: stored.revision };
  }

  /** @param nameOrId names are compared without case @throws GatewayError `not_found` */
  async get(nameOrId: string): Promise<RoomEntry> {
    const found = await this.find(nameOrId);
    if (!found) throw new GatewayError('not_found', `There is no room "${nameOrId.slice(0, 64)}".`);
    return found;
  }

  async find(nameOrId: string): Promise<RoomEntry | undefined> {
    const version = this.#recordsVersion;
    if (this.#found.version !== version || this.#found.entries.size >= maxFound) {
      this.#found = { version, entries: new Map() };
    }
    const known = this.#found.entries.get(nameOrId);
    if (known) return known;
    const found = await this.#lookUp(nameOrId);
    // What was changed meanwhile is not kept as it was before.
    if (found && this.#recordsVersion === version) this.#found.entries.set(nameOrId, found);
    return found;
  }

  async #lookUp(nameOrId: string): Promise<RoomEntry | undefined> {
    const { store } = this.#options;
    const byId = nameOrId.startsWith(roomIdStart) && (await store.get<RoomRecord>(recordsCollection, nameOrId));
    if (byId) return entry(byId);
    const name = await store.get<{ roomId: RoomId }>(namesCollection, nameOrId.toLowerCase());
    const byName = name && (await store.get<RoomRecord>(recordsCollection, name.value.roomId));
    return byName && entry(byName);
  }

  /** The record alone: of a room in use it is in memory, and the store need not be asked for it. */
  async findRecord(nameOrId: string): Promise<RoomRecord | undefined> {
    return (
      (this.#inUse(nameOrId as RoomId) ?? this.#inUseByName(nameOrId))?.record ?? (await this.find(nameOrId))?.record
    );
  }

  /** Under the name that it was last opened by; it may have another by now. */
  #inUseByName(name: string): Room | undefined {
    const lower = name.toLowerCase();
    const id = this.#idsByName.get(lower);
    const room = id && this.#inUse(id);
    return room?.record.name.toLowerCase() === lower ? room : undefined;
  }

  #inUse(id: RoomId): Room | undefined {
    const live = this.#live.get(id);
    return live?.isClosed ? undefined : live;
  }

  /** The same text for as long as a list of rooms would be the same: what is kept of them, who is in how many. */
  get stamp(): string {
    const live = [...this.#live.values()].map(({ id, visibleCount }) => `${id}:${visibleCount}`);
    return `${this.#recordsVersion}/${live.join()}`;
  }

  async list(page: { after?: string; limit?: number } = {}): Promise<readonly RoomEntry[]> {
    return (await this.#options.store.list<RoomRecord>(recordsCollection, page)).map(entry);
  }

  /** From the one after this id on, read as they are asked for, each page in a turn of the event loop: they may be many. */
  async *all(after = ''): AsyncIterable<RoomEntry> {
    for (let from = after; ; ) {
      const page = await this.list({ after: from, limit: listPageSize });
      yield* page;
      const last = page.at(-1);
      if (!last || page.length < listPageSize) return;
      from = last.record.id;
      await nextTurn();
    }
  }

  /** @throws GatewayError `not_found`, `conflict` (revision, or the new name is taken), `invalid_request` */
  async update(nameOrId: string, patch: RoomPatch, expectedRevision?: number): Promise<RoomEntry> {
    const { store } = this.#options;
    const { record, revision } = await this.get(nameOrId);
    if (expectedRevision !== undefined && expectedRevision !== revision) {
      throw new GatewayError('precondition_failed', 'The room has changed since you read it; read it again.');
    }
    const next: RoomRecord = { ...record, ...defined(patch) };
    const isRenamed = next.name.toLowerCase() !== record.name.toLowerCase();
    if (isRenamed) {
      assertName(next.name);
      await this.#claimName(next.name, record.id);
    }
    let stored: StoredDocument<RoomRecord>;
    try {
      stored = await store.put(recordsCollection, record.id, next, revision);
    } catch (thrown) {
      if (isRenamed) await store.delete(namesCollection, next.name.toLowerCase());
      throw thrown;
    }
    if (isRenamed) await store.delete(namesCollection, record.name.toLowerCase());
    this.#recordsVersion += 1;
    this.#live.get(record.id)?.applyRecord(next);
    this.events.emit('updated', next, record);
    return entry(stored);
  }

  /** Ends the room if it is in use. @throws GatewayError `not_found` */
  async delete(nameOrId: string): Promise<void> {
    const { record } = await this.get(nameOrId);
    await this.#options.store.delete(recordsCollection, record.id);
    this.#recordsVersion += 1;
    await this.#options.store.delete(namesCollection, record.name.toLowerCase());
    await this.#live.get(record.id)?.close('requested');
    this.events.emit('deleted', record);
  }

  /** The room if somebody is in it, or was a moment ago. */
  live(id: RoomId): Room | undefined {
    return this.#live.get(id);
  }

  liveRooms(): Iterable<Room> {
    return this.#live.values();
  }

  /**
   * The live room, opened now if it is not in use.
   * @param options.mayCreate makes a record for a name that has none
   * @throws GatewayError `not_found`, `draining`, `overloaded`, `invalid_request`
   */
  async open(nameOrId: string, options: { mayCreate?: boolean } = {}): Promise<Room> {
    this.#assertTakesMore('participants');
    const inUse = this.#inUse(nameOrId as RoomId);
    if (inUse) return inUse;
    let found = await this.find(nameOrId);
    if (!found && options.mayCreate) found = await this.#createOrFind(nameOrId);
    if (!found) throw new GatewayError('not_found', `There is no room "${nameOrId.slice(0, 64)}".`);
    const { record } = found;
    if (record.meeting && isOver(record.meeting, Date.now())) throw new GatewayError('meeting_over', overMessage);
    const live = this.#live.get(record.id);
    if (live && !live.isClosed) return live;
    const opening = this.#opening.get(record.id) ?? this.#openRecord(record);
    this.#opening.set(record.id, opening);
    return opening;
  }

  /** Refuses rooms and participants from now on; those that are in stay. */
  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  /** Each hears that it is because of a drain, and may come back elsewhere. */
  evict(): void {
    for (const room of [...this.#live.values()]) {
      for (const participant of [...room.participants.values()]) void participant.close('drained');
      void room.close('drained');
    }
  }

  #assertTakesMore(what: 'rooms' | 'participants'): void {
    if (!this.#isDraining && !this.isClosed) return;
    throw new GatewayError('draining', `This server is being drained and takes no new ${what}.`, {
      retryAfterMs: 5_000,
    });
  }

  async #createOrFind(name: string): Promise<RoomEntry | undefined> {
    try {
      return await this.create({ name });
    } catch (thrown) {
      // Two first participants at once: the other one has made it.
      if (thrown instanceof GatewayError && thrown.code === 'conflict') return this.find(name);
      throw thrown;
    }
  }

  async #openRecord(record: RoomRecord): Promise<Room> {
    try {
      const room = this.own(await Room.create(record, this.#options.sfu, this.#options.log));
      this.#live.set(record.id, room);
      this.#idsByName.set(record.name.toLowerCase(), record.id);
      room.events.on('closed', (reason) => {
        if (this.#live.get(record.id) === room) {
          this.#live.delete(record.id);
          this.#idsByName.delete(record.name.toLowerCase());
        }
        this.events.emit('closed', room, reason);
      });
      this.events.emit('opened', room);
      return room;
    } finally {
      this.#opening.delete(record.id);
    }
  }

  async #claimName(name: string, roomId: RoomId): Promise<void> {
    try {
      await this.#options.store.put(namesCollection, name.toLowerCase(), { roomId }, 0);
    } catch (thrown) {
      if (!(thrown instanceof GatewayError && thrown.code === 'conflict')) throw thrown;
      if (await this.#takeOverClaim(name, roomId)) return;
      throw new GatewayError('conflict', `There is a room "${name}" already.`, { cause: thrown });
    }
  }

  /** A process that was killed between the claim and the record (or between the two deletions) leaves a name to nobody. */
  async #takeOverClaim(name: string, roomId: RoomId): Promise<boolean> {
    const { store } = this.#options;
    const claim = await store.get<{ roomId: RoomId }>(namesCollection, name.toLowerCase());
    if (!claim || Date.now() - claim.updatedAtMs < abandonedClaimMs) return false;
    if (await store.get(recordsCollection, claim.value.roomId)) return false;
    // With the revision: of two that find it abandoned, one gets it and the other hears `conflict`.
    await store.put(namesCollection, name.toLowerCase(), { roomId }, claim.revision);
    return true;
  }

  protected override onClose(): void {
    this.#live.clear();
    this.#idsByName.clear();
  }
}

function entry(document: StoredDocument<RoomRecord>): RoomEntry {
  return { record: document.value, revision: document.revision };
}

function assertName(name: string): void {
  if (roomNamePattern.test(name)) return;
  throw new GatewayError(
    'invalid_request',
    'A room name has 1 to 64 letters, digits or . _ ~ - and starts with a letter or digit.',
    {
      fields: [{ path: 'name', message: `does not match ${roomNamePattern.source}` }],
    },
  );
}

/** Without the keys that are undefined, so that spreading it over defaults keeps the defaults. */
function defined<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
