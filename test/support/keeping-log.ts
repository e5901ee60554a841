// Owns: a Logger that keeps what it was told, for tests that look at it or want quiet.
import type { LogFields, Logger } from '#core/ports.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
  readonly message: string;
}

/** `lines` holds what was logged by it and its children, oldest first. */
export class KeepingLog implements Logger {
  readonly lines: LogLine[];
  readonly #fields: LogFields;

  constructor(lines: LogLine[] = [], fields: LogFields = {}) {
    this.lines = lines;
    this.#fields = fields;
  }

  debug = (fields: LogFields, message: string): void => this.#keep('debug', fields, message);
  info = (fields: LogFields, message: string): void => this.#keep('info', fields, message);
  warn = (fields: LogFields, message: string): void => this.#keep('warn', fields, message);
  error = (fields: LogFields, message: string): void => this.#keep('error', fields, message);

  child(fields: LogFields): Logger {
    return new KeepingLog(this.lines, { ...this.#fields, ...fields });
  }

  #keep(level: LogLine['level'], fields: LogFields, message: string): void {
    this.lines.push({ level, fields: { ...this.#fields, ...fields }, message });
  }
}
