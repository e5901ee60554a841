/** Debian packages that set-up needs: the one table of them, and how missing ones are installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runQuietly } from './child-process.mjs';
import { SetupError, say, step } from './progress.mjs';

/** @typedef {'worker' | 'libsrtp' | 'test' | 'font' | 'encoder'} Role `worker` and `libsrtp`: only where a worker is built; `test`: npm test; `font`:
 * names in views, `encoder`: cheaper views, without which everything else works */

/** @type {readonly { role: Role, name: string, why: string }[]} */
const systemPackages = [
  { role: 'worker', name: 'cmake', why: 'builds the worker and libsrtp' },
  { role: 'worker', name: 'ninja-build', why: 'runs the build on all cores' },
  { role: 'worker', name: 'g++', why: 'C++20 compiler' },
  { role: 'worker', name: 'pkg-config', why: 'finds the libraries below' },
  { role: 'worker', name: 'libuv1-dev', why: "the worker's event loop" },
  { role: 'worker', name: 'libssl-dev', why: 'DTLS, and AES for SRTP' },
  { role: 'worker', name: 'libabsl-dev', why: 'hash maps and strings of the worker and its bandwidth estimation' },
  { role: 'worker', name: 'flatbuffers-compiler', why: 'generates the messages between mediasoup and its worker' },
  { role: 'worker', name: 'libflatbuffers-dev', why: 'headers for them' },
  { role: 'worker', name: 'dpkg-dev', why: 'unpacks the source package of libsrtp' },

  { role: 'libsrtp', name: 'libsrtp2-dev', why: 'stands in where the source of libsrtp cannot be had' },

  { role: 'test', name: 'chromium', why: 'browsers that really meet in a room' },
  { role: 'encoder', name: 'libx264-164', why: 'views to H264 at a quantiser of our own for each picture' },
  { role: 'font', name: 'fonts-dejavu-core', why: 'text on screenshots, names in views' },
  { role: 'font', name: 'fonts-noto-cjk', why: 'Chinese, Japanese and Korean names in views' },
  { role: 'font', name: 'fonts-noto-core', why: 'names in views in Indian, Thai and other scripts' },
  { role: 'test', name: 'ffmpeg', why: 'a peer independent of our own media code; makes and checks fixtures' },
  { role: 'test', name: 'gstreamer1.0-tools', why: 'gst-launch: an independent WHIP publisher' },
  { role: 'test', name: 'gstreamer1.0-plugins-base', why: 'opus and test sources' },
  { role: 'test', name: 'gstreamer1.0-plugins-good', why: 'vp8 and rtp' },
  { role: 'test', name: 'gstreamer1.0-plugins-bad', why: 'webrtcbin' },
  { role: 'test', name: 'gstreamer1.0-plugins-ugly', why: 'x264' },
  { role: 'test', name: 'gstreamer1.0-libav', why: 'decoders to check what was played' },
  { role: 'test', name: 'gstreamer1.0-nice', why: 'ICE for webrtcbin' },
  { role: 'test', name: 'sip-tester', why: 'SIPp: phones and carriers that call and are called' },
  { role: 'test', name: 'baresip-core', why: 'a SIP phone of others, with SDES and TLS' },
  { role: 'test', name: 'baresip-ffmpeg', why: 'H264 for it, as a video phone' },
  { role: 'test', name: 'kamailio', why: 'the proxy between phones and us' },
  { role: 'test', name: 'python3-gi', why: 'drives webrtcbin' },
  { role: 'test', name: 'gir1.2-gst-plugins-base-1.0', why: 'SDP types for it' },
  { role: 'test', name: 'gir1.2-gst-plugins-bad-1.0', why: 'WebRTC types for it' },
  { role: 'test', name: 'gir1.2-gst-rtsp-server-1.0', why: 'an RTSP camera to pull from' },
  { role: 'test', name: 'libnginx-mod-rtmp', why: 'an RTMP service to push to' },
  { role: 'test', name: 'srt-tools', why: 'srt-live-transmit: an SRT peer besides ffmpeg' },
];

const aptListsDir = '/var/lib/apt/lists';
/** Asked by Debian's packages before they start what they bring (invoke-rc.d(8)). */
const servicePolicy = '/usr/sbin/policy-rc.d';
const listsAreOldMs = 24 * 60 * 60 * 1000;

/**
 * Makes sure that the packages of a role are installed: by apt-get where we are root, else by telling what is missing.
 * @param {Role} role
 */
export async function ensureSystemPackages(role) {
  if (process.env.SWITCHYARD_SYSTEM_PACKAGES === 'skip') return;
  const missing = missingOf(systemPackages.filter((p) => p.role === role).map((p) => p.name));
  if (missing.length === 0) return;
  if (!hasCommand('apt-get') || process.getuid?.() !== 0) throw missingPackages(role, missing);
  await step(`Installing Debian packages (${shortened(missing)})`, () => withoutServices(() => install(missing)));
}

/**
 * Brings the packages of a role if it can, and says what it is like without them if it cannot.
 * @param {Role} role
 * @param {string} without what is not there then
 */
export async function offerSystemPackages(role, without) {
  if (process.env.SWITCHYARD_SYSTEM_PACKAGES === 'skip') return;
  const missing = missingOf(systemPackages.filter((p) => p.role === role).map((p) => p.name));
  if (missing.length === 0) return;
  const advice = `${without}; better with ${missing.join(' ')}`;
  if (!hasCommand('apt-get') || process.getuid?.() !== 0) {
    say(advice);
    return;
  }
  try {
    await step(`Installing Debian packages (${shortened(missing)})`, () => withoutServices(() => install(missing)));
  } catch {
    say(advice); // no network, or a mirror that is away
  }
}

/**
 * @param {string[]} names
 * @returns {string[]}
 */
function missingOf(names) {
  const { stdout } = spawnSync('dpkg-query', ['-W', `-f=\${db:Status-Status} \${Package}\\n`, ...names], {
    encoding: 'utf8',
  });
  const installed = new Set(
    (stdout ?? '')
      .split('\n')
      .filter((line) => line.startsWith('installed '))
      .map((line) => line.slice(10)),
  );
  return names.filter((name) => !installed.has(name));
}

/**
 * @param {Role} role
 * @param {string[]} missing
 */
function missingPackages(role, missing) {
  const purpose = role === 'test' ? 'the tests need' : 'building mediasoup-worker needs';
  const lines = systemPackages
    .filter((p) => missing.includes(p.name))
    .map((p) => `  ${p.name.padEnd(28)} ${p.why}`)
    .join('\n');
  const command = hasCommand('apt-get')
    ? `Install them, then run the command again:\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`
    : `These are Debian's names; this machine has no apt-get. Install what your system calls them, then run the command
again with SWITCHYARD_SYSTEM_PACKAGES=skip, which takes your word for it.`;
  const otherwise = role === 'test' ? '' : '\nOr name a worker of your own in MEDIASOUP_WORKER_BIN.';
  return new SetupError(`${purpose} packages that are missing here:`, `${lines}\n${command}${otherwise}`);
}

/** @param {string} name */
function hasCommand(name) {
  return (process.env.PATH ?? '').split(':').some((dir) => dir !== '' && existsSync(join(dir, name)));
}

/** @param {string[]} names */
function shortened(names) {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`;
}

/**
 * Kamailio and nginx are run by the tests on ports of their own: as services they would take 5060 and 80 from the machine.
 * A machine that has a policy keeps it.
 * @param {() => Promise<void>} work
 */
async function withoutServices(work) {
  if (existsSync(servicePolicy)) return work();
  const remove = () => rmSync(servicePolicy, { force: true });
  process.once('exit', remove);
  try {
    writeFileSync(servicePolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    await work();
  } finally {
    remove();
    process.off('exit', remove);
  }
}

/** @param {string[]} missing */
async function install(missing) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const wait = ['-q', '-o', 'DPkg::Lock::Timeout=600', '-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::Retries=1'];
  const update = () => runQuietly('apt-get', [...wait, 'update'], { env });
  const installAll = () =>
    runQuietly('apt-get', [...wait, 'install', '-y', '--no-install-recommends', ...missing], { env });
  if (areListsOld()) {
    await update();
    await installAll();
    return;
  }
  try {
    await installAll();
  } catch {
    await update(); // the lists named files that the mirror no longer has
    await installAll();
  }
}

function areListsOld() {
  if (!existsSync(aptListsDir)) return true;
  const changes = readdirSync(aptListsDir)
    .filter((name) => name.includes('_Packages'))
    .map((name) => statSync(join(aptListsDir, name)).mtimeMs);
  // Lists carry the mirror's date; the folder's own says when somebody last asked.
  return changes.length === 0 || Date.now() - statSync(aptListsDir).mtimeMs > listsAreOldMs;
}
