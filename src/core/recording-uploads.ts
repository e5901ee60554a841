// Owns: bringing finished recordings to where they are kept: one file after the other, again until it works. May import: core only.
import { Owned } from './lifecycle.ts';
import type { Logger } from './ports.ts';
import type { Recording } from './recording.ts';
import type { RecordingFiles } from './recording-files.ts';
import { isOver, type RecordingPart, type UploadStatus } from './recording-record.ts';

/** Implemented in src/recordings. */
export interface RecordingUploader {
  /**
   * @param key of the object, without what the configuration puts in front
   * @returns where it is
   * @throws GatewayError `upstream_refused` for what will not change by itself, `upstream_failed`
   */
  upload(path: string, key: string, onSent: (bytes: number) => void, signal: AbortSignal): Promise<string>;
}

export interface RecordingUploadsOptions {
  readonly uploader: RecordingUploader;
  readonly files: RecordingFiles;
  readonly onUploaded: (recording: Recording) => void;
  readonly log: Logger;
}

/** With these waits, about a day. */
const maxAttempts = 50;
const delaysMs = [1_000, 5_000, 15_000, 60_000, 300_000];
const lastDelayMs = 1_800_000;

interface Waiting {
  readonly recording: Recording;
  readonly part: RecordingPart;
}

export class RecordingUploads extends Owned {
  readonly #options: RecordingUploadsOptions;
  readonly #waiting: Waiting[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #work: Promise<void> | undefined;

  constructor(options: RecordingUploadsOptions) {
    super();
    this.#options = options;
  }

  /** Of a part that is to be uploaded and has not been. */
  add(recording: Recording, part: RecordingPart): void {
    if (this.isClosed || part.upload?.state === 'uploaded' || !part.isLocal) return;
    this.#note(recording, part, { state: 'waiting', attempts: part.upload?.attempts ?? 0, sentBytes: 0 });
    this.#enqueue({ recording, part });
  }

  /** Whether something of it is still to be sent. */
  isBusyWith(recording: Recording): boolean {
    return recording.record.parts.some(({ upload }) => upload?.state === 'waiting' || upload?.state === 'uploading');
  }

  #enqueue(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#work ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      const next = this.#waiting.shift();
      if (!next || this.isClosed) break;
      // Deleted while it waited.
      if (!next.recording.isForgotten) await this.#send(next);
    }
    this.#work = undefined;
  }

  async #send({ recording, part }: Waiting): Promise<void> {
    const { uploader, files, log } = this.#options;
    const attempts = (this.#statusOf(recording, part)?.attempts ?? 0) + 1;
    this.#note(recording, part, { state: 'uploading', attempts, sentBytes: 0 });
    try {
      const onSent = (sentBytes: number) => this.#note(recording, part, { state: 'uploading', attempts, sentBytes });
      const url = await uploader.upload(files.pathOf(part.file), part.file, onSent, this.signal);
      this.#note(recording, part, { state: 'uploaded', attempts, sentBytes: part.bytes, url });
      if (recording.record.deletesAfterUpload) await this.#deleteLocal(recording, part);
      this.#tellWhenDone(recording);
    } catch (error) {
      if (this.isClosed) return;
      const message = error instanceof Error ? error.message : String(error);
      log.warn(
        { recording: recording.record.id, part: part.number, what: message },
        'part of a recording not uploaded',
      );
      const isFinal = attempts >= maxAttempts;
      this.#note(recording, part, { state: isFinal ? 'failed' : 'waiting', attempts, sentBytes: 0, message });
      if (!isFinal) this.#later(delaysMs[attempts - 1] ?? lastDelayMs, { recording, part });
    }
  }

  #later(delayMs: number, waiting: Waiting): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#enqueue(waiting);
    }, delayMs);
    this.#timers.add(timer.unref());
  }

  async #deleteLocal(recording: Recording, part: RecordingPart): Promise<void> {
    await this.#options.files.remove({ file: part.file });
    recording.updateParts((one) => (one.number === part.number ? { ...one, isLocal: false } : one));
  }

  #tellWhenDone(recording: Recording): void {
    const { state, parts } = recording.record;
    if (isOver(state) && parts.every(({ upload }) => upload?.state === 'uploaded')) this.#options.onUploaded(recording);
  }

  #statusOf(recording: Recording, { number }: RecordingPart): UploadStatus | undefined {
    return recording.record.parts.find((one) => one.number === number)?.upload;
  }

  #note(recording: Recording, { number }: RecordingPart, upload: UploadStatus): void {
    recording.updateParts((part) => (part.number === number ? { ...part, upload } : part));
  }

  protected override async onClose(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#work;
  }
}
