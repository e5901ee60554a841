// Owns: looking through the operator's recordings before the gateway takes calls. May import: core.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';

const program = fileURLToPath(import.meta.resolve('#media/prompt-check.ts'));
const timeoutMs = 60_000;
const maxShown = 5;
const maxTold = 50;

/** Of `#media/prompt-check.ts`. */
interface PromptFinding {
  readonly file: string;
  readonly reason: string;
  readonly isUnknown: boolean;
  readonly isOwn?: true;
}

/**
 * Reads each once, in a process of its own.
 * @throws GatewayError `invalid_request` that names the files that cannot be played
 */
export async function checkPrompts(folder: string | undefined, log: Logger): Promise<void> {
  if (folder === undefined) return;
  const problems = await problemsOf(folder);
  const own = problems.filter(({ isOwn }) => isOwn).map(({ file }) => file);
  if (own.length > 0)
    log.info({ files: own.slice(0, maxTold), count: own.length }, 'recordings that only menus can play');
  for (const { file, reason, isUnknown } of problems) {
    if (isUnknown) log.warn({ file, reason }, 'a file in mix.promptsFolder is never played');
  }
  const broken = problems.filter(({ isUnknown, isOwn }) => !isUnknown && !isOwn);
  if (broken.length === 0) return;
  const shown = broken.slice(0, maxShown).map(({ file, reason }) => `${file} (${reason})`);
  const more = broken.length > maxShown ? ` and ${broken.length - maxShown} more` : '';
  throw new GatewayError('invalid_request', `mix.promptsFolder: cannot be played: ${shown.join('; ')}${more}.`);
}

async function problemsOf(folder: string): Promise<PromptFinding[]> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program, folder], {
      env: {},
      timeout: timeoutMs,
      maxBuffer: 4 * 1024 * 1024,
    });
    return JSON.parse(stdout);
  } catch (cause) {
    throw new GatewayError('invalid_request', `mix.promptsFolder: ${folder} could not be looked through.`, { cause });
  }
}
