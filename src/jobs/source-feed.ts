// Owns: the way of a source's units from this process to the media worker that has its job.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { MediaSource, SourceEnd, SourceStream, SourceUnit } from '#core/media-source.ts';
import type { Logger } from '#core/ports.ts';
import type { MediaWorker } from './media-worker.ts';

/** What is kept to begin again with a whole picture; beyond it the next key frame of the source is waited for. */
const maxReplayBytes = 8 * 1024 * 1024;
/** Share of the worker's pipe that may be filled before the source is asked to wait, and below which it goes on. */
const pauseBacklog = 0.25;
const resumeBacklog = 0.05;
const backlogCheckMs = 20;
/** By an older report time stamps may have come around since. */
const reportHoldsMs = 60_000;

/**
 * Stays with the job while workers come and go. The source stays connected over the death of a worker; the next one
 * gets the stream descriptions, how the streams lie to each other, and everything since the last key frame at once.
 */
export class SourceFeed {
  readonly #jobId: string;
  readonly #openSource: () => MediaSource;
  readonly #log: Logger;
  readonly #streams = new Map<number, SourceStream>();
  #source: MediaSource | undefined;
  #worker: MediaWorker | undefined;
  #replay: SourceUnit[] = [];
  /** The last of each stream by RTP: the next may be seconds away. */
  readonly #reports = new Map<number, { readonly unit: SourceUnit; readonly atMs: number }>();
  #replayBytes = 0;
  #isPausedByWorker = false;
  #backlogTimer: NodeJS.Timeout | undefined;
  /** Units that a full pipe swallowed. */
  droppedUnits = 0;

  constructor(jobId: string, openSource: () => MediaSource, log: Logger) {
    this.#jobId = jobId;
    this.#openSource = openSource;
    this.#log = log;
  }

  /** The job is with this worker now, which will ask for the source; undefined while it is nowhere. */
  setWorker(worker: MediaWorker | undefined): void {
    this.#worker = worker;
    this.#isPausedByWorker = false;
    if (!worker) this.#source?.resume();
  }

  /** The worker wants its source: the one that is there, from its last key frame, or a new one. */
  open(): void {
    if (this.#source) {
      for (const stream of this.#streams.values()) this.#send({ type: 'describeStream', jobId: this.#jobId, stream });
      for (const { unit, atMs } of this.#reports.values()) {
        if (performance.now() - atMs < reportHoldsMs) this.#sendUnit(unit, true);
      }
      for (const unit of this.#replay) this.#sendUnit(unit, true);
      return;
    }
    let source: MediaSource;
    try {
      source = this.#openSource();
    } catch (error) {
      const { code, message } = toGatewayError(error);
      this.#tellEnd({ reason: 'failed', error: { code, message }, mayReturn: error instanceof GatewayError });
      return;
    }
    this.#source = source;
    source.start({
      describe: (stream) => this.#source === source && this.#describe(stream),
      deliver: (unit) => this.#source === source && this.#deliver(unit),
    });
    void source.done.then((end) => {
      if (this.#source !== source) return;
      this.#forget();
      this.#tellEnd(end);
    });
  }

  requestKeyFrame(streamId: number): void {
    this.#source?.requestKeyFrame(streamId);
  }

  setPaused(isPaused: boolean): void {
    this.#isPausedByWorker = isPaused;
    this.#reviewPause();
  }

  /** Ends the source, without telling the worker. */
  close(): void {
    const source = this.#source;
    this.#forget();
    source?.close('requested');
  }

  #forget(): void {
    this.#source = undefined;
    this.#streams.clear();
    this.#reports.clear();
    this.#replay = [];
    this.#replayBytes = 0;
    clearInterval(this.#backlogTimer);
    this.#backlogTimer = undefined;
  }

  #describe(stream: SourceStream): void {
    this.#streams.set(stream.id, stream);
    this.#send({ type: 'describeStream', jobId: this.#jobId, stream });
  }

  #deliver(unit: SourceUnit): void {
    if (unit.kind === 'rtcp') this.#reports.set(unit.streamId, { unit, atMs: performance.now() });
    this.#keepForReplay(unit);
    this.#sendUnit(unit, false);
    this.#reviewPause();
  }

  /** From the last key frame of the video on; audio without video needs no past. */
  #keepForReplay(unit: SourceUnit): void {
    if (unit.kind !== 'access_unit') return;
    const isVideo = this.#streams.get(unit.streamId)?.kind === 'video';
    if (isVideo && unit.isKey) {
      this.#replay = [];
      this.#replayBytes = 0;
    } else if (this.#replay.length === 0) {
      return;
    }
    this.#replay.push(unit);
    this.#replayBytes += unit.data.byteLength;
    if (this.#replayBytes > maxReplayBytes) {
      this.#replay = [];
      this.#replayBytes = 0;
    }
  }

  #reviewPause(): void {
    const backlog = this.#worker?.backlog ?? 0;
    if (this.#isPausedByWorker || backlog > pauseBacklog) {
      this.#source?.pause();
      this.#backlogTimer ??= setInterval(() => this.#reviewPause(), backlogCheckMs);
    } else if (this.#backlogTimer && backlog < resumeBacklog) {
      clearInterval(this.#backlogTimer);
      this.#backlogTimer = undefined;
      this.#source?.resume();
    }
  }

  #sendUnit(unit: SourceUnit, isReplay: boolean): void {
    if (!this.#worker) return;
    const message = { type: 'deliverUnit', jobId: this.#jobId, unit, isReplay } as const;
    if (!this.#worker.sendMedia(message, unit.data.byteLength)) {
      this.droppedUnits += 1;
      if (this.droppedUnits % 1_000 === 1)
        this.#log.warn({ dropped: this.droppedUnits }, 'media worker does not keep up');
    }
  }

  #tellEnd(end: SourceEnd): void {
    this.#send({ type: 'sourceEnded', jobId: this.#jobId, end });
  }

  /** The same way as the units, so that all of it stays in order. */
  #send(message: Parameters<MediaWorker['sendMedia']>[0]): void {
    this.#worker?.sendMedia(message, 0);
  }
}
