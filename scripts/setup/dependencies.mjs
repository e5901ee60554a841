/**
 * Packages of package-lock.json in node_modules, exactly those. `npm ci` would be the word for it, but it refuses a lock
 * without the binaries for foreign platforms, and a registry that mirrors only some of them can make no other.
 * No package's install script runs (.npmrc): mediasoup's would download.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir, readIfThere, withLock } from './cache.mjs';
import { runQuietly } from './child-process.mjs';
import { SetupError, step } from './progress.mjs';

/** @typedef {{ packages: Record<string, { version?: string, integrity?: string, link?: boolean, optional?: boolean, inBundle?: boolean }> }} Lock */

/**
 * @param {NodeJS.ProcessEnv} env environment of the runtime, so that npm itself runs on it
 */
export async function ensureDependencies(env) {
  if (isUpToDate()) return;
  const checkout = createHash('sha256').update(projectDir).digest('hex').slice(0, 12);
  await withLock(`dependencies-${checkout}`, async () => {
    if (isUpToDate()) return;
    if (!isInstalledAsLocked()) await install(env);
    writeFileSync(stampPath(), wantedStamp());
  });
}

function stampPath() {
  return join(projectDir, 'node_modules', '.switchyard-installed');
}

function wantedStamp() {
  const lock = readIfThere(join(projectDir, 'package-lock.json'));
  if (!lock) throw new SetupError('package-lock.json is missing', 'Get it back with: git checkout package-lock.json');
  return createHash('sha256').update(lock).digest('hex');
}

function isUpToDate() {
  return readIfThere(stampPath()) === wantedStamp();
}

/**
 * Compares what npm says it installed with the lock, so that a developer's own `npm install NAME` is not answered by
 * throwing node_modules away. Packages for other platforms are optional and rightly absent.
 */
function isInstalledAsLocked() {
  const installed = parsedLock(join(projectDir, 'node_modules', '.package-lock.json'));
  const wanted = parsedLock(join(projectDir, 'package-lock.json'));
  if (!installed || !wanted) return false;
  const names = Object.keys(wanted.packages).filter((name) => name !== '');
  const sameVersions = names.every((name) => {
    const there = installed.packages[name];
    if (!there) return wanted.packages[name]?.optional === true;
    return there.version === wanted.packages[name]?.version && there.integrity === wanted.packages[name]?.integrity;
  });
  return sameVersions && Object.keys(installed.packages).every((name) => name in wanted.packages);
}

/**
 * @param {string} path
 * @returns {Lock | undefined}
 */
function parsedLock(path) {
  const text = readIfThere(path);
  return text ? JSON.parse(text) : undefined;
}

/** @param {NodeJS.ProcessEnv} env */
async function install(env) {
  await step('Installing the dependencies of package-lock.json', () =>
    runQuietly('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: projectDir,
      // Said twice, because mediasoup's install script would fetch and then fail on a closed network: scripts are off,
      // and with this set that one does nothing.
      env: { ...env, MEDIASOUP_WORKER_BIN: env.MEDIASOUP_WORKER_BIN ?? 'brought-by-switchyard' },
      whatToDo: 'If the npm registry was out of reach, run the command again; set-up goes on where it stopped.',
    }),
  );
  if (isInstalledAsLocked()) return;
  throw new SetupError(
    'node_modules does not hold what package-lock.json names',
    'package.json and package-lock.json may disagree: run "npm install" and look at what it changes in the lock.',
  );
}
