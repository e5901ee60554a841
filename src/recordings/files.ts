// Owns: the folder of recordings: what grows in it, what is finished, how much room there is. May import: core,
// config, the words of the finishing process.
import { constants } from 'node:fs';
import { access, link, lstat, mkdir, readdir, rename, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { GatewayError } from '#core/errors.ts';
import type { RecordingId } from '#core/ids.ts';
import type { Logger } from '#core/ports.ts';
import type { DiskUsage, FinishedPart, FinishOptions, RawPart, RecordingFiles } from '#core/recording-files.ts';
import type { FinishResult } from '#media/finish-protocol.ts';
import { Finisher } from './finisher.ts';

export interface RecordingFolderOptions {
  /** Absolute. */
  readonly folder: string;
  /** With less than that, nothing is recorded. */
  readonly minFreeBytes: number;
  readonly log: Logger;
}

/** Of files that are not finished; hidden, and no template can name it. */
const workName = '.work';
const rawPattern = /^(\d{4,})-(\d{10,})\.[a-z0-9]+$/;
const trackPattern = /^\d{1,9}$/;
const maxNames = 10_000;

export class RecordingFolder implements RecordingFiles {
  readonly finisher: Finisher;
  readonly #options: RecordingFolderOptions;

  constructor(options: RecordingFolderOptions) {
    this.#options = options;
    this.finisher = new Finisher(options.log);
  }

  async checkSpace(): Promise<void> {
    const { folder, minFreeBytes } = this.#options;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await access(folder, constants.W_OK);
    } catch (cause) {
      throw new GatewayError('insufficient_storage', 'The folder of recordings cannot be written to.', { cause });
    }
    const { freeBytes } = await this.#space();
    if (freeBytes >= minFreeBytes) return;
    const [free, least] = [freeBytes, minFreeBytes].map((bytes) => `${Math.round(bytes / 1e6)} MB`);
    throw new GatewayError(
      'insufficient_storage',
      `The disk of recordings has ${free} free and ${least} have to be; delete something first.`,
    );
  }

  async makeWorkFolder(id: RecordingId, track: number): Promise<string> {
    const folder = join(this.#options.folder, workName, id, String(track));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  async rawParts(id: RecordingId): Promise<readonly RawPart[]> {
    const folder = join(this.#options.folder, workName, id);
    const parts: RawPart[] = [];
    for (const track of await namesIn(folder)) {
      if (!trackPattern.test(track)) continue;
      for (const name of await namesIn(join(folder, track))) {
        const [, number, startedAtMs] = rawPattern.exec(name) ?? [];
        const path = join(folder, track, name);
        const { size: bytes = 0, mtimeMs: writtenAtMs = 0 } = (await stat(path).catch(() => undefined)) ?? {};
        if (number === undefined) continue;
        const order = { track: Number(track), number: Number(number), startedAtMs: Number(startedAtMs) };
        parts.push({ path, ...order, writtenAtMs: Math.round(writtenAtMs), bytes });
      }
    }
    return parts.sort((one, other) => one.startedAtMs - other.startedAtMs || one.track - other.track);
  }

  async finish({ raw, format, target, otherwise, hasVideo }: FinishOptions): Promise<FinishedPart | undefined> {
    const outputPath = `${raw.path}.done`;
    const thumbnailPath = hasVideo ? `${raw.path}.jpg` : undefined;
    const order = { inputPath: raw.path, outputPath, format, thumbnailPath };
    const result: FinishResult = raw.bytes === 0 ? { outcome: 'empty' } : await this.finisher.finish(order, raw.bytes);
    if (this.finisher.isClosed) throw new GatewayError('closed', 'The gateway is being ended.');
    if (result.outcome === 'empty') {
      await rm(raw.path, { force: true });
      return undefined;
    }
    const isIndexed = result.outcome === 'finished';
    if (!isIndexed) {
      this.#options.log.warn({ what: result.message, file: raw.path }, 'recorded file stays without its index');
      await rm(outputPath, { force: true });
    }
    const from = isIndexed ? outputPath : raw.path;
    const file = await this.#place(from, target, format).catch((err) => {
      this.#options.log.warn({ err, target, otherwise }, 'recorded file cannot have the name that it was to have');
      return this.#place(from, otherwise, format);
    });
    if (isIndexed) await rm(raw.path, { force: true });
    const thumbnail =
      thumbnailPath && isIndexed && result.hasThumbnail
        ? await this.#place(thumbnailPath, file.slice(0, -format.length - 1), 'jpg')
        : undefined;
    const { size: bytes } = await stat(this.pathOf(file));
    const { durationMs, streams } = isIndexed ? result : { durationMs: 0, streams: [] };
    return { file, bytes, durationMs, streams, thumbnail, isIndexed, startedAtMs: raw.startedAtMs };
  }

  async removeWork(id: RecordingId): Promise<void> {
    await rm(join(this.#options.folder, workName, id), { recursive: true, force: true });
  }

  async remove({ file, thumbnail }: { file: string; thumbnail?: string | undefined }): Promise<void> {
    for (const one of thumbnail === undefined ? [file] : [file, thumbnail]) {
      const path = this.pathOf(one);
      await rm(path, { force: true });
      await this.#removeEmptyFolders(dirname(path));
    }
  }

  async usage(): Promise<DiskUsage> {
    const { folder } = this.#options;
    // Before the first recording there is none.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return { recordingsBytes: await bytesIn(folder), ...(await this.#space()) };
  }

  pathOf(file: string): string {
    const { folder } = this.#options;
    const path = resolve(folder, file);
    const below = relative(folder, path);
    if (below === '' || below === workName || below.startsWith('..') || below.startsWith(`${workName}${sep}`)) {
      throw new GatewayError('not_found', 'There is no such file.');
    }
    return path;
  }

  async #space(): Promise<{ freeBytes: number; totalBytes: number }> {
    const { bavail, bsize, blocks } = await statfs(this.#options.folder);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  /** Never over a file that is there. @returns below the folder of recordings */
  async #place(from: string, target: string, ending: string): Promise<string> {
    for (let attempt = 1; attempt <= maxNames; attempt++) {
      const file = `${target}${attempt === 1 ? '' : `-${attempt}`}.${ending}`;
      const path = this.pathOf(file);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      try {
        // Unlike a rename, it fails when the name is taken.
        await link(from, path);
      } catch (error) {
        if (codeOf(error) === 'EEXIST') continue;
        if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(codeOf(error))) throw error;
        // A file system without links.
        if (await lstat(path).catch(() => undefined)) continue;
        await rename(from, path);
        return file;
      }
      await unlink(from);
      return file;
    }
    throw new GatewayError('conflict', `There are ${maxNames} files named "${target}".`);
  }

  async #removeEmptyFolders(folder: string): Promise<void> {
    for (let at = folder; at.startsWith(this.#options.folder + sep); at = dirname(at)) {
      try {
        await rmdir(at);
      } catch {
        return; // there is more in it
      }
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    sum += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size;
  }
  return sum;
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');
