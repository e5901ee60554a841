// Owns: files that are served as they are. May import: nothing of ours.
import { createHash } from 'node:crypto';
import { type Dirent, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

export interface StaticFile {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Absent where it would not be smaller. */
  readonly gzipped: Uint8Array<ArrayBuffer> | undefined;
  readonly contentType: string;
  readonly etag: string;
  /** Its name changes with its content, so it may be kept for ever. */
  readonly isImmutable: boolean;
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.mts': 'text/plain; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

const compressible = /^(text\/|application\/(json|manifest|wasm)|image\/svg)/;
const hashedName = /-[A-Za-z0-9_-]{8}\.[a-z0-9]+$/;
/** A folder that was not there is looked for again this often at the most. */
const rescanMs = 1_000;
const maxFiles = 10_000;

const compress = promisify(gzip);

/**
 * Serves from a list of what the folder holds, made by walking it: a name that is not in the list is not there, so
 * no request can name a file outside. Symbolic links are not followed. Files are read once and kept.
 */
export class StaticFiles {
  readonly #root: string;
  readonly #only: ((name: string) => boolean) | undefined;
  #names = new Set<string>();
  #scannedAtMs = Number.NEGATIVE_INFINITY;
  readonly #loaded = new Map<string, Promise<StaticFile | undefined>>();

  /** @param only keeps others of the folder to itself */
  constructor(root: string, only?: (name: string) => boolean) {
    this.#root = root;
    this.#only = only;
  }

  /** @param name with slashes, without a leading one: `assets/meeting-1a2b3c4d.js` */
  async find(name: string): Promise<StaticFile | undefined> {
    if (!this.#names.has(name)) this.#rescan();
    if (!this.#names.has(name)) return undefined;
    const loading = this.#loaded.get(name) ?? this.#load(name);
    this.#loaded.set(name, loading);
    return loading;
  }

  async #load(name: string): Promise<StaticFile | undefined> {
    try {
      const body = new Uint8Array(await readFile(join(this.#root, name)));
      const contentType = contentTypes[extname(name)] ?? 'application/octet-stream';
      const gzipped = compressible.test(contentType) ? new Uint8Array(await compress(body)) : undefined;
      return {
        body,
        gzipped: gzipped && gzipped.byteLength < body.byteLength ? gzipped : undefined,
        contentType,
        etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
        isImmutable: hashedName.test(name),
      };
    } catch {
      // Gone since the walk: a build in between. Forget it, so that the next request looks again.
      this.#loaded.delete(name);
      this.#names.delete(name);
      return undefined;
    }
  }

  /** A build while the server runs brings new names, and new content under the old ones. */
  #rescan(): void {
    if (performance.now() - this.#scannedAtMs < rescanMs) return;
    this.#scannedAtMs = performance.now();
    const names = listNames(this.#root).filter((name) => this.#only?.(name) ?? true);
    if (names.length === this.#names.size && names.every((name) => this.#names.has(name))) return;
    this.#names = new Set(names);
    this.#loaded.clear();
  }
}

function listNames(root: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(root, { recursive: true, withFileTypes: true });
  } catch {
    return []; // The folder is not there (yet).
  }
  return entries
    .filter((entry) => entry.isFile())
    .slice(0, maxFiles)
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
}
