// Owns: a file that grows at its end, written on a thread of the pool: a slow disk never holds up the worker's media.
import { type FileHandle, open } from 'node:fs/promises';

/** Why a file cannot be written any more, in the words of a job. */
export interface WriteFailure {
  readonly reason: 'disk_full' | 'not_writable' | 'overloaded';
  readonly message: string;
}

/** Some seconds of the largest recording: what has not been written by then never will be in time. */
const maxWaitingBytes = 64 * 1024 * 1024;

export class GrowingFile {
  readonly path: string;
  readonly #onFailed: (failure: WriteFailure) => void;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #bytes = 0;
  #givenBytes = 0;
  /** Where what comes before makes sense without what follows: the last such place on the disk, and those on their way. */
  #wholeBytes = 0;
  #wholeLater: number[] = [];
  #file: FileHandle | undefined;
  #work: Promise<void> | undefined;
  #hasFailed = false;

  /** Made with the first bytes, and only if there is none of this name. @param onFailed once; what comes later is dropped */
  constructor(path: string, onFailed: (failure: WriteFailure) => void) {
    this.path = path;
    this.#onFailed = onFailed;
  }

  /** What the disk has. */
  get bytes(): number {
    return this.#bytes;
  }

  append(bytes: Buffer): void {
    if (this.#hasFailed) return;
    this.#waiting.push(bytes);
    this.#givenBytes += bytes.length;
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > maxWaitingBytes) {
      this.#fail({ reason: 'overloaded', message: 'The disk is too slow for what is recorded.' });
    } else {
      this.#work ??= this.#writeAll();
    }
  }

  /** What has been given until now can be played: a file that fails is cut back to the last such place that it reached. */
  noteWhole(): void {
    this.#wholeLater.push(this.#givenBytes);
  }

  /** Waits for what has been given to it. */
  async close(): Promise<void> {
    await this.#work;
    const file = this.#file;
    this.#file = undefined;
    // Half a fragment at its end is what players and FFmpeg would complain of; on a disk that cannot even be cut they will.
    if (this.#hasFailed && this.#wholeBytes > 0) await file?.truncate(this.#wholeBytes).catch(() => undefined);
    await file?.close().catch(() => undefined); // it has said what was wrong when it was written
  }

  async #writeAll(): Promise<void> {
    try {
      this.#file ??= await open(this.path, 'wx', 0o600);
      while (this.#waiting.length > 0 && !this.#hasFailed) {
        const batch = this.#waiting.splice(0);
        this.#waitingBytes = 0;
        await writeWhole(this.#file, batch);
        for (const { length } of batch) this.#bytes += length;
        this.#noteWritten();
      }
    } catch (error) {
      this.#fail(failureOf(error));
    }
    this.#work = undefined;
  }

  #noteWritten(): void {
    while ((this.#wholeLater[0] ?? Number.POSITIVE_INFINITY) <= this.#bytes) {
      this.#wholeBytes = this.#wholeLater.shift() ?? 0;
    }
  }

  #fail(failure: WriteFailure): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#waiting.length = 0;
    this.#onFailed(failure);
  }
}

/** A disk that is nearly full takes a part of it first, and says so only with the rest. */
async function writeWhole(file: FileHandle, batch: readonly Buffer[]): Promise<void> {
  const bytes = Buffer.concat(batch);
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at);
    at += bytesWritten;
  }
}

export function failureOf(error: unknown): WriteFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code === 'ENOSPC' || code === 'EDQUOT') return { reason: 'disk_full', message: 'The disk is full.' };
  return { reason: 'not_writable', message: `The folder of recordings cannot be written to (${code}).` };
}
