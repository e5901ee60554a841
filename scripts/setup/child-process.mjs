/** How set-up runs other programs: quietly, with their output kept for the day they fail, or in its own place. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { cacheDir } from './cache.mjs';
import { SetupError } from './progress.mjs';

const shownLines = 25;
/** A terminal and npm both pass on the same Ctrl-C; what arrives this close together is one request. */
const sameSignalMs = 500;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {(line: string) => void} [onLine] sees the output as it comes
 * @property {string} [whatToDo] added to the failure text
 */

/**
 * Runs a program without showing its output, unless it fails: then its last lines are shown and all of it is in a file.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<string>} stdout and stderr as they came
 */
export function runQuietly(command, args, { cwd, env = process.env, onLine, whatToDo = '' } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
        output += text;
        if (onLine) for (const line of text.split(/[\r\n]+/)) if (line) onLine(line);
      });
    }
    const stopChild = () => child.kill();
    process.once('exit', stopChild);
    child.once('error', (error) => {
      process.off('exit', stopChild);
      reject(new SetupError(`${command} cannot be run (${error.message})`, whatToDo, { cause: error }));
    });
    child.once('close', (code, signal) => {
      process.off('exit', stopChild);
      if (code === 0) return resolve(output);
      reject(failureOf(command, args, code ?? signal, output, whatToDo));
    });
  });
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {number | string | null} ending
 * @param {string} output
 * @param {string} whatToDo
 */
function failureOf(command, args, ending, output, whatToDo) {
  const logFile = join(cacheDir(), 'last-failure.log');
  mkdirSync(cacheDir(), { recursive: true });
  writeFileSync(logFile, `${command} ${args.join(' ')}\n\n${output}`);
  const tail = output.trimEnd().split('\n').slice(-shownLines).join('\n');
  return new SetupError(
    `"${command} ${args.slice(0, 3).join(' ')}${args.length > 3 ? ' …' : ''}" ended with ${ending}`,
    `${tail}\n\nAll of its output: ${logFile}\n${whatToDo}`,
  );
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {number | null} null where it cannot be run, or was killed
 */
export function exitCodeOf(command, args, env = process.env) {
  return spawnSync(command, args, { env, stdio: 'ignore', timeout: 10_000 }).status;
}

/**
 * Runs a program in place of this one: it has the terminal, gets our signals, and its exit code is handed back.
 * @param {string} command
 * @param {string[]} args
 * @param {object} options
 * @param {NodeJS.ProcessEnv} options.env
 * @param {string} [options.cwd]
 * @param {boolean} [options.isService] the program leads its own process group, so that a Ctrl-C reaches it through us
 *   only and once, however many ways it reached us; and it has a channel to us, whose end tells it that we are gone
 * @returns {Promise<number>} 128 + n for a program that a signal ended, as shells have it
 */
export function runInstead(command, args, { env, cwd, isService = false }) {
  return new Promise((resolve, reject) => {
    /** @type {import('node:child_process').StdioOptions} */
    const stdio = isService ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit';
    const child = spawn(command, args, { env, cwd, stdio, detached: isService });
    const stopForwarding = forwardSignals((signal) => {
      const hasItFromTerminal = !isService && signal === 'SIGINT' && process.stdin.isTTY;
      if (!hasItFromTerminal) child.kill(signal);
    });
    child.once('error', (error) => {
      stopForwarding();
      reject(new SetupError(`${command} cannot be run (${error.message})`, '', { cause: error }));
    });
    child.once('exit', (code, signal) => {
      stopForwarding();
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']);
    });
  });
}

/** @param {(signal: NodeJS.Signals) => void} forward */
function forwardSignals(forward) {
  /** @type {Map<NodeJS.Signals, number>} */
  const seenAt = new Map();
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const onSignal = (/** @type {NodeJS.Signals} */ signal) => {
    const now = performance.now();
    if (now - (seenAt.get(signal) ?? Number.NEGATIVE_INFINITY) > sameSignalMs) forward(signal);
    seenAt.set(signal, now);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
