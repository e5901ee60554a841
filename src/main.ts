// Owns: the command line, the signals and the exit code. May import: everything, like app.ts.
import { join, resolve } from 'node:path';
import type { LoadedConfig } from '#config/load.ts';
import { toGatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import { backUp } from '#store/backup.ts';
import { databaseName, keyFileName } from '#store/open-store.ts';
import { createLogger } from '#telemetry/logger.ts';
import type { App } from './app.ts';
import { commandList, isCliCommand, runCli } from './cli/index.ts';
import { collectShortLives } from './garbage.ts';

const usage = `Usage:
  switchyard [start] [flags]      runs the gateway
  switchyard doctor [flags]       says what would keep it from running, and what to do; --json for programs
  switchyard backup FILE [flags]  copies the store of the data folder while it is in use
  switchyard help

Flags: --config FILE, --port-base N, --data DIR, and every setting of docs/config.md (--http.port 80).

Of a gateway that is running (each says more with --help; docs/cli.md):
${commandList()}`;

/** Flags that are no settings. */
const ownFlags = ['--json', '--help', '-h'];

/** A second SIGTERM or a SIGINT does not wait; nor does anything past this after the drain. */
const closeTimeoutMs = 5_000;

// What only the gateway needs is loaded only for it: a command is over before all of that would be read.
async function load(args: readonly string[]): Promise<LoadedConfig> {
  const { ConfigError, loadConfig } = await import('#config/load.ts');
  try {
    return loadConfig(args, process.env);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    process.stderr.write(`${thrown.message}\n`);
    process.exit(2);
  }
}

async function start({ config, file }: LoadedConfig, log: Logger): Promise<void> {
  const startedAtMs = performance.now();
  collectShortLives();
  let app: App;
  try {
    const { App } = await import('./app.ts');
    app = await App.create(config, log);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    log.error({ err: thrown }, error.code === 'internal' ? 'the gateway did not start' : error.message);
    process.stderr.write('The gateway did not start; `npx switchyard doctor` says what is wrong on this machine.\n');
    process.exit(1);
  }
  log.info({ ms: Math.round(performance.now() - startedAtMs), file, ...app.addresses }, 'listening');
  process.stdout.write(app.welcome());

  let signals = 0;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    signals += 1;
    if (signals > 1) process.exit(130);
    if (signal === 'SIGTERM') {
      log.info({ timeoutMs: config.shutdown.drainTimeoutMs }, 'draining');
      await app.drain(config.shutdown.drainTimeoutMs);
    }
    // Whatever hangs in the teardown does not keep the process: workers notice that their parent is gone.
    setTimeout(() => process.exit(1), closeTimeoutMs).unref();
    await app.close('drained');
    log.info({ signal }, 'ended');
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void end(signal));
  process.on('SIGINT', (signal) => void end(signal));
  process.on('unhandledRejection', (cause) => log.error({ err: cause }, 'unhandled rejection; this is a bug'));
  process.on('warning', (warning) => log.warn({ err: warning }, 'warning of the runtime'));
}

/** @returns the exit code */
async function copyStore({ config }: LoadedConfig, to: string, isJson: boolean): Promise<number> {
  try {
    const copy = await backUp(join(resolve(config.data), databaseName), to);
    const advice = `Keep ${keyFileName} of the data folder apart from it: it opens what is sealed there.`;
    process.stdout.write(isJson ? `${JSON.stringify({ file: copy })}\n` : `${copy}\n${advice}\n`);
    return 0;
  } catch (thrown) {
    const { code, message } = toGatewayError(thrown);
    process.stderr.write(isJson ? `${JSON.stringify({ error: { code, detail: message } })}\n` : `${message}\n`);
    return 1;
  }
}

/** @returns the exit code */
async function runDoctor({ config }: LoadedConfig, isJson: boolean): Promise<number> {
  const { examine, renderFindings } = await import('./doctor.ts');
  const log = createLogger({ ...config.log, level: 'error' }, { stream: process.stderr });
  const findings = await examine(config, log);
  const text = isJson ? JSON.stringify(findings, undefined, 2) : renderFindings(findings);
  await new Promise((written) => process.stdout.write(`${text}\n`, written));
  return findings.some(({ verdict }) => verdict === 'failure') ? 1 : 0;
}

/** Commands that talk to a gateway, or to its store. */
function runCommand(args: readonly string[]): Promise<number> {
  return runCli({
    args,
    environment: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    // Standard output is the answer.
    log: createLogger({ level: 'warn', format: 'auto' }, { stream: process.stderr }),
  });
}

async function main(): Promise<void> {
  const given = process.argv.slice(2);
  if (isCliCommand(given)) {
    // Not process.exit: what is piped to another program may not have been written yet.
    process.exitCode = await runCommand(given);
    return;
  }
  const loaded = await load(given.filter((word) => !ownFlags.includes(word)));
  const [command = 'start', ...rest] = loaded.command;
  const isJson = given.includes('--json');
  if (given.includes('--help') || given.includes('-h')) {
    process.stdout.write(usage);
    return;
  }
  if (command === 'backup' && rest.length === 1) {
    process.exitCode = await copyStore(loaded, rest[0] ?? '', isJson);
    return;
  }
  if (rest.length > 0 || !['start', 'doctor', 'help'].includes(command)) {
    process.stderr.write(`Unknown command "${loaded.command.join(' ')}".\n\n${usage}`);
    process.exit(2);
  }
  if (command === 'help') {
    process.stdout.write(usage);
    return;
  }
  if (command === 'doctor') {
    process.exit(await runDoctor(loaded, isJson));
  }
  await start(loaded, createLogger(loaded.config.log));
}

await main();
