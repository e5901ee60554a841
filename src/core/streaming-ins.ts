// Owns: which streams are pulled into which rooms: kept in the store, running while they are wanted. May import: core only.
import { GatewayError } from './errors.ts';
import { newIngressId, type RoomId } from './ids.ts';
import type { IngressLatency } from './job.ts';
import { Owned } from './lifecycle.ts';
import type { DemandHold, OnDemandMedia } from './on-demand.ts';
import type { Logger, MediaPort } from './ports.ts';
import type { Room } from './room.ts';
import type { Rooms } from './rooms.ts';
import type { StorePort } from './store-port.ts';
import { type Puller, StreamingIn, type StreamingInRecord, type StreamingInSettings } from './streaming-in.ts';

export interface StreamingInsOptions {
  readonly store: StorePort;
  readonly rooms: Rooms;
  readonly media: MediaPort;
  readonly pullers: readonly Puller[];
  readonly log: Logger;
  readonly lingerMs: number;
  readonly stallTimeoutMs: number;
  /** Of those that say nothing about it. */
  readonly latency: IngressLatency;
  readonly maxPerRoom: number;
}

const collection = 'streaming-ins';
/** At boot: so many cameras a second are connected to, not all at once. */
const bootIntervalMs = 20;
/** The media plane says at once what it has no room for; that it has takes as long as a process to start. */
const admissionMs = 300;

export class StreamingIns extends Owned implements OnDemandMedia {
  readonly #options: StreamingInsOptions;
  readonly #all = new Map<string, StreamingIn>();
  #isDraining = false;
  readonly #bootTimers = new Set<NodeJS.Timeout>();

  /** Reads what there is and starts it, little by little. */
  static async create(options: StreamingInsOptions): Promise<StreamingIns> {
    const streamingIns = new StreamingIns(options);
    await streamingIns.#load();
    return streamingIns;
  }

  private constructor(options: StreamingInsOptions) {
    super();
    this.#options = options;
    const { rooms, log } = options;
    rooms.events.on('opened', (room) => this.#watchRoom(room));
    rooms.events.on('deleted', ({ id }) => {
      this.#deleteOf(id).catch((err) => log.error({ err, room: id }, 'streaming-ins of a room not deleted'));
    });
  }

  /** URL schemes that can be pulled. */
  get schemes(): readonly string[] {
    return this.#options.pullers.flatMap(({ schemes }) => schemes);
  }

  /** Of one room, in order of id. */
  of(roomId: RoomId): readonly StreamingIn[] {
    return [...this.#all.values()].filter(({ record }) => record.roomId === roomId);
  }

  want(roomId: RoomId): DemandHold | undefined {
    const wanted = this.of(roomId).filter(({ record }) => record.isOnDemand && record.isEnabled);
    if (wanted.length === 0) return undefined;
    const releases = wanted.map((one) => one.hold());
    const settled = Promise.all(wanted.map((one) => one.settled(one.record.startTimeoutMs))).then(() => undefined);
    const release = () => {
      for (const one of releases) one();
    };
    return { settled, release };
  }

  /** @throws GatewayError `not_found` */
  get(roomId: RoomId, id: string): StreamingIn {
    const found = this.#all.get(id);
    if (found?.record.roomId !== roomId) throw new GatewayError('not_found', 'There is no such streaming-in.');
    return found;
  }

  /**
   * @throws GatewayError `unprocessable` (scheme, nothing to take), `invalid_request` (URL), `forbidden` (network), `limit_reached`,
   * `overloaded` when no media worker has room for it; it is not kept then. `draining`
   */
  async create(roomId: RoomId, settings: StreamingInSettings): Promise<StreamingIn> {
    if (this.#isDraining) throw new GatewayError('draining', 'This gateway is being drained and takes no new work.');
    assertTakesSomething(settings);
    this.#pullerOf(settings.url).check(settings.url);
    const { maxPerRoom, store } = this.#options;
    if (this.of(roomId).length >= maxPerRoom) {
      throw new GatewayError('limit_reached', `At most ${maxPerRoom} streams are pulled into one room.`);
    }
    const record: StreamingInRecord = { ...settings, id: newIngressId(), roomId, createdAtMs: Date.now() };
    await store.put(collection, record.id, record, 0);
    const made = this.#begin(record);
    if (!(await made.isRefused(admissionMs))) return made;
    await this.delete(roomId, record.id);
    throw new GatewayError('overloaded', made.status.message, { retryAfterMs: 10_000 });
  }

  /** What runs is ended and begun again with the new settings. @throws GatewayError like `create`, `not_found` */
  async update(roomId: RoomId, id: string, patch: Partial<StreamingInSettings>): Promise<StreamingIn> {
    const before = this.get(roomId, id);
    const record: StreamingInRecord = { ...before.record, ...patch };
    if (patch.audio !== undefined || patch.video !== undefined) assertTakesSomething(record);
    // One that was allowed once may be turned off or renamed whatever the rules are now.
    if (patch.url !== undefined) this.#pullerOf(patch.url).check(patch.url);
    await this.#options.store.put(collection, record.id, record);
    await before.close('replaced');
    this.get(roomId, id); // deleted meanwhile
    return this.#begin(record);
  }

  /** @throws GatewayError `not_found` */
  async delete(roomId: RoomId, id: string): Promise<void> {
    const found = this.get(roomId, id);
    await this.#options.store.delete(collection, id);
    this.#all.delete(id);
    await found.close('requested');
  }

  /** What runs goes on; what is waiting to try again finds the rooms closed to it until then. */
  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
    for (const one of this.#all.values()) one.retry();
  }

  #pullerOf(url: string): Puller {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '';
    const puller = this.#options.pullers.find(({ schemes }) => schemes.includes(scheme));
    if (puller) return puller;
    const known = this.schemes.map((one) => `${one}://`).join(', ');
    const what = scheme ? `Nothing here can pull "${scheme}:" URLs` : 'The URL does not begin with a scheme';
    throw new GatewayError('unprocessable', `${what}; these can be pulled: ${known}.`);
  }

  #begin(record: StreamingInRecord, delayMs?: number): StreamingIn {
    const { rooms, media, log, lingerMs, stallTimeoutMs, latency } = this.#options;
    const puller = this.#pullerOf(record.url);
    const { roomId, id } = record;
    const onKicked = () => {
      this.update(roomId, id, { isEnabled: false }).catch((err) =>
        log.warn({ err, id }, 'streaming-in not turned off'),
      );
    };
    const one = this.own(
      new StreamingIn({ record, rooms, media, puller, log, lingerMs, stallTimeoutMs, latency, onKicked }),
    );
    this.#all.set(id, one);
    if (delayMs === undefined) one.review();
    else this.#later(delayMs, () => one.review());
    return one;
  }

  #later(delayMs: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#bootTimers.delete(timer);
      work();
    }, delayMs);
    this.#bootTimers.add(timer);
  }

  async #load(): Promise<void> {
    const { store, log } = this.#options;
    let count = 0;
    for (let after = ''; ; ) {
      const page = await store.list<StreamingInRecord>(collection, { after });
      for (const { value } of page) {
        try {
          this.#begin(value, bootIntervalMs * ++count);
        } catch (err) {
          // A scheme that this release cannot pull any more: the record stays for the one that can.
          log.error({ err, streamingIn: value.id }, 'streaming-in not loaded');
        }
      }
      const last = page.at(-1);
      if (!last) return;
      after = last.id;
    }
  }

  #watchRoom(room: Room): void {
    const review = () => {
      for (const one of this.of(room.id)) if (one.record.isOnDemand) one.review();
    };
    room.events.on('participantJoined', review);
    room.events.on('participantLeft', review);
    room.events.on('closed', review);
  }

  async #deleteOf(roomId: RoomId): Promise<void> {
    for (const { record } of this.of(roomId)) await this.delete(roomId, record.id);
  }

  protected override onClose(): void {
    for (const timer of this.#bootTimers) clearTimeout(timer);
  }
}

/** @throws GatewayError `unprocessable`: it would be connected to again and again, and never be live */
function assertTakesSomething({ audio, video }: Pick<StreamingInSettings, 'audio' | 'video'>): void {
  if (audio !== 'off' || video !== 'off') return;
  throw new GatewayError('unprocessable', 'Nothing would be taken: one of media.audio and media.video has to be on.');
}
