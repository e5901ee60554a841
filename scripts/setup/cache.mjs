/**
 * Where set-up keeps what it brings (the runtime, the mediasoup worker), outside the checkout so that every clone shares
 * it; how it tells whether something is up to date; and the lock that keeps two set-ups from doing the same work at once.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { step } from './progress.mjs';

/** The checkout this script lies in. */
export const projectDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const lockPollMs = 500;
/** No step of ours takes this long; a lock this old was left by a machine that is gone. */
const lockExpiresMs = 60 * 60 * 1000;
/** Longer than anybody takes to write one line. */
const halfWrittenMs = 5_000;

export function cacheDir() {
  const { SWITCHYARD_CACHE, XDG_CACHE_HOME } = process.env;
  return SWITCHYARD_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'switchyard');
}

/**
 * @param {string} path
 * @returns {string | undefined} undefined where there is no such file
 */
export function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Hashes files by their names and contents; a folder stands for all files below it. What does not exist counts as empty.
 * @param {string} baseDir names are taken relative to it
 * @param {string[]} paths relative to baseDir
 * @param {(relativePath: string) => boolean} [isCounted]
 * @returns {string} hex
 */
export function hashFiles(baseDir, paths, isCounted = () => true) {
  const hash = createHash('sha256');
  for (const file of paths.flatMap((path) => filesBelow(join(baseDir, path)))) {
    const name = relative(baseDir, file).split(sep).join('/');
    if (isCounted(name)) hash.update(`${name}\0`).update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex').slice(0, 32);
}

/**
 * @param {string} path
 * @returns {string[]} in a fixed order
 */
function filesBelow(path) {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.name !== 'node_modules' && entry.name !== 'dist')
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(path, entry.name)) : [join(path, entry.name)]));
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ENOTDIR') return [path];
    if (code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Runs work while no other set-up that uses this cache runs work of the same name.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work looks again whether there is anything to do: another set-up may just have done it
 * @returns {Promise<T>}
 */
export async function withLock(name, work) {
  const path = join(cacheDir(), 'locks', `${name}.json`);
  mkdirSync(dirname(path), { recursive: true });
  if (!tryLock(path)) {
    await step(`Waiting for another set-up (${name})`, async () => {
      while (!tryLock(path)) await sleep(lockPollMs);
    });
  }
  const release = () => rmSync(path, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** @param {string} path */
function tryLock(path) {
  try {
    writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname(), at: Date.now() }), { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    if (isAbandoned(path)) rmSync(path, { force: true });
    return false;
  }
}

/** @param {string} path */
function isAbandoned(path) {
  const content = readIfThere(path);
  if (content === undefined) return false; // released this moment
  try {
    const { pid, host, at } = JSON.parse(content);
    return Date.now() - at > lockExpiresMs || (host === hostname() && !isRunning(pid));
  } catch {
    return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > halfWrittenMs;
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
