/**
 * libsrtp for the worker. Debian's own is linked against NSS, whose AES costs twice the CPU per packet; so its source is
 * built with OpenSSL and linked statically. Where the source is not to be had, Debian's binary does the job, slower.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from './cache.mjs';
import { runQuietly } from './child-process.mjs';
import { SetupError, say, step } from './progress.mjs';
import { ensureSystemPackages } from './system-packages.mjs';

/**
 * @typedef {object} Libsrtp
 * @property {string} library file to link
 * @property {string} includeDir the folder above srtp2/
 * @property {string} text what it is, for people
 */

/**
 * @param {string} dir the build's own folder
 * @returns {Promise<Libsrtp>}
 */
export async function ensureLibsrtp(dir) {
  try {
    return await step('Building libsrtp with OpenSSL', () => buildFromSource(join(dir, 'libsrtp')));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(
      `warning: libsrtp cannot be built with OpenSSL (${error.message}); using Debian's, which encrypts at about half the speed`,
    );
    return distributionLibsrtp();
  }
}

/**
 * @param {string} dir
 * @returns {Promise<Libsrtp>}
 */
async function buildFromSource(dir) {
  const installed = join(dir, 'installed');
  const libsrtp = {
    library: join(installed, 'lib', 'libsrtp2.a'),
    includeDir: join(installed, 'include'),
    text: 'libsrtp on OpenSSL',
  };
  if (existsSync(libsrtp.library)) return libsrtp;
  const sources = await fetchDebianSource(dir);
  const settings = {
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_INSTALL_PREFIX: installed,
    CMAKE_INSTALL_LIBDIR: 'lib',
    CMAKE_POSITION_INDEPENDENT_CODE: 'ON',
    ENABLE_OPENSSL: 'ON',
    BUILD_SHARED_LIBS: 'OFF',
    TEST_APPS: 'OFF',
    LIBSRTP_TEST_APPS: 'OFF',
  };
  const flags = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  await runQuietly('cmake', ['-S', sources, '-B', join(dir, 'out'), '-G', 'Ninja', ...flags]);
  await runQuietly('ninja', ['-C', join(dir, 'out')]);
  await runQuietly('cmake', ['--install', join(dir, 'out')]);
  return libsrtp;
}

/**
 * Fetches and unpacks Debian's source package with lists and cache of its own: the machine's apt settings stay untouched,
 * only the mirrors that they name are asked.
 * @param {string} dir
 * @returns {Promise<string>} folder of the sources
 */
async function fetchDebianSource(dir) {
  const lists = join(dir, 'apt', 'lists');
  const archives = join(dir, 'apt', 'cache', 'archives');
  for (const folder of [lists, archives]) mkdirSync(join(folder, 'partial'), { recursive: true });
  const sourcesList = join(dir, 'apt', 'sources.list');
  writeFileSync(sourcesList, (await debSourceLines()) || (await debSourceLinesAfterUpdate(lists)));
  const options = {
    'Dir::Etc::sourcelist': sourcesList,
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': lists,
    'Dir::Cache': join(dir, 'apt', 'cache'),
    'APT::Sandbox::User': 'root', // the folder may lie where the user _apt cannot read
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  await runQuietly('apt-get', [...flags, 'update', '-q']);
  await runQuietly('apt-get', [...flags, 'source', '-q', 'libsrtp2'], { cwd: dir });
  const unpacked = readdirSync(dir, { withFileTypes: true }).find(
    (e) => e.isDirectory() && e.name.startsWith('libsrtp2-'),
  );
  if (!unpacked) throw new SetupError('apt-get source libsrtp2 left no folder');
  return join(dir, unpacked.name);
}

/**
 * Asks apt itself which mirrors this machine uses, so that both forms of its settings (.list, .sources) are understood.
 * Third-party entries are left out: they have no source packages.
 * @param {string[]} [aptFlags]
 * @returns {Promise<string>} '' where apt names none: it only names those whose lists it has
 */
async function debSourceLines(aptFlags = []) {
  const osRelease = readIfThere('/etc/os-release') ?? '';
  const field = (/** @type {string} */ name) => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(osRelease)?.[1] ?? '';
  const codename = field('VERSION_CODENAME');
  const suites = [codename, `${codename}-updates`, `${codename}-security`];
  const keyring = `/usr/share/keyrings/${field('ID')}-archive-keyring.gpg`;
  const signedBy = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
  const format = ['--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'];
  const targets = await runQuietly('apt-get', [...aptFlags, 'indextargets', ...format]);
  const lines = targets.split('\n').filter((line) => {
    const [, suite = '', component = ''] = line.split(' ');
    return codename !== '' && suites.includes(suite) && /^(main|universe)$/.test(component);
  });
  return [...new Set(lines)].map((line) => `deb-src ${signedBy}${line}\n`).join('');
}

/**
 * Small images throw apt's lists away. They are fetched again into a folder of ours.
 * @param {string} lists
 */
async function debSourceLinesAfterUpdate(lists) {
  const flags = ['-o', `Dir::State::lists=${lists}`, '-o', 'APT::Sandbox::User=root'];
  await runQuietly('apt-get', [...flags, 'update', '-q']);
  const lines = await debSourceLines(flags);
  if (!lines) throw new SetupError('apt names no mirror of this distribution');
  return lines;
}

/** @returns {Promise<Libsrtp>} */
async function distributionLibsrtp() {
  await ensureSystemPackages('libsrtp');
  const variable = async (/** @type {string} */ name) =>
    (await runQuietly('pkg-config', [`--variable=${name}`, 'libsrtp2'])).trim();
  return {
    library: join(await variable('libdir'), 'libsrtp2.so'),
    includeDir: await variable('includedir'),
    text: "Debian's libsrtp (slower than one on OpenSSL)",
  };
}
