// Owns: which streams leave which rooms: kept in the store, running while they are wanted. May import: core only.
import { EventEmitter } from 'node:events';
import type { EgressSource } from './egress-source.ts';
import { GatewayError } from './errors.ts';
import { newEgressId, type RoomId, randomText } from './ids.ts';
import { Owned } from './lifecycle.ts';
import type { Logger, MediaPort } from './ports.ts';
import { streamIn } from './recording-source.ts';
import { assertGivesAudio } from './room-media.ts';
import type { Rooms } from './rooms.ts';
import type { StorePort } from './store-port.ts';
import {
  type Pusher,
  StreamingOut,
  type StreamingOutRecord,
  type StreamingOutSettings,
  type StreamingOutTarget,
} from './streaming-out.ts';
import type { ViewPort } from './view-port.ts';

export interface StreamingOutsOptions {
  readonly store: StorePort;
  readonly rooms: Rooms;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly pushers: readonly Pusher[];
  readonly log: Logger;
  readonly maxPerRoom: number;
}

/** New ones have no id yet. */
export type StreamingOutChange = Partial<Omit<StreamingOutSettings, 'targets'>> & {
  readonly isPaused?: boolean | undefined;
  readonly addUrls?: readonly string[] | undefined;
  readonly removeTargets?: readonly string[] | undefined;
  readonly pauseTargets?: readonly string[] | undefined;
  readonly resumeTargets?: readonly string[] | undefined;
};

export type StreamingOutsEvents = {
  /** Made, changed, or in another state, one of its targets too. */
  changed: [one: StreamingOut];
  deleted: [one: StreamingOut];
};

const collection = 'streaming-outs';
const maxTargets = 16;
/** At boot: so many a second, not all at once. */
const bootIntervalMs = 50;

export class StreamingOuts extends Owned {
  readonly events = new EventEmitter<StreamingOutsEvents>();
  readonly #options: StreamingOutsOptions;
  readonly #all = new Map<string, StreamingOut>();
  #isDraining = false;

  /** Reads what there is and starts it, little by little. */
  static async create(options: StreamingOutsOptions): Promise<StreamingOuts> {
    const streamingOuts = new StreamingOuts(options);
    await streamingOuts.#load();
    return streamingOuts;
  }

  private constructor(options: StreamingOutsOptions) {
    super();
    this.#options = options;
    const { rooms, log } = options;
    rooms.events.on('deleted', ({ id }) => {
      this.#deleteOf(id).catch((err) => log.error({ err, room: id }, 'streaming-outs of a room not deleted'));
    });
  }

  /** URL schemes that can be pushed by. */
  get schemes(): readonly string[] {
    return this.#options.pushers.flatMap(({ schemes }) => schemes);
  }

  get all(): Iterable<StreamingOut> {
    return this.#all.values();
  }

  /** Of one room, in order of id. */
  of(roomId: RoomId): readonly StreamingOut[] {
    return [...this.#all.values()].filter(({ record }) => record.roomId === roomId);
  }

  /** @throws GatewayError `not_found` */
  get(roomId: RoomId, id: string): StreamingOut {
    const found = this.#all.get(id);
    if (found?.record.roomId !== roomId) throw new GatewayError('not_found', 'There is no such streaming-out.');
    return found;
  }

  /**
   * @param urls of its targets
   * @throws GatewayError `unprocessable` (scheme, or a view or stream that is not there), `invalid_request` (URL), `forbidden` (network), `limit_reached`,
   *   `not_found` (room), `no_common_codec` (sound), `draining`
   */
  async create(
    roomId: RoomId,
    settings: Omit<StreamingOutSettings, 'targets'>,
    urls: readonly string[],
  ): Promise<StreamingOut> {
    if (this.#isDraining) throw new GatewayError('draining', 'This gateway takes no new work.');
    const { maxPerRoom, store } = this.#options;
    const targets = this.#targetsOf(urls, []);
    await this.#assertMedia(roomId, settings);
    this.#assertStream(roomId, settings.source);
    if (this.of(roomId).length >= maxPerRoom) {
      throw new GatewayError('limit_reached', `At most ${maxPerRoom} streams leave one room.`);
    }
    const record: StreamingOutRecord = { ...settings, targets, id: newEgressId(), roomId, createdAtMs: Date.now() };
    await store.put(collection, record.id, record, 0);
    const made = this.#begin(record);
    this.events.emit('changed', made);
    return made;
  }

  /** Live: targets that stay go on. @throws GatewayError like `create` */
  async update(roomId: RoomId, id: string, change: StreamingOutChange): Promise<StreamingOut> {
    const one = this.get(roomId, id);
    const { isPaused, addUrls = [], removeTargets = [], pauseTargets = [], resumeTargets = [], ...settings } = change;
    const kept = this.#kept(one.record, { isPaused, removeTargets, pauseTargets, resumeTargets });
    const record: StreamingOutRecord = {
      ...one.record,
      ...settings,
      targets: [...kept, ...this.#targetsOf(addUrls, kept)],
    };
    await this.#assertMedia(roomId, record);
    // One that has ended since keeps what is changed beside it from nothing.
    if (change.source) this.#assertStream(roomId, change.source);
    await this.#options.store.put(collection, record.id, record);
    this.get(roomId, id); // deleted meanwhile
    one.apply(record);
    this.events.emit('changed', one);
    return one;
  }

  /** @throws GatewayError `not_found` */
  async delete(roomId: RoomId, id: string): Promise<void> {
    const found = this.get(roomId, id);
    await this.#options.store.delete(collection, id);
    this.#all.delete(id);
    this.events.emit('deleted', found);
    await found.close('requested');
  }

  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
    for (const one of this.#all.values()) one.start();
  }

  #kept(
    { targets }: StreamingOutRecord,
    change: Required<Pick<StreamingOutChange, 'removeTargets' | 'pauseTargets' | 'resumeTargets'>> &
      Pick<StreamingOutChange, 'isPaused'>,
  ): readonly StreamingOutTarget[] {
    const { isPaused, removeTargets = [], pauseTargets = [], resumeTargets = [] } = change;
    for (const id of [...removeTargets, ...pauseTargets, ...resumeTargets]) {
      if (!targets.some((target) => target.id === id)) {
        throw new GatewayError('not_found', `It has no target "${id.slice(0, 64)}".`);
      }
    }
    return targets
      .filter(({ id }) => !removeTargets.includes(id))
      .map((target) => {
        const isNamed = pauseTargets.includes(target.id) || (!resumeTargets.includes(target.id) && target.isPaused);
        return { ...target, isPaused: isPaused ?? isNamed };
      });
  }

  #targetsOf(urls: readonly string[], others: readonly StreamingOutTarget[]): StreamingOutTarget[] {
    for (const url of urls) this.#pusherOf(url).check(url);
    if (urls.length + others.length > maxTargets) {
      throw new GatewayError('limit_reached', `A streaming-out has at most ${maxTargets} targets.`);
    }
    return urls.map((url) => ({ id: `TG_${randomText(8)}`, url, isPaused: false }));
  }

  /** A view that the room does not have never begins to stream; whoever asks for it is told now. */
  async #assertMedia(
    roomId: RoomId,
    { source, hasAudio, hasVideo, audioCodec }: Omit<StreamingOutSettings, 'targets'>,
  ): Promise<void> {
    if (!hasAudio && (!hasVideo || source.kind === 'mix')) {
      throw new GatewayError('unprocessable', 'Nothing is left of it without sound and pictures.');
    }
    const { record } = await this.#options.rooms.get(roomId);
    if (hasAudio) assertGivesAudio(record, audioCodec);
    if (source.kind !== 'view') return;
    const names = this.#options.views.settingsOf(record).map(({ name }) => name);
    if (names.includes(source.view)) return;
    throw new GatewayError(
      'unprocessable',
      `The room has no view "${source.view.slice(0, 64)}"; it has: ${names.join(', ')}.`,
    );
  }

  /** Participants may come later, under the name of their user; the id of a stream is never given again. */
  #assertStream(roomId: RoomId, source: EgressSource): void {
    if (source.kind !== 'stream') return;
    const room = this.#options.rooms.live(roomId);
    if (room && streamIn(room, source.stream)) return;
    throw new GatewayError('unprocessable', `Nobody sends a stream "${source.stream.slice(0, 64)}".`);
  }

  #pusherOf(url: string): Pusher {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '';
    const pusher = this.#options.pushers.find(({ schemes }) => schemes.includes(scheme));
    if (pusher) return pusher;
    const known = this.schemes.map((one) => `${one}://`).join(', ');
    const what = scheme ? `Nothing here can push to "${scheme}:" URLs` : 'The URL does not begin with a scheme';
    throw new GatewayError('unprocessable', `${what}; these can be pushed to: ${known}.`);
  }

  #begin(record: StreamingOutRecord, delayMs?: number): StreamingOut {
    const { rooms, media, views, log } = this.#options;
    const pusherOf = (url: string) => this.#pusherOf(url);
    const one = this.own(new StreamingOut({ record, rooms, media, views, pusherOf, log }));
    this.#all.set(record.id, one);
    one.events.on('changed', () => this.events.emit('changed', one));
    one.events.on('targetChanged', () => this.events.emit('changed', one));
    if (delayMs === undefined) one.start();
    else one.startIn(delayMs);
    return one;
  }

  async #load(): Promise<void> {
    const { store, log } = this.#options;
    let count = 0;
    for (let after = ''; ; ) {
      const page = await store.list<StreamingOutRecord>(collection, { after });
      for (const { id, value } of page) {
        // A lost key file leaves it without its sealed addresses: it stays, without targets, until some are given.
        const targets = value.targets ?? [];
        try {
          for (const { url } of targets) this.#pusherOf(url);
          this.#begin({ ...value, targets }, bootIntervalMs * ++count);
        } catch (err) {
          // A scheme that this release cannot push by any more: the record stays for the one that can.
          log.error({ err, streamingOut: id }, 'streaming-out not loaded');
        }
      }
      const last = page.at(-1);
      if (!last) return;
      after = last.id;
    }
  }

  async #deleteOf(roomId: RoomId): Promise<void> {
    for (const { record } of this.of(roomId)) await this.delete(roomId, record.id);
  }

  protected override onClose(): void {
    this.events.removeAllListeners();
  }
}
