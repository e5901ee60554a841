// Owns: SfuPort on mediasoup: as many worker processes as cores, and which of them carries a room.
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SfuConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { PhoneBridge, PhoneBridgeOptions, PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Logger, SfuPort, SfuWorkerInfo } from '#core/ports.ts';
import type { RtpCapabilities } from '#core/rtp.ts';
import { roomRtpCapabilities } from './codecs.ts';
import { LayerLimit } from './layer-limit.ts';
import { logMediasoup } from './mediasoup-log.ts';
import { RouterPhoneBridge } from './phone-bridge.ts';
import { RoomRouter } from './room-router.ts';
import { type SfuOptions, SfuProcess } from './sfu-process.ts';

/** A worker that dies is replaced at once; if that goes wrong again and again, at longer and longer intervals. */
const restartDelaysMs = [0, 250, 500, 1_000, 2_000, 5_000, 10_000] as const;
/** After so long a life a death counts as the first again. */
const settledAfterMs = 60_000;
/** How long a new room waits for a worker when there is none. */
const workerWaitMs = 5_000;
/** A clean exit is Ctrl-C, which a terminal sends to workers too: time for the application to close us. */
const cleanExitDelayMs = 500;

export interface Sfu extends SfuPort, PhoneBridgePort {
  /** Nobody is sent a higher layer of video; undefined ends that. */
  limitLayers(spatialLayer: number | undefined): void;
  /** Ends every worker process; resolves when they are gone. */
  close(reason?: CloseReason): Promise<CloseReason>;
}

/**
 * Starts all workers.
 * @throws GatewayError `conflict` (port in use), `internal` (worker does not start), in words for whoever starts it
 */
export function createSfu(config: SfuConfig, options: SfuOptions): Promise<Sfu> {
  return SfuWorkerPool.create(config, { ...options, log: options.log.child({ part: 'sfu' }) });
}

/** One place for a worker process: its port stays, its processes come and go. */
interface WorkerSlot {
  readonly index: number;
  process: SfuProcess | undefined;
  restarts: number;
  /** Deaths and failed starts since it last lived long enough. */
  failures: number;
  startedAtMs: number;
}

class SfuWorkerPool extends Owned implements Sfu {
  readonly rtpCapabilities: RtpCapabilities = roomRtpCapabilities;
  readonly layers = new LayerLimit();
  readonly #config: SfuConfig;
  readonly #options: SfuOptions;
  readonly #log: Logger;
  readonly #slots: WorkerSlot[];
  readonly #waiters = new Set<() => void>();
  readonly #starting = new Set<Promise<void>>();
  #lastFailure = 'it has not started yet';

  private constructor(config: SfuConfig, options: SfuOptions) {
    super();
    this.#config = config;
    this.#options = options;
    this.#log = options.log;
    const count = config.workers === 0 ? availableParallelism() : config.workers;
    this.#slots = Array.from({ length: count }, (_, index) => {
      return { index, process: undefined, restarts: 0, failures: 0, startedAtMs: 0 };
    });
  }

  static async create(config: SfuConfig, options: SfuOptions): Promise<SfuWorkerPool> {
    logMediasoup(options.log);
    const pool = new SfuWorkerPool(config, options);
    const starts = await Promise.allSettled(pool.#slots.map((slot) => pool.#start(slot)));
    const failure = starts.find((start) => start.status === 'rejected');
    if (!failure) return pool;
    await pool.close('failed');
    throw failure.reason;
  }

  createRoom({ log }: { log: Logger }): Promise<RoomRouter> {
    return this.#onProcess((process) => RoomRouter.create(this, process, this.#config, log));
  }

  createPhoneBridge(options: PhoneBridgeOptions): Promise<PhoneBridge> {
    return this.#onProcess((process) => RouterPhoneBridge.create(process, this.#config, options));
  }

  async #onProcess<T>(create: (process: SfuProcess) => Promise<T>): Promise<T> {
    const deadlineMs = performance.now() + workerWaitMs;
    for (;;) {
      if (this.isClosed) throw new GatewayError('closed', 'The SFU has been closed.');
      // Chosen and counted in one go, so that a burst of new rooms spreads.
      const process = this.chooseProcess() ?? (await this.#waitForProcess(deadlineMs - performance.now()));
      process.expectedUsers++;
      try {
        return await create(process);
      } catch (thrown) {
        // It died meanwhile: another may do.
        if (!process.isClosed) throw thrown;
      } finally {
        process.expectedUsers--;
      }
    }
  }

  /** The least loaded of those that run, except where `avoid` says no; undefined when none is left. */
  chooseProcess(avoid: ReadonlySet<SfuProcess> = new Set()): SfuProcess | undefined {
    const running = this.#slots.flatMap(({ process }) => (process && !avoid.has(process) ? [process] : []));
    // An empty room counts too, or a burst of new rooms would all go to one worker.
    const loadOf = (process: SfuProcess): number => process.streamCount + process.users.size + process.expectedUsers;
    return running.reduce<SfuProcess | undefined>(
      (least, process) => (least && loadOf(least) <= loadOf(process) ? least : process),
      undefined,
    );
  }

  async describeWorkers(): Promise<readonly SfuWorkerInfo[]> {
    const descriptions = this.#slots.map(async ({ process, restarts }): Promise<SfuWorkerInfo[]> => {
      if (!process) return [];
      try {
        const usage = await process.worker.getResourceUsage();
        return [
          {
            pid: process.pid,
            rooms: process.users.size,
            consumers: process.consumerCount,
            cpuMs: usage.ru_utime + usage.ru_stime,
            maxRssBytes: usage.ru_maxrss * 1_024, // kilobytes on Linux (getrusage(2))
            restarts,
          },
        ];
      } catch {
        // It died while it was asked, and describes itself no more.
        return [];
      }
    });
    return (await Promise.all(descriptions)).flat();
  }

  limitLayers(spatialLayer: number | undefined): void {
    this.layers.set(spatialLayer);
  }

  problems(): readonly string[] {
    if (this.isClosed) return ['The SFU has been closed.'];
    return this.#slots.some(({ process }) => process) ? [] : [`No SFU worker is running: ${this.#lastFailure}`];
  }

  #start(slot: WorkerSlot): Promise<void> {
    const starting = this.#startNow(slot);
    const settled = starting.catch(() => undefined).then(() => void this.#starting.delete(settled));
    this.#starting.add(settled);
    return starting;
  }

  async #startNow(slot: WorkerSlot): Promise<void> {
    const process = await SfuProcess.start(slot.index, this.#slots.length, this.#config, this.#options);
    this.own(process);
    if (process.isClosed) {
      await process.done;
      throw new Error('it was closed while it started');
    }
    slot.process = process;
    slot.startedAtMs = performance.now();
    process.signal.addEventListener('abort', () => {
      slot.process = undefined;
    });
    process.worker.once('died', (error) => this.#onDied(slot, error));
    for (const wake of this.#waiters) wake();
  }

  #onDied(slot: WorkerSlot, error: Error): void {
    this.#lastFailure = `it died (${error.message})`;
    if (this.isClosed) return;
    const isCleanExit = /code:0,/.test(error.message);
    this.#log[isCleanExit ? 'info' : 'error']({ worker: slot.index, err: error }, 'sfu worker died');
    if (performance.now() - slot.startedAtMs > settledAfterMs) slot.failures = 0;
    void this.#replace(slot, isCleanExit ? cleanExitDelayMs : 0);
  }

  async #replace(slot: WorkerSlot, atLeastMs: number): Promise<void> {
    for (let delayMs = atLeastMs; !this.isClosed; delayMs = 0) {
      const backOffMs = restartDelaysMs[Math.min(slot.failures, restartDelaysMs.length - 1)] ?? 0;
      slot.failures++;
      try {
        await sleep(Math.max(delayMs, backOffMs), undefined, { signal: this.signal });
        await this.#start(slot);
        slot.restarts++;
        return;
      } catch (thrown) {
        if (this.isClosed) return;
        this.#lastFailure = thrown instanceof Error ? thrown.message : String(thrown);
        this.#log.error({ worker: slot.index, failures: slot.failures, err: thrown }, 'sfu worker not replaced');
      }
    }
  }

  /** @throws GatewayError `overloaded` */
  async #waitForProcess(timeoutMs: number): Promise<SfuProcess> {
    const woken = Promise.withResolvers<void>();
    const timer = setTimeout(woken.resolve, Math.max(0, timeoutMs));
    this.#waiters.add(woken.resolve);
    await woken.promise;
    clearTimeout(timer);
    this.#waiters.delete(woken.resolve);
    const replacement = this.chooseProcess();
    if (replacement) return replacement;
    throw new GatewayError('overloaded', 'No media worker is running; try again in a few seconds.', {
      retryAfterMs: 2_000,
    });
  }

  protected override async onClose(): Promise<void> {
    for (const wake of this.#waiters) wake();
    // A replacement may be half way up; it closes itself, and nobody is to be left behind.
    await Promise.all(this.#starting);
  }
}
