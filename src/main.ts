// Owns: the command line, the signals and the exit code. May import: everything, like app.ts.
import { join, resolve } from 'node:path';
import { ConfigError, type LoadedConfig, loadConfig } from '#config/load.ts';
import { toGatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import { backUp } from '#store/backup.ts';
import { createLogger } from '#telemetry/logger.ts';
import { App } from './app.ts';
import { examine, renderFindings } from './doctor.ts';

const usage = `Usage: switchyard [start] [flags]     runs the gateway
       switchyard doctor [flags]      says what would keep it from running, and what to do
       switchyard backup FILE [flags] copies the store of the data folder while it is in use
       switchyard help

Flags: --config FILE, --port-base N, --data DIR, and every setting of docs/config.md (--http.port 80).
`;

/** A second SIGTERM or a SIGINT does not wait; nor does anything past this after the drain. */
const closeTimeoutMs = 5_000;

function load(): LoadedConfig {
  try {
    return loadConfig(process.argv.slice(2), process.env);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    process.stderr.write(`${thrown.message}\n`);
    process.exit(2);
  }
}

async function start({ config, file }: LoadedConfig, log: Logger): Promise<void> {
  const startedAtMs = performance.now();
  let app: App;
  try {
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
async function copyStore({ config }: LoadedConfig, to: string): Promise<number> {
  try {
    const copy = await backUp(join(resolve(config.data), 'switchyard.db'), to);
    process.stdout.write(
      `${copy}\nKeep secrets.key of the data folder apart from it: it opens what is sealed there.\n`,
    );
    return 0;
  } catch (thrown) {
    process.stderr.write(`${toGatewayError(thrown).message}\n`);
    return 1;
  }
}

async function main(): Promise<void> {
  const loaded = load();
  const [command = 'start', ...rest] = loaded.command;
  if (command === 'backup' && rest.length === 1) process.exit(await copyStore(loaded, rest[0] ?? ''));
  if (rest.length > 0 || !['start', 'doctor', 'help'].includes(command)) {
    process.stderr.write(`Unknown command "${loaded.command.join(' ')}".\n\n${usage}`);
    process.exit(2);
  }
  if (command === 'help') {
    process.stdout.write(usage);
    return;
  }
  if (command === 'doctor') {
    const log = createLogger({ ...loaded.config.log, level: 'error' });
    const findings = await examine(loaded.config, log);
    process.stdout.write(`${renderFindings(findings)}\n`);
    process.exit(findings.some(({ verdict }) => verdict === 'failure') ? 1 : 0);
  }
  await start(loaded, createLogger(loaded.config.log));
}

await main();
