// Owns: one recording: its state and the one function that moves it, its parts, its end. May import: core only.
import { EventEmitter } from 'node:events';
import type { EgressSinkInfo } from './egress-sink.ts';
import { GatewayError, toGatewayError } from './errors.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import { listen } from './listen.ts';
import type { Logger, MediaPort } from './ports.ts';
import type { RecordedCall } from './recorded-call.ts';
import type { RawPart, RecordingFiles } from './recording-files.ts';
import {
  canMoveRecording,
  isOver,
  isRunning,
  type RecordingPart,
  type RecordingReason,
  type RecordingRecord,
  type RecordingState,
} from './recording-record.ts';
import { fillTemplate } from './recording-template.ts';
import { RecordingTracks } from './recording-tracks.ts';
import type { Room } from './room.ts';
import type { ViewPort } from './view-port.ts';

export interface RecordingOptions {
  readonly record: RecordingRecord;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly files: RecordingFiles;
  /** Where it is one call that is recorded. */
  readonly call?: RecordedCall | undefined;
  /** In the order of the calls. */
  readonly save: (record: RecordingRecord) => void;
  readonly log: Logger;
}

export type RecordingEvents = {
  changed: [record: RecordingRecord, from: RecordingState];
  /** A file is ready, and stays as it is. */
  partFinished: [part: RecordingPart];
};

const reviewMs = 1_000;
/** Files that are complete while it still records are finished at this pace. */
const harvestMs = 10_000;
/** The reasons of a recorder that are ours too. */
const sinkReasons = ['disk_full', 'not_writable', 'overloaded', 'unsupported_media'] as const;

export class Recording extends Owned {
  readonly events = new EventEmitter<RecordingEvents>();
  readonly #options: RecordingOptions;
  readonly #log: Logger;
  #record: RecordingRecord;
  #tracks: RecordingTracks | undefined;
  #room: Room | undefined;
  #isForgotten = false;
  #forgetInRoom: (() => void) | undefined;
  #ending: Promise<void> | undefined;
  #harvesting: Promise<void> = Promise.resolve();
  #timers: NodeJS.Timeout[] = [];
  /** Media time so far, and since when it runs on. */
  #recordedMs = 0;
  #runsSinceMs: number | undefined;
  #emptySinceMs: number | undefined;
  /** Why something that was written is no part of it. */
  #loss: string | undefined;
  /** When it ended, by its recorders. */
  #writtenBytes = 0;

  constructor(options: RecordingOptions) {
    super();
    this.#options = options;
    this.#record = options.record;
    this.#log = options.log.child({ recording: options.record.id });
  }

  get record(): RecordingRecord {
    return this.#record;
  }

  /** Deleted: nothing is kept of it any more. */
  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  /** Of media, without pauses; a part that was lost counts too. */
  get recordedMs(): number {
    return this.#recordedMs + (this.#runsSinceMs === undefined ? 0 : Date.now() - this.#runsSinceMs);
  }

  /** On the disk. */
  get bytes(): number {
    const finished = this.#record.parts.reduce((sum, { bytes }) => sum + bytes, 0);
    return isRunning(this.#record.state) ? Math.max(finished, this.#tracks?.bytes ?? 0) : finished;
  }

  /** @throws GatewayError as `Egress.start()`; then it is `failed` */
  async start(room: Room): Promise<void> {
    const { media, views, files, call } = this.#options;
    const parts = { record: this.#record, room, media, views, files, call, log: this.#log };
    const tracks = this.own(new RecordingTracks(parts));
    this.#tracks = tracks;
    tracks.events.on('added', (track) => this.#change({ tracks: [...this.#record.tracks, track] }));
    tracks.events.on('changed', (info) => this.#noteSink(info));
    tracks.events.on('ended', (reason) => this.#end(...endOf(reason)));
    this.#room = room;
    this.#tellRoom(true);
    if (call) {
      // Wherever it goes, it ends with the call.
      void call.leg.done.then(() => this.#end('call_ended', 'The call has ended.'));
    } else {
      const unlisten = listen(room.events, { closed: () => this.#end('room_closed', 'The room was closed.') });
      this.signal.addEventListener('abort', unlisten, { once: true });
    }
    this.#timers = [
      setInterval(() => this.#review(room), reviewMs),
      setInterval(() => void this.#harvest(false), harvestMs),
    ];
    try {
      await tracks.start();
    } catch (thrown) {
      const error = toGatewayError(thrown);
      this.#move('failed', 'internal', error.message);
      void this.close('failed');
      throw error;
    }
  }

  /** Nothing is written until it is resumed. @throws GatewayError `conflict` in any other state than recording */
  pause(): void {
    if (this.#record.state === 'paused') return;
    if (!isRunning(this.#record.state)) throw new GatewayError('conflict', `It is ${this.#record.state} already.`);
    this.#tracks?.setPaused(true);
    this.#tellRoom(false);
    this.#move('paused', 'paused', 'Paused on request.');
  }

  /** Goes on in the same file. @throws GatewayError `conflict` */
  resume(): void {
    if (this.#record.state === 'recording' || this.#record.state === 'starting') return;
    if (this.#record.state !== 'paused') throw new GatewayError('conflict', `It is ${this.#record.state} already.`);
    this.#tracks?.setPaused(false);
    this.#tellRoom(true);
    this.#move('recording', 'media_flowing', 'Recording.');
  }

  /** @returns once its files are finished */
  async stop(reason: RecordingReason = 'stopped', message = 'Stopped on request.'): Promise<void> {
    this.#end(reason, message);
    await this.#ending;
  }

  /** Of one that the gateway was ended in: makes what there is into files. */
  async recover(): Promise<void> {
    if (isRunning(this.#record.state)) {
      const raws = await this.#options.files.rawParts(this.#record.id).catch(() => []);
      // Not now, which may be days later.
      const endedAtMs = Math.max(this.#record.changedAtMs, ...raws.map(({ writtenAtMs }) => writtenAtMs));
      this.#change({ endedAtMs });
      this.#move('finalising', 'gateway_ended', 'The gateway was ended; this is what had been recorded until then.');
    }
    await this.#finalise();
  }

  /** Ends it, and deletes what is on the disk. */
  async forget(): Promise<void> {
    await this.stop();
    this.#isForgotten = true;
    const { files } = this.#options;
    await files.removeWork(this.#record.id);
    for (const part of this.#record.parts) await files.remove(part);
  }

  /** What is known of its parts is another now: uploaded, deleted. */
  updateParts(update: (part: RecordingPart) => RecordingPart): void {
    this.#change({ parts: this.#record.parts.map(update) });
  }

  #noteSink({ state, reason, message }: EgressSinkInfo): void {
    if (state === 'live' && this.#record.state === 'starting') {
      this.#move('recording', 'media_flowing', 'Recording.');
    } else if (state === 'reconnecting' && this.#record.state === 'recording') {
      this.#change({ message: 'The media worker was lost; it goes on in a next part.' });
    } else if (state === 'live' && this.#record.state === 'recording') {
      this.#change({ message });
    } else if (state === 'failed') {
      this.#end(sinkReasons.find((one) => one === reason) ?? 'internal', message);
    }
  }

  /** Ends it when it is long enough, or nobody is there who could be recorded. */
  #review(room: Room): void {
    const { maxDurationMs } = this.#record;
    if (maxDurationMs !== undefined && this.recordedMs >= maxDurationMs) {
      this.#end('limit_reached', 'It is as long as it was to become.');
    }
    if (this.#options.call) return;
    const isEmpty = room.visibleCount === 0;
    this.#emptySinceMs = isEmpty ? (this.#emptySinceMs ?? performance.now()) : undefined;
    if (this.#emptySinceMs === undefined) return;
    if (performance.now() - this.#emptySinceMs >= room.record.emptyTimeoutMs) {
      this.#end('room_empty', 'Nobody has been in the room for a while.');
    }
  }

  #end(reason: RecordingReason, message: string): void {
    if (this.#ending || !isRunning(this.#record.state)) return;
    this.#tellRoom(false);
    this.#writtenBytes = this.bytes;
    this.#move('finalising', reason, message);
    this.#ending = this.#finalise();
  }

  /** Who is in the room, or on the phone, is told whether it is being recorded. */
  #tellRoom(isRecorded: boolean): void {
    const { call } = this.#options;
    this.#forgetInRoom?.();
    this.#forgetInRoom = undefined;
    if (!isRecorded || !this.#room) return;
    const { id } = this.#record;
    call?.noteRecorded(true, id);
    this.#forgetInRoom = call ? () => call.noteRecorded(false, id) : this.#room.noteRecording();
  }

  async #finalise(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    try {
      // Its recorders write what they still have.
      await this.#tracks?.close('requested');
      if (!this.isClosed) await this.#harvest(true);
    } catch (err) {
      this.#log.error({ err }, 'recording not finalised');
    }
    // A gateway that is being ended leaves the rest to its next start.
    if (this.#record.state === 'finalising' && !this.isClosed) this.#finish();
    void this.close('requested');
  }

  #finish(): void {
    const { reason, message, parts } = this.#record;
    if (this.#loss !== undefined) this.#move('failed', 'not_writable', this.#loss);
    else if (parts.length === 0 && isGood(reason))
      this.#move('failed', 'no_media', 'Nothing came that could be recorded.');
    else this.#move(isGood(reason) ? 'finished' : 'failed', reason, message);
  }

  /** @param includesLast of each track; it is being written while it records */
  #harvest(includesLast: boolean): Promise<void> {
    this.#harvesting = this.#harvesting.then(async () => {
      const { files } = this.#options;
      const raws = await files.rawParts(this.#record.id);
      const isLast = ({ track, number }: RawPart) =>
        !raws.some((other) => other.track === track && other.number > number);
      for (const raw of raws) {
        if (this.isClosed) return;
        if (includesLast || !isLast(raw)) await this.#tryPart(raw, includesLast);
      }
      if (!includesLast || this.isClosed) return;
      if (this.#loss === undefined) await files.removeWork(this.#record.id);
      if (raws.length > 0 || this.#record.parts.length > 0 || this.#writtenBytes === 0) return;
      this.#loss = 'What it had written is not on the disk any more: it was deleted while it grew.';
    });
    return this.#harvesting.catch((err) => {
      this.#log.error({ err }, 'files of a recording not finished');
    });
  }

  /** One that fails keeps no other from being finished; it stays where it grew, and is tried again at the end. */
  async #tryPart(raw: RawPart, isAtEnd: boolean): Promise<void> {
    try {
      await this.#finishPart(raw);
    } catch (err) {
      if (this.isClosed) return;
      this.#log.error({ err, file: raw.path }, 'file of a recording not finished');
      const why = err instanceof Error && 'code' in err ? ` (${err.code})` : '';
      if (isAtEnd)
        this.#loss = `A file of it could not be put into its folder${why}; it is kept in .work/${this.#record.id}.`;
    }
  }

  async #finishPart(raw: RawPart): Promise<void> {
    const { format, video, template, roomName, id, name, tracks } = this.#record;
    const number = Math.max(0, ...this.#record.parts.map((part) => part.number)) + 1;
    const target = fillTemplate(template, {
      ...{ room: roomName, id, name: name ?? roomName },
      track: tracks.find((track) => track.number === raw.track)?.label ?? 'room',
      part: number,
      startedAtMs: raw.startedAtMs,
    });
    const otherwise = `${id}-${number}`;
    const finished = await this.#options.files.finish({ raw, format, target, otherwise, hasVideo: video !== 'off' });
    if (!finished) return;
    const part: RecordingPart = { number, track: raw.track, isLocal: true, ...finished };
    this.#change({ parts: [...this.#record.parts, part] });
    this.events.emit('partFinished', part);
  }

  /** The only way from state to state. */
  #move(to: RecordingState, reason: RecordingReason, message: string): void {
    const from = this.#record.state;
    if (!canMoveRecording(from, to)) return;
    this.#recordedMs = this.recordedMs;
    this.#runsSinceMs = to === 'recording' ? Date.now() : undefined;
    const isEnd = !isRunning(to) && this.#record.endedAtMs === undefined;
    this.#change({
      ...{ state: to, reason, message, changedAtMs: Date.now() },
      ...(isEnd && { endedAtMs: Date.now() }),
    });
    this.#log.info({ state: to, reason }, 'recording changed');
    this.events.emit('changed', this.#record, from);
  }

  #change(change: Partial<RecordingRecord>): void {
    this.#record = { ...this.#record, ...change };
    if (!this.#isForgotten) this.#options.save(this.#record);
  }

  protected override onClose(): void {
    this.#tellRoom(false);
    for (const timer of this.#timers) clearInterval(timer);
    if (isOver(this.#record.state)) this.events.removeAllListeners();
  }
}

function isGood(reason: RecordingReason): boolean {
  return !(['disk_full', 'not_writable', 'overloaded', 'unsupported_media', 'internal'] as const).some(
    (bad) => bad === reason,
  );
}

function endOf(reason: CloseReason): [RecordingReason, string] {
  if (reason === 'failed') return ['internal', 'Its media was lost and could not be set up again.'];
  if (reason === 'peer_left') return ['stream_ended', 'The stream or view that was recorded is there no longer.'];
  return ['room_closed', 'What was recorded is there no longer.'];
}
