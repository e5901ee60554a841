// Owns: which recordings there are, of all rooms: kept in the store, running while their rooms do. May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError, toGatewayError } from './errors.ts';
import { newRecordingId, type RoomId } from './ids.ts';
import { Owned } from './lifecycle.ts';
import type { Logger, MediaPort } from './ports.ts';
import type { RecordedCall } from './recorded-call.ts';
import { Recording } from './recording.ts';
import type { RecordingFiles } from './recording-files.ts';
import {
  isOver,
  isRunning,
  type RecordingPart,
  type RecordingReason,
  type RecordingRecord,
  type RecordingSettings,
  type RecordingState,
} from './recording-record.ts';
import { chooseExpired, type RetentionRules } from './recording-retention.ts';
import { assertRecordable } from './recording-source.ts';
import { checkTemplate } from './recording-template.ts';
import { type RecordingUploader, RecordingUploads } from './recording-uploads.ts';
import { assertGivesAudio } from './room-media.ts';
import type { Rooms } from './rooms.ts';
import type { StorePort } from './store-port.ts';
import type { ViewPort } from './view-port.ts';

export interface RecordingsOptions {
  readonly store: StorePort;
  readonly rooms: Rooms;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly files: RecordingFiles;
  readonly uploader?: RecordingUploader | undefined;
  readonly log: Logger;
  /** Running at once. */
  readonly maxPerRoom: number;
  readonly maxDurationMs: number;
  readonly retention: RetentionRules;
}

export type RecordingsEvents = {
  changed: [record: RecordingRecord, from: RecordingState];
  uploaded: [record: RecordingRecord];
  deleted: [record: RecordingRecord];
};

const collection = 'recordings';
const spaceCheckMs = 5_000;
const retentionMs = 600_000;

export class Recordings extends Owned {
  readonly events = new EventEmitter<RecordingsEvents>();
  readonly #options: RecordingsOptions;
  readonly #all = new Map<string, Recording>();
  readonly #uploads: RecordingUploads | undefined;
  readonly #timers: NodeJS.Timeout[];
  #saving: Promise<void> = Promise.resolve();
  #recovering: Promise<void> = Promise.resolve();
  #isDraining = false;

  /** Reads what there is, and finishes what a gateway before this one could not. */
  static async create(options: RecordingsOptions): Promise<Recordings> {
    const recordings = new Recordings(options);
    await recordings.#load();
    return recordings;
  }

  private constructor(options: RecordingsOptions) {
    super();
    this.#options = options;
    const { uploader, files, log, rooms } = options;
    const onUploaded = ({ record }: Recording) => this.events.emit('uploaded', record);
    this.#uploads = uploader && this.own(new RecordingUploads({ uploader, files, onUploaded, log }));
    this.#timers = [
      setInterval(() => void this.#watchSpace(), spaceCheckMs).unref(),
      setInterval(() => void this.#expire(), retentionMs).unref(),
    ];
    rooms.events.on('deleted', ({ id }) => {
      for (const recording of this.of(id)) void recording.stop('room_closed', 'The room was deleted.');
    });
  }

  get canUpload(): boolean {
    return this.#uploads !== undefined;
  }

  /** @returns settled when what an ended gateway had left is finished */
  get recovered(): Promise<void> {
    return this.#recovering;
  }

  /** Refuses new ones. */
  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  /** Of one room, the newest first. */
  of(roomId: RoomId): readonly Recording[] {
    return [...this.#all.values()]
      .filter(({ record }) => record.roomId === roomId)
      .sort((one, other) => other.record.startedAtMs - one.record.startedAtMs);
  }

  /** A room that is there, or one that was and has recordings. @throws GatewayError `not_found` */
  async roomIdOf(nameOrId: string): Promise<RoomId> {
    const found = await this.#options.rooms.find(nameOrId);
    if (found) return found.record.id;
    const name = nameOrId.toLowerCase();
    for (const { record } of this.#all.values()) {
      if (record.roomId === nameOrId || record.roomName.toLowerCase() === name) return record.roomId;
    }
    throw new GatewayError('not_found', `There is no room "${nameOrId.slice(0, 64)}".`);
  }

  /** @throws GatewayError `not_found` */
  get(roomId: RoomId, id: string): Recording {
    const found = this.#all.get(id);
    if (found?.record.roomId !== roomId) throw new GatewayError('not_found', 'There is no such recording.');
    return found;
  }

  /**
   * @throws GatewayError `limit_reached`, `insufficient_storage`, `invalid_request` (template), `unprocessable` (upload
   * without a place for it, a view or stream that is not there or has nothing of what is wanted), `no_common_codec` (sound that the room does not give), and as `Egress.start()`
   */
  async start(nameOrId: string, settings: RecordingSettings, call?: RecordedCall): Promise<Recording> {
    const { rooms, files, views, maxPerRoom, maxDurationMs } = this.#options;
    if (this.#isDraining || this.isClosed)
      throw new GatewayError('draining', 'This gateway is being drained and takes no new recordings.');
    checkTemplate(settings.template);
    if (settings.isUploaded && !this.#uploads) {
      throw new GatewayError('unprocessable', 'There is nowhere to upload to: recordings.s3 is not configured.');
    }
    await files.checkSpace();
    const room = await rooms.open(nameOrId);
    if (settings.hasAudio) assertGivesAudio(room.record, settings.audioCodec);
    assertRecordable(settings, room, views);
    // Calls are as many as there may be calls.
    const running = this.of(room.id).filter(({ record }) => isRunning(record.state) && record.source.kind !== 'call');
    if (!call && running.length >= maxPerRoom) {
      throw new GatewayError('limit_reached', `At most ${maxPerRoom} recordings of one room run at once.`);
    }
    const nowMs = Date.now();
    const record: RecordingRecord = {
      ...settings,
      maxDurationMs: Math.min(settings.maxDurationMs ?? maxDurationMs, maxDurationMs),
      ...{ id: newRecordingId(), roomId: room.id, roomName: room.name },
      ...{ state: 'starting', reason: 'requested', message: 'Setting up.', changedAtMs: nowMs, startedAtMs: nowMs },
      ...{ tracks: [], parts: [] },
    };
    const recording = this.#begin(record, call);
    this.#save(recording.record);
    await recording.start(room);
    return recording;
  }

  /**
   * Of one call: listed with the room that it is in now, and goes on wherever the call goes.
   * @throws GatewayError as `start()`; `conflict` where it is recorded already
   */
  async startOfCall(nameOrId: string, settings: RecordingSettings, call: RecordedCall): Promise<Recording> {
    if (this.ofCall(call.id)) throw new GatewayError('conflict', 'This call is being recorded already.');
    return this.start(nameOrId, settings, call);
  }

  /** Running now. */
  ofCall(callId: string): Recording | undefined {
    return [...this.#all.values()].find(
      ({ record: { state, source } }) => isRunning(state) && source.kind === 'call' && source.callId === callId,
    );
  }

  /** @returns once their files are finished */
  async stopAll(reason: RecordingReason, message: string): Promise<void> {
    this.#isDraining = true;
    const running = [...this.#all.values()].filter(({ record }) => !isOver(record.state));
    await Promise.all(running.map((recording) => recording.stop(reason, message)));
  }

  /** Ends it if it runs; its files go too. */
  async delete(roomId: RoomId, id: string): Promise<void> {
    const recording = this.get(roomId, id);
    await recording.forget();
    this.#all.delete(id);
    await this.#saving;
    await this.#options.store.delete(collection, id);
    this.events.emit('deleted', recording.record);
  }

  #begin(record: RecordingRecord, call?: RecordedCall): Recording {
    const { media, views, files, log } = this.#options;
    const save = (changed: RecordingRecord) => this.#save(changed);
    const recording = this.own(new Recording({ record, media, views, files, call, save, log }));
    recording.events.on('changed', (changed, from) => {
      this.events.emit('changed', changed, from);
      if (isOver(changed.state)) void this.#expire();
    });
    recording.events.on('partFinished', (part) => this.#upload(recording, part));
    this.#all.set(record.id, recording);
    return recording;
  }

  #upload(recording: Recording, part: RecordingPart): void {
    if (recording.record.isUploaded) this.#uploads?.add(recording, part);
  }

  /** One after the other, so that the last is what stays. */
  #save(record: RecordingRecord): void {
    const { store, log } = this.#options;
    this.#saving = this.#saving
      .then(async () => {
        if (this.#all.has(record.id)) await store.put(collection, record.id, record);
      })
      .catch((err) => log.error({ err, recording: record.id }, 'recording not saved'));
  }

  async #load(): Promise<void> {
    const { store } = this.#options;
    const broken: Recording[] = [];
    for (let after = ''; ; ) {
      const page = await store.list<RecordingRecord>(collection, { after });
      for (const { value } of page) {
        const recording = this.#begin(value);
        if (!isOver(value.state)) broken.push(recording);
        for (const part of value.parts) if (part.upload?.state !== 'failed') this.#upload(recording, part);
      }
      const last = page.at(-1);
      if (!last) break;
      after = last.id;
    }
    this.#recovering = this.#recover(broken);
  }

  async #recover(broken: readonly Recording[]): Promise<void> {
    for (const recording of broken) {
      if (this.isClosed) return;
      await recording.recover();
    }
  }

  /** What records into the last bytes of a disk takes them from everybody else. */
  async #watchSpace(): Promise<void> {
    const running = [...this.#all.values()].filter(({ record }) => isRunning(record.state));
    if (running.length === 0) return;
    try {
      await this.#options.files.checkSpace();
    } catch (error) {
      const { message } = toGatewayError(error);
      for (const recording of running) void recording.stop('disk_full', message);
    }
  }

  async #expire(): Promise<void> {
    const { files, retention, log } = this.#options;
    try {
      const usage = await files.usage();
      const records = [...this.#all.values()]
        .filter((recording) => !this.#uploads?.isBusyWith(recording))
        .map(({ record }) => record);
      for (const { id, roomId } of chooseExpired(records, usage, retention, Date.now())) {
        log.info({ recording: id }, 'recording deleted by the rules of retention');
        await this.delete(roomId, id);
      }
    } catch (err) {
      if (!this.isClosed) log.warn({ err }, 'old recordings not looked for');
    }
  }

  /** What they have is on the disk; it is finished at the next start. */
  protected override async onClose(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#recovering.catch(() => undefined);
    await this.#saving;
  }
}
