// Owns: what is looked for in which rooms: kept in the store, running while the rooms are in use. May import: core only.
import { EventEmitter } from 'node:events';
import { Analysis, type AnalysisRecord, type OpenFinding } from './analysis.ts';
import { pictureDetectors } from './analysis-messages.ts';
import { GatewayError } from './errors.ts';
import { newAnalysisId, type RoomId } from './ids.ts';
import { Owned } from './lifecycle.ts';
import { MadeAt } from './made-at.ts';
import type { Logger, MediaPort } from './ports.ts';
import type { Rooms } from './rooms.ts';
import type { StorePort } from './store-port.ts';
import type { ViewPort } from './view-port.ts';

export interface AnalysesOptions {
  readonly store: StorePort;
  readonly rooms: Rooms;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly log: Logger;
  readonly maxPerRoom: number;
}

export type AnalysisSettings = Pick<AnalysisRecord, 'name' | 'source' | 'detectors' | 'framerateHz'>;

export type AnalysesEvents = {
  started: [one: Analysis];
  changed: [one: Analysis];
  stopped: [one: Analysis];
  detected: [one: Analysis, finding: OpenFinding];
  cleared: [one: Analysis, finding: OpenFinding, endedAtMs: number, reason: 'interrupted' | undefined];
};

const collection = 'analytics';
/** Whether there is room for it is clear at once; whoever asks is not kept until its worker is up. */
const admissionMs = 500;

export class Analyses extends Owned {
  readonly events = new EventEmitter<AnalysesEvents>();
  readonly #options: AnalysesOptions;
  readonly #all = new Map<string, Analysis>();
  readonly #madeAt = new MadeAt();
  #isDraining = false;

  static async create(options: AnalysesOptions): Promise<Analyses> {
    const analyses = new Analyses(options);
    await analyses.#load();
    return analyses;
  }

  private constructor(options: AnalysesOptions) {
    super();
    this.#options = options;
    const { rooms, log } = options;
    rooms.events.on('opened', (room) => {
      for (const one of this.of(room.id)) void one.review();
    });
    rooms.events.on('deleted', ({ id }) => {
      for (const { record } of this.of(id)) {
        this.delete(id, record.id).catch((err) => log.error({ err, room: id }, 'analysis of a room not deleted'));
      }
    });
  }

  /** In the order in which they were made. */
  of(roomId: RoomId): readonly Analysis[] {
    return [...this.#all.values()]
      .filter(({ record }) => record.roomId === roomId)
      .sort((a, b) => a.record.createdAtMs - b.record.createdAtMs);
  }

  /** @throws GatewayError `not_found` */
  get(roomId: RoomId, id: string): Analysis {
    const found = this.#all.get(id);
    if (found?.record.roomId !== roomId) throw new GatewayError('not_found', 'There is no such analysis.');
    return found;
  }

  /**
   * @throws GatewayError `draining`, `limit_reached`, `unprocessable` (nothing to look for, or nowhere), `overloaded` when no
   * media worker has room for it; it is not kept then
   */
  async start(roomId: RoomId, settings: AnalysisSettings): Promise<Analysis> {
    if (this.#isDraining) throw new GatewayError('draining', 'This gateway is being drained and takes no new work.');
    const { maxPerRoom, store } = this.#options;
    await this.#assertSensible(roomId, settings);
    if (this.of(roomId).length >= maxPerRoom) {
      throw new GatewayError('limit_reached', `At most ${maxPerRoom} analyses run in one room.`);
    }
    const record: AnalysisRecord = { ...settings, id: newAnalysisId(), roomId, createdAtMs: this.#madeAt.next() };
    await store.put(collection, record.id, record, 0);
    const made = this.#begin(record);
    await this.#assertKept(made);
    await within(admissionMs, made.review());
    const { state, reason, message } = made.status;
    if (state === 'failed' && reason === 'overloaded') {
      await this.delete(roomId, record.id);
      throw new GatewayError('overloaded', message, { retryAfterMs: 10_000 });
    }
    return made;
  }

  /** A room that was deleted while it was written told nobody of it. @throws GatewayError `not_found` */
  async #assertKept({ record: { id, roomId } }: Analysis): Promise<void> {
    if (await this.#options.rooms.findRecord(roomId)) return;
    if (this.#all.has(id)) await this.delete(roomId, id);
    throw new GatewayError('not_found', 'There is no such room any more.');
  }

  /** @throws GatewayError `not_found` */
  async delete(roomId: RoomId, id: string): Promise<void> {
    const found = this.get(roomId, id);
    await this.#options.store.delete(collection, id);
    this.#all.delete(id);
    await found.close('requested');
    this.events.emit('stopped', found);
  }

  /** What is looked at now is looked at on. */
  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  async #assertSensible(roomId: RoomId, { source, detectors }: AnalysisSettings): Promise<void> {
    const wanted = Object.entries(detectors).flatMap(([name, one]) => (one ? [name] : []));
    if (wanted.length === 0) throw new GatewayError('unprocessable', 'Name at least one thing to look for.');
    const ofPictures = wanted.filter((name) => (pictureDetectors as readonly string[]).includes(name));
    if (source.kind === 'mix' && ofPictures.length > 0) {
      throw new GatewayError('unprocessable', `The mix has no pictures to look for ${ofPictures.join(', ')} in.`);
    }
    if (source.kind !== 'view') return;
    const names = this.#options.views
      .settingsOf((await this.#options.rooms.get(roomId)).record)
      .map(({ name }) => name);
    if (names.includes(source.view)) return;
    const has = names.join(', ');
    throw new GatewayError('unprocessable', `The room has no view "${source.view.slice(0, 64)}"; it has: ${has}.`);
  }

  #begin(record: AnalysisRecord): Analysis {
    const { rooms, media, views, log } = this.#options;
    const one = this.own(new Analysis({ record, rooms, media, views, log }));
    this.#all.set(record.id, one);
    one.events.on('changed', () => this.events.emit('changed', one));
    one.events.on('detected', (finding) => this.events.emit('detected', one, finding));
    one.events.on('cleared', (...told) => this.events.emit('cleared', one, ...told));
    this.events.emit('started', one);
    return one;
  }

  async #load(): Promise<void> {
    const { store } = this.#options;
    for (let after = ''; ; ) {
      const page = await store.list<AnalysisRecord>(collection, { after });
      for (const { value } of page) void this.#begin(value).review();
      const last = page.at(-1);
      if (!last) return;
      after = last.id;
    }
  }

  protected override onClose(): void {
    this.events.removeAllListeners();
  }
}

async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([work, late]);
  clearTimeout(timer);
}
