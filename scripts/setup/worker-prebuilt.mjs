/** The mediasoup worker as its project publishes it, for the platforms it is published for. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { cacheDir, projectDir, readIfThere } from './cache.mjs';
import { runQuietly } from './child-process.mjs';
import { say, step } from './progress.mjs';

/** A closed network may drop packets without an answer; building here is the better use of the time. */
const answerTimeoutMs = 8_000;
const downloadTimeoutMs = 120_000;

/**
 * Tries once. The variables are mediasoup's own, so that what works for its install script works here.
 * @param {string} version of mediasoup
 * @param {(binary: string) => boolean} runsHere
 * @returns {Promise<{ path: string, origin: import('./mediasoup-worker.mjs').WorkerOrigin } | undefined>} undefined
 *   where there is none to be had, or it does not run here; the caller owns the file
 */
export async function downloadWorker(version, runsHere) {
  if (process.env.MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD) return undefined;
  const url = prebuiltUrl(version);
  const dir = join(cacheDir(), 'build', 'prebuilt-worker');
  try {
    const archive = await step(`Asking for the published mediasoup-worker ${version}`, () => download(url));
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'worker.tgz'), archive);
    await runQuietly('tar', ['-xzf', 'worker.tgz', '--no-same-owner'], { cwd: dir });
    const path = join(dir, 'mediasoup-worker');
    chmodSync(path, 0o755);
    if (!runsHere(path)) throw new Error('it does not run on this machine (another libc?)');
    return { path, origin: { by: 'published', text: 'published by the mediasoup project' } };
  } catch (error) {
    const reason =
      error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : error;
    say(`no published mediasoup-worker: ${reason}; building one here instead`);
    return undefined;
  }
}

/** @param {string} version */
function prebuiltUrl(version) {
  const { MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL } = process.env;
  const kernel = process.platform === 'linux' ? `-kernel${release().split('.')[0]}` : '';
  const base = MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL || `${repositoryUrl()}/releases/download`;
  return `${base}/${version}/mediasoup-worker-${version}-${process.platform}-${process.arch}${kernel}.tgz`;
}

function repositoryUrl() {
  const manifest = JSON.parse(readIfThere(join(projectDir, 'node_modules', 'mediasoup', 'package.json')) ?? '{}');
  return String(manifest.repository?.url)
    .replace(/^git\+/, '')
    .replace(/\.git$/, '');
}

/** @param {string} url */
async function download(url) {
  const abort = new AbortController();
  const unanswered = setTimeout(
    () => abort.abort(new Error(`no answer in ${answerTimeoutMs / 1000} s`)),
    answerTimeoutMs,
  );
  const unfinished = setTimeout(() => abort.abort(new Error('the download is too slow')), downloadTimeoutMs);
  try {
    const response = await fetch(url, { signal: abort.signal });
    clearTimeout(unanswered);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return Buffer.from(await response.arrayBuffer());
  } finally {
    clearTimeout(unanswered);
    clearTimeout(unfinished);
  }
}
