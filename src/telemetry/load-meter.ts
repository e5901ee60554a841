// Owns: how much of the machine this node takes, control process and workers together. May import: core.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoadReading } from '#core/load-breaker.ts';
import type { MediaPort, SfuPort } from '#core/ports.ts';

export interface LoadMeterOptions {
  readonly sfu: Pick<SfuPort, 'describeWorkers'>;
  readonly media: Pick<MediaPort, 'describeWorkers'>;
  /** That this node may use. */
  readonly cores: number;
}

interface Usage {
  readonly cpuMs: number;
  readonly atMs: number;
  /** CPU milliseconds per millisecond. */
  readonly rate: number;
}

const delayResolutionMs = 10;
/** Media workers tell their CPU time once a second: one that says the same for longer does nothing. */
const quietAfterMs = 3_000;

/**
 * What others on the machine take is not counted as CPU, as nothing that is refused here would give it back; where it hurts,
 * the event loop is late.
 */
export class LoadMeter {
  readonly #options: LoadMeterOptions;
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  #usages = new Map<number, Usage>();

  constructor(options: LoadMeterOptions) {
    this.#options = options;
    this.#delay.enable();
  }

  /** Since the reading before; the first one has nothing to compare with and sees no CPU. */
  async read(): Promise<LoadReading> {
    const eventLoopDelayMs = Math.max(0, this.#delay.percentile(99) / 1e6 - delayResolutionMs);
    this.#delay.reset();
    const { user, system } = process.cpuUsage();
    const { sfu, media, cores } = this.#options;
    const workers = [...(await sfu.describeWorkers()), ...media.describeWorkers()];
    const cpuMsByPid = new Map(workers.map(({ pid, cpuMs }) => [pid, cpuMs]));
    cpuMsByPid.set(process.pid, (user + system) / 1_000);
    const nowMs = performance.now();
    // Those that have ended go with the old map.
    this.#usages = new Map(
      [...cpuMsByPid].map(([pid, cpuMs]) => [pid, nextUsage(this.#usages.get(pid), cpuMs, nowMs)]),
    );
    const used = [...this.#usages.values()].reduce((sum, { rate }) => sum + rate, 0);
    return { cpuShare: used / cores, eventLoopDelayMs };
  }

  close(): void {
    this.#delay.disable();
  }
}

function nextUsage(before: Usage | undefined, cpuMs: number, nowMs: number): Usage {
  if (!before) return { cpuMs, atMs: nowMs, rate: 0 };
  const passedMs = nowMs - before.atMs;
  if (cpuMs === before.cpuMs && passedMs < quietAfterMs) return before;
  return { cpuMs, atMs: nowMs, rate: Math.max(0, cpuMs - before.cpuMs) / Math.max(1, passedMs) };
}
