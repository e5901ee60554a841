// Owns: where segments and playlists are put that others serve: a folder, or an HTTP origin. May import: core's words.
import { mkdir, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { GatewayError } from '#core/errors.ts';

export interface SegmentStore {
  /** Whole, or not at all. @throws GatewayError */
  put(name: string, data: Uint8Array, contentType: string): Promise<void>;
  /** What is not there any more is fine. @throws GatewayError */
  remove(name: string): Promise<void>;
  /** What is on its way is given up. */
  close(): void;
}

/** One request. @throws GatewayError */
type Send = (
  what: 'put' | 'delete',
  url: URL,
  how: { readonly data?: Uint8Array; readonly contentType?: string; readonly signal: AbortSignal },
) => Promise<void>;

export class OriginStore implements SegmentStore {
  readonly #base: URL;
  readonly #send: Send;
  readonly #abort = new AbortController();
  #canDelete = true;

  constructor(playlist: URL, send: Send) {
    this.#base = playlist;
    this.#send = send;
  }

  put(name: string, data: Uint8Array, contentType: string): Promise<void> {
    return this.#send('put', this.#urlOf(name), { data, contentType, signal: this.#abort.signal });
  }

  /** An origin that takes nothing away may do so by itself, by age: it is asked until it refuses. */
  async remove(name: string): Promise<void> {
    if (!this.#canDelete) return;
    try {
      await this.#send('delete', this.#urlOf(name), { signal: this.#abort.signal });
    } catch (thrown) {
      this.#canDelete = false;
      throw thrown;
    }
  }

  close(): void {
    this.#abort.abort();
  }

  /** Beside the playlist, with what its query says: a key, for example. */
  #urlOf(name: string): URL {
    const url = new URL(this.#base);
    url.pathname = url.pathname.replace(/[^/]*$/, name);
    return url;
  }
}

export class FolderStore implements SegmentStore {
  readonly #folder: string;

  /**
   * @param playlist its folder is made if need be
   * @param allowed folders in one of which it must lie, links followed
   * @throws GatewayError `forbidden`, `upstream_failed` when it cannot be made
   */
  static async create(playlist: string, allowed: readonly string[]): Promise<FolderStore> {
    const folder = dirname(playlist);
    try {
      const roots = await Promise.all(allowed.map((root) => realpath(root).catch(() => root)));
      const isWithin = (path: string) => roots.some((root) => path === root || path.startsWith(`${root}${sep}`));
      // Nothing is made by way of a link that leads elsewhere.
      if (!isWithin(await nearest(folder))) throw outside();
      await mkdir(folder, { recursive: true });
      if (!isWithin(await realpath(folder))) throw outside();
      return new FolderStore(folder);
    } catch (thrown) {
      throw thrown instanceof GatewayError ? thrown : notWritten(thrown);
    }
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** What is there already. */
  async names(): Promise<readonly string[]> {
    return readdir(this.#folder).catch(() => []);
  }

  async put(name: string, data: Uint8Array): Promise<void> {
    const path = join(this.#folder, basename(name));
    try {
      await writeFile(`${path}.part`, data);
      await rename(`${path}.part`, path);
    } catch (thrown) {
      // On a full disk half a file would keep it full. What cannot be taken away is told by what could not be written.
      await rm(`${path}.part`, { force: true }).catch(() => undefined);
      throw notWritten(thrown);
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await rm(join(this.#folder, basename(name)), { force: true });
    } catch (thrown) {
      throw notWritten(thrown);
    }
  }

  close(): void {
    // A file that is being written is written to its end.
  }
}

/** The longest part of a path that is there. */
async function nearest(path: string): Promise<string> {
  const found = await realpath(path).catch(() => undefined);
  return found ?? nearest(dirname(path));
}

function outside(): GatewayError {
  return new GatewayError('forbidden', 'That folder is in none of those that egress.folders names.');
}

function notWritten(cause: unknown): GatewayError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  return new GatewayError('upstream_failed', `The folder cannot be written to (${code}).`, { cause });
}
