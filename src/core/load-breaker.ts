// Owns: what is refused while this node has more to do than it can, and when it is taken again. May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';

/** In the order in which load is shed; what is given up last is what people see who are in already. */
export const loadSteps = ['jobs', 'joins', 'layers'] as const;
export type LoadStep = (typeof loadSteps)[number];

/** Measured since the reading before. */
export interface LoadReading {
  /** 0..1 of the cores that this node may use. */
  readonly cpuShare: number;
  /** How late timers of the control process run, 99th percentile. */
  readonly eventLoopDelayMs: number;
}

export interface LoadBreakerSettings {
  readonly cpuPercent: number;
  readonly eventLoopDelayMs: number;
  readonly stepAfterMs: number;
  readonly recoverAfterMs: number;
}

export interface LoadState {
  /** What is given up now: the first so many of {@link loadSteps}. */
  readonly shedding: readonly LoadStep[];
  /** What was measured at the last step, in words for the operator. */
  readonly reason: string;
}

export type LoadBreakerEvents = {
  stepped: [state: LoadState];
  recovered: [state: LoadState];
  refused: [step: LoadStep];
};

/** Of the limits: load has to fall below this share of them before anything is taken again. */
const recoverBelow = 0.8;

const refusals = {
  jobs: 'This server has all the work that it can do and takes no more for the moment.',
  joins: 'This server is full to its limits and takes no new participants for the moment.',
} as const;

/**
 * ```
 *  everything ──too much for stepAfterMs──► no new jobs ──again──► nor joins ──again──► low video layers only
 *      ◄────────── below 0.8 of the limits for recoverAfterMs: one step back, and so on ──────────
 * ```
 * Between 0.8 of a limit and the limit it stays as it is, and both waits begin anew.
 */
export class LoadBreaker {
  readonly events = new EventEmitter<LoadBreakerEvents>();
  readonly #settings: LoadBreakerSettings;
  #level = 0;
  #reason = '';
  #pressure = 0;
  #reading: LoadReading | undefined;
  #highSinceMs: number | undefined;
  #lowSinceMs: number | undefined;

  constructor(settings: LoadBreakerSettings) {
    this.#settings = settings;
  }

  get state(): LoadState {
    return { shedding: loadSteps.slice(0, this.#level), reason: this.#reason };
  }

  /** The greater of what was measured and its limit, as a ratio: 1 is at the limit. */
  get pressure(): number {
    return this.#pressure;
  }

  /** The last one; undefined before the first, and where nothing is measured. */
  get reading(): LoadReading | undefined {
    return this.#reading;
  }

  isShedding(step: LoadStep): boolean {
    return loadSteps.indexOf(step) < this.#level;
  }

  /** @throws GatewayError `overloaded`, with when to try again */
  assertTakes(step: 'jobs' | 'joins'): void {
    if (!this.isShedding(step)) return;
    this.events.emit('refused', step);
    const stepsBack = this.#level - loadSteps.indexOf(step);
    throw new GatewayError('overloaded', refusals[step], { retryAfterMs: stepsBack * this.#settings.recoverAfterMs });
  }

  /** @param nowMs of a clock that is never set back */
  note(reading: LoadReading, nowMs: number): void {
    const { cpuPercent, eventLoopDelayMs, stepAfterMs, recoverAfterMs } = this.#settings;
    this.#reading = reading;
    this.#pressure = Math.max((reading.cpuShare * 100) / cpuPercent, reading.eventLoopDelayMs / eventLoopDelayMs);
    this.#highSinceMs = this.#pressure >= 1 ? (this.#highSinceMs ?? nowMs) : undefined;
    this.#lowSinceMs = this.#pressure < recoverBelow ? (this.#lowSinceMs ?? nowMs) : undefined;
    if (this.#highSinceMs !== undefined && nowMs - this.#highSinceMs >= stepAfterMs) this.#move(1, reading, nowMs);
    if (this.#lowSinceMs !== undefined && nowMs - this.#lowSinceMs >= recoverAfterMs) this.#move(-1, reading, nowMs);
  }

  #move(by: 1 | -1, reading: LoadReading, nowMs: number): void {
    const level = Math.min(loadSteps.length, Math.max(0, this.#level + by));
    if (level === this.#level) return;
    this.#level = level;
    this.#reason = this.#wordsFor(reading);
    // Each step gets its time to show in what is measured.
    if (by > 0) this.#highSinceMs = nowMs;
    else this.#lowSinceMs = nowMs;
    this.events.emit(by > 0 ? 'stepped' : 'recovered', this.state);
  }

  #wordsFor({ cpuShare, eventLoopDelayMs }: LoadReading): string {
    const { cpuPercent, eventLoopDelayMs: maxDelayMs } = this.#settings;
    const cpu = `CPU ${Math.round(cpuShare * 100)} % of its cores (limit ${cpuPercent} %)`;
    return `${cpu}, event loop ${Math.round(eventLoopDelayMs)} ms late (limit ${maxDelayMs} ms)`;
  }
}
