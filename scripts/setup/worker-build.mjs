/**
 * Builds the mediasoup worker from the sources in its npm package with what Debian has, where upstream's own build wants
 * packages from elsewhere. What makes the two meet lies in scripts/mediasoup-worker.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { cacheDir, hashFiles, projectDir } from './cache.mjs';
import { runQuietly } from './child-process.mjs';
import { ensureLibsrtp } from './libsrtp.mjs';
import { SetupError, step } from './progress.mjs';
import { ensureSystemPackages } from './system-packages.mjs';

const recipeDir = join('scripts', 'mediasoup-worker');
const notNeeded = new Set(['test', 'fuzzer', 'mocks', 'subprojects', 'out']);

/**
 * OpenSSL 3.0 tells a BIO callback "returning from a write" with both bits set. Comparing for equality takes that for
 * something else, and the worker dies in SSL_read at the first DTLS handshake.
 */
const sourceFix = {
  file: join('src', 'RTC', 'DtlsTransport.cpp'),
  from: '(operationType == BIO_CB_RETURN)',
  to: '(operationType & BIO_CB_RETURN)',
};

/** @returns {string} changes whenever a worker built before should be built again */
export function recipeHash() {
  return createHash('sha256')
    .update(hashFiles(projectDir, [recipeDir]))
    .update(JSON.stringify(sourceFix))
    .digest('hex')
    .slice(0, 16);
}

/**
 * Takes some minutes. A build that was cut short goes on where it stopped.
 * @param {string} version of mediasoup
 * @returns {Promise<{ path: string, origin: import('./mediasoup-worker.mjs').WorkerOrigin }>} the caller owns the file
 */
export async function buildWorker(version) {
  await ensureSystemPackages('worker');
  const dir = join(cacheDir(), 'build', `mediasoup-worker-${version}-${recipeHash()}`);
  mkdirSync(dir, { recursive: true });
  const srtp = await ensureLibsrtp(dir);
  const sources = join(dir, 'worker');
  copySources(sources, join(dir, 'sources-copied'));
  const out = join(dir, 'out');
  const settings = ['-DCMAKE_BUILD_TYPE=Release', `-DSRTP_LIB=${srtp.library}`, `-DSRTP_INC=${srtp.includeDir}`];
  await step(`Building mediasoup-worker ${version} (some minutes, once)`, async (tell) => {
    await runQuietly('cmake', ['-S', sources, '-B', out, '-G', 'Ninja', ...settings]);
    await runQuietly('ninja', ['-C', out, '-j', String(cpus().length)], {
      onLine: (line) => tell(/^\[\d+\/\d+\]/.exec(line)?.[0] ?? ''),
      whatToDo: `The build lies in ${dir}; delete it to begin afresh.`,
    });
  });
  const path = join(cacheDir(), 'build', `${basename(dir)}.finished`);
  cpSync(join(out, 'mediasoup-worker'), path);
  rmSync(dir, { recursive: true, force: true });
  return { path, origin: { by: 'built', text: `built here with ${srtp.text}`, recipe: recipeHash() } };
}

/**
 * @param {string} sources
 * @param {string} doneMark
 */
function copySources(sources, doneMark) {
  if (existsSync(doneMark)) return;
  const packaged = join(projectDir, 'node_modules', 'mediasoup', 'worker');
  rmSync(sources, { recursive: true, force: true });
  cpSync(packaged, sources, {
    recursive: true,
    filter: (path) => !notNeeded.has(path.slice(packaged.length + 1)),
  });
  cpSync(join(projectDir, recipeDir), sources, { recursive: true });
  const path = join(sources, sourceFix.file);
  const text = readFileSync(path, 'utf8');
  if (text.includes(sourceFix.from)) writeFileSync(path, text.replace(sourceFix.from, sourceFix.to));
  else if (!text.includes(sourceFix.to)) {
    throw new SetupError(
      `${sourceFix.file} of this mediasoup no longer holds ${sourceFix.from}`,
      'See whether the fix in scripts/setup/worker-build.mjs is still needed, and correct it there.',
    );
  }
  writeFileSync(doneMark, '');
}
