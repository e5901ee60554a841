// Owns: what `switchyard doctor` looks at of what is kept and brought: store, keys, certificate, clock, prompts, fonts.
// May import: config, core, api, jobs, store, ./doctor-finding.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadCertificate, readOwnCertificate } from '#api/certificate.ts';
import type { Config } from '#config/schema.ts';
import type { Logger } from '#core/ports.ts';
import { missingFonts } from '#jobs/font-check.ts';
import { startsMediaWorker } from '#jobs/media-worker-check.ts';
import { checkPrompts } from '#jobs/prompt-check.ts';
import { inspectStore } from '#store/inspect.ts';
import { databaseName, keyFileName } from '#store/open-store.ts';
import { type Finding, failure, ok, warning } from './doctor-finding.ts';

const dayMs = 86_400_000;
const soonDays = 14;
/** Less than this of open files is gone with a few hundred calls. */
const fewFiles = 4_096;

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

export function checkStore(config: Config): readonly Finding[] {
  const folder = resolve(config.data);
  const file = join(folder, databaseName);
  if (!existsSync(file)) return [ok('store', 'none yet; the first start makes it')];
  const { flaw, version, newest, isEmpty, isOlder, isNewer } = inspectStore(file);
  if (flaw !== undefined) {
    const advice = 'Stop the gateway, keep a copy of the folder, and put back what `switchyard backup` has written.';
    return [failure('store', `${file}: ${flaw}`, advice)];
  }
  if (isNewer) {
    const advice = 'Use the version of Switchyard that wrote it, or another folder with --data.';
    return [failure('store', `${file} is of version ${version}, which this program does not know`, advice)];
  }
  if (isEmpty) return [ok('store', `${file} is empty; the first start fills it`)];
  const findings = [ok('store', `${file} is sound${isOlder ? '; the next start brings it up to date' : ''}`)];
  if (!existsSync(join(folder, keyFileName))) {
    const advice = `Put ${keyFileName} back from your copy: without it stored passwords, PINs and URLs cannot be read and have to be given again.`;
    findings.push(failure('store', `${join(folder, keyFileName)} is missing`, advice));
  }
  return [...findings, ...checkNewest(newest)];
}

/** What was written in the future was written by a clock that has been set back since. */
function checkNewest(newestMs: number | undefined): readonly Finding[] {
  if (newestMs === undefined || newestMs <= Date.now() + 60_000) return [];
  return [clockIsWrong(`the store has entries of ${new Date(newestMs).toISOString()}`)];
}

function clockIsWrong(why: string): Finding {
  const advice =
    'Set it and keep it set (timedatectl set-ntp true): tokens, certificates and signatures of webhooks are judged by it.';
  return warning('clock', `${new Date().toISOString()} seems wrong: ${why}`, advice);
}

export function checkClock(): readonly Finding[] {
  const builtMs = statSync(new URL('../package.json', import.meta.url)).mtimeMs;
  return Date.now() < builtMs - dayMs
    ? [clockIsWrong(`this program is of ${new Date(builtMs).toISOString()}`)]
    : [ok('clock', new Date().toISOString())];
}

export async function checkCertificate(config: Config, log: Logger): Promise<readonly Finding[]> {
  const { https } = config;
  if (!https.isEnabled)
    return [
      warning(
        'certificate',
        'HTTPS is off',
        'Browsers give cameras to HTTPS and localhost only: https.isEnabled, or a proxy with TLS.',
      ),
    ];
  const folder = resolve(config.data);
  const isOwn = https.certificateFile === undefined && https.privateKeyFile === undefined;
  try {
    const certificate = isOwn ? await readOwnCertificate(folder) : await loadCertificate(https, folder, log);
    if (!certificate) return [ok('certificate', 'self-signed; the next start makes it')];
    const days = Math.floor((certificate.expiresAtMs - Date.now()) / dayMs);
    const detail = `${isOwn ? 'self-signed' : https.certificateFile}, ${days < 0 ? 'ended' : 'good for'} ${Math.abs(days)} days`;
    if (isOwn) return [ok('certificate', `${detail}; made anew by itself`)];
    const advice = 'Renew it; the files are read again every hour, without a restart.';
    if (days < 0) return [failure('certificate', `${detail} ago`, advice)];
    return [days < soonDays ? warning('certificate', detail, advice) : ok('certificate', detail)];
  } catch (thrown) {
    return [failure('certificate', messageOf(thrown), 'Give a PEM chain and its own PEM key, readable by this user.')];
  }
}

export async function checkMediaWork(log: Logger): Promise<readonly Finding[]> {
  try {
    await startsMediaWorker(log);
    return [ok('media work', 'a media worker starts and finds its codecs')];
  } catch (thrown) {
    const advice =
      'Install the packages again (rm -rf node_modules, npm start): node-av brings FFmpeg for Linux, macOS and Windows on x64 and arm64.';
    return [failure('media work', messageOf(thrown), advice)];
  }
}

export async function checkPromptFiles(config: Config, log: Logger): Promise<readonly Finding[]> {
  const { promptsFolder } = config.mix;
  if (promptsFolder === undefined) return [ok('prompts', 'those that are brought along')];
  try {
    await checkPrompts(promptsFolder, log);
    return [ok('prompts', `${promptsFolder} can be played`)];
  } catch (thrown) {
    const advice = 'Mend or remove those files, or leave mix.promptsFolder out: the gateway does not start like this.';
    return [failure('prompts', messageOf(thrown), advice)];
  }
}

export async function checkFonts(): Promise<readonly Finding[]> {
  const missing = await missingFonts();
  return missing.length === 0
    ? [ok('fonts', 'names in pictures can be drawn in every script')]
    : [
        warning(
          'fonts',
          `${missing.join(', ')} not installed: some names are not shown in views`,
          `apt-get install ${missing.join(' ')}`,
        ),
      ];
}

/** Linux alone says; each call, stream and browser takes a few. */
export function checkOpenFiles(): readonly Finding[] {
  if (!existsSync('/proc/self/limits')) return [];
  const [, soft = ''] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  if (soft === '' || Number(soft) >= fewFiles) return [ok('open files', soft === '' ? 'unlimited' : `${soft} at once`)];
  return [
    warning('open files', `${soft} at once`, 'Raise it: ulimit -n 65536, or LimitNOFILE=65536 in the systemd unit.'),
  ];
}
