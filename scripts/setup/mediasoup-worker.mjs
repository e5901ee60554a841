/**
 * The mediasoup worker (a C++ program) that belongs to the mediasoup package in node_modules. Three ways, in this order:
 * the one in the cache, the one its project publishes for this platform, one built here (docs/adr/0001).
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, projectDir, readIfThere, withLock } from './cache.mjs';
import { exitCodeOf } from './child-process.mjs';
import { SetupError, say } from './progress.mjs';
import { buildWorker, recipeHash } from './worker-build.mjs';
import { downloadWorker } from './worker-prebuilt.mjs';

/** The worker's own code for "not started by the mediasoup library": it loads, links and runs (worker/src/main.cpp). */
const startedAloneExitCode = 41;

/**
 * What lies beside a cached binary.
 * @typedef {object} WorkerOrigin
 * @property {'published' | 'built'} by
 * @property {string} text where it came from, for people
 * @property {string} [recipe] of a built one: hash of what decides how it is built
 */

/**
 * @param {{ isQuiet?: boolean }} [options] quiet: says nothing when a cached worker is there
 * @returns {Promise<string>} path of a worker that runs here
 */
export async function ensureMediasoupWorker({ isQuiet = false } = {}) {
  const given = process.env.MEDIASOUP_WORKER_BIN;
  if (given) {
    if (runsHere(given)) return given;
    throw new SetupError(
      `MEDIASOUP_WORKER_BIN names ${given}, which does not run as a mediasoup worker`,
      'Correct the path, or unset the variable: a worker is then brought.',
    );
  }
  const version = mediasoupVersion();
  const home = join(cacheDir(), `mediasoup-worker-${version}-${process.platform}-${process.arch}`);
  const binary = join(home, 'mediasoup-worker');
  const cached = originOfCached(home, binary);
  if (cached) {
    if (!isQuiet) say(`mediasoup-worker ${version}: cached (${cached.text})`);
    return binary;
  }
  await withLock('mediasoup-worker', async () => {
    if (originOfCached(home, binary)) return;
    const { path, origin } = (await downloadWorker(version, runsHere)) ?? (await buildWorker(version));
    if (!runsHere(path)) throw new SetupError(`the mediasoup-worker ${version} just made does not start`, path);
    keep(path, origin, home);
    say(`mediasoup-worker ${version}: ${origin.text}`);
  });
  return binary;
}

function mediasoupVersion() {
  const text = readIfThere(join(projectDir, 'node_modules', 'mediasoup', 'package.json'));
  if (!text) throw new SetupError('the package mediasoup is not in node_modules', 'Run: npm run setup');
  return JSON.parse(text).version;
}

/**
 * @param {string} home
 * @param {string} binary
 * @returns {WorkerOrigin | undefined}
 */
function originOfCached(home, binary) {
  const text = readIfThere(join(home, 'origin.json'));
  if (!text || !existsSync(binary)) return undefined;
  /** @type {WorkerOrigin} */
  const origin = JSON.parse(text);
  if (origin.by === 'built' && origin.recipe !== recipeHash()) return undefined;
  return runsHere(binary) ? origin : undefined; // a cache may be carried to a machine that lacks its libraries
}

/** @param {string} binary */
function runsHere(binary) {
  return exitCodeOf(binary, [], {}) === startedAloneExitCode;
}

/**
 * Moves a finished worker into the cache as a whole: nobody ever sees half of one.
 * @param {string} path
 * @param {WorkerOrigin} origin
 * @param {string} home
 */
function keep(path, origin, home) {
  const fresh = `${home}.fresh`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  renameSync(path, join(fresh, 'mediasoup-worker'));
  writeFileSync(join(fresh, 'origin.json'), `${JSON.stringify(origin, null, 2)}\n`);
  rmSync(home, { recursive: true, force: true });
  renameSync(fresh, home);
}
