// Owns: where log lines go and what they look like. May import: core, config.
import type { Writable } from 'node:stream';
import pino, { type DestinationStream } from 'pino';
import pretty from 'pino-pretty';
import type { LogConfig } from '#config/schema.ts';
import type { LogFields, Logger } from '#core/ports.ts';
import { timeText } from '#core/time-text.ts';
import { cleanFields } from './redact.ts';

/** Lines that wait for a reader which does not read; further ones are dropped, the process goes on. */
const maxBufferedBytes = 16 * 1024 * 1024;

/**
 * Pretty on a terminal, one JSON object per line otherwise. Fields are cleaned of credentials (see redact.ts).
 * @param options.stream where lines go instead of standard output
 */
export function createLogger(config: LogConfig, options: { stream?: Writable } = {}): Logger {
  const output = options.stream ?? process.stdout;
  const isTerminal = 'isTTY' in output && output.isTTY === true;
  const isPretty = config.format === 'pretty' || (config.format === 'auto' && isTerminal);
  const destination = isPretty ? prettyDestination(options.stream, isTerminal) : jsonDestination(options.stream);
  const settings: pino.LoggerOptions = {
    level: config.level,
    base: null,
    timestamp: () => `,"time":"${timeText(Date.now())}"`,
    formatters: { level: (level) => ({ level }) },
    // Errors are described by cleanFields; pino's own serializer would do it again.
    serializers: { err: (err: unknown) => err },
  };
  return new PinoLogger(pino(settings, destination));
}

function jsonDestination(stream: Writable | undefined): DestinationStream {
  // Asynchronous, so that a pipe nobody empties does not stop the gateway; pino flushes it when the process exits.
  return stream ?? pino.destination({ fd: 1, sync: false, maxLength: maxBufferedBytes });
}

function prettyDestination(stream: Writable | undefined, isTerminal: boolean): DestinationStream {
  return pretty({
    colorize: isTerminal,
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    sync: true,
    destination: stream ?? 1,
  });
}

class PinoLogger implements Logger {
  readonly #pino: pino.Logger;

  constructor(logger: pino.Logger) {
    this.#pino = logger;
  }

  debug(fields: LogFields, message: string): void {
    // Cleaning costs more than writing: not for lines that nobody wants.
    if (this.#pino.isLevelEnabled('debug')) this.#pino.debug(cleanFields(fields), message);
  }

  info(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('info')) this.#pino.info(cleanFields(fields), message);
  }

  warn(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('warn')) this.#pino.warn(cleanFields(fields), message);
  }

  error(fields: LogFields, message: string): void {
    this.#pino.error(cleanFields(fields), message);
  }

  child(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(cleanFields(fields)));
  }
}
