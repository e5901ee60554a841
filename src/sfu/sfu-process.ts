// Owns: one running mediasoup-worker and its WebRtcServer, from start to exit.
import { setTimeout as sleep } from 'node:timers/promises';
import { createWorker, type types, workerBin } from 'mediasoup';
import type { SfuConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { explainListenFailure, listenInfosFor, loopbackPortRange, resolveListenAddresses } from './listen-addresses.ts';

const startTimeoutMs = 10_000;
const exitTimeoutMs = 2_000;
/** A worker that has not answered for so many heartbeats is stuck, and everybody who waits for it with it. */
const missedHeartbeats = 3;
/**
 * As far as the system grants it. One socket takes what all streams of a media worker send to a room: by default it holds
 * some ninety packets, which is a key frame or a worker that had to wait 10 ms for its turn.
 */
const socketBufferBytes = 4 * 1024 * 1024;
const socketBuffers = { recvBufferSize: socketBufferBytes, sendBufferSize: socketBufferBytes };

export interface SfuOptions {
  readonly log: Logger;
  /** How often each worker is asked whether it lives. */
  readonly heartbeatMs?: number | undefined;
}

/** Who has routers in a process. */
export interface SfuProcessUser {
  /** The process has gone with all that was in it: `failed` when it died, anything else when it was closed. */
  onProcessGone(reason: CloseReason): void;
}

export class SfuProcess extends Owned {
  readonly index: number;
  readonly worker: types.Worker;
  readonly webRtcServer: types.WebRtcServer;
  /** For PlainTransports and PipeTransports. */
  readonly loopback: types.TransportListenInfo;
  readonly users = new Set<SfuProcessUser>();
  /** Rooms that are being made in it. */
  expectedUsers = 0;
  /** Consumers and producers that it carries now. */
  streamCount = 0;
  consumerCount = 0;
  readonly #log: Logger;
  readonly #heartbeatMs: number;
  readonly #heartbeat: NodeJS.Timeout;

  private constructor(
    index: number,
    worker: types.Worker,
    webRtcServer: types.WebRtcServer,
    loopback: types.TransportListenInfo,
    { log, heartbeatMs = 2_000 }: SfuOptions,
  ) {
    super();
    this.index = index;
    this.worker = worker;
    this.webRtcServer = webRtcServer;
    this.loopback = loopback;
    this.#log = log;
    this.#heartbeatMs = heartbeatMs;
    this.#heartbeat = setInterval(() => void this.#checkAlive(), heartbeatMs).unref();
    worker.on('died', () => void this.close('failed'));
    // At once, so that whoever is refused by the closed worker learns why from its room.
    this.signal.addEventListener('abort', () => {
      for (const user of [...this.users]) user.onProcessGone(this.signal.reason as CloseReason);
      this.users.clear();
    });
  }

  /**
   * @param workerCount how many there are in all, for the ports that they take
   * @throws GatewayError `conflict` (port in use, no such address), `internal` (the binary does not run)
   */
  static async start(index: number, workerCount: number, config: SfuConfig, options: SfuOptions): Promise<SfuProcess> {
    const { log } = options;
    const worker = await startWorker(config);
    const port = config.firstPort === 0 ? 0 : config.firstPort + index;
    const listenInfos = listenInfosFor(await resolveListenAddresses(config.listen), port, config);
    try {
      if (listenInfos.length === 0) {
        throw new GatewayError('conflict', 'Media has nowhere to listen: turn on sfu.hasUdp or sfu.hasTcp.');
      }
      const webRtcServer = await worker.createWebRtcServer({ listenInfos }).catch(async (cause: unknown) => {
        throw await explainListenFailure(listenInfos, cause);
      });
      const portRange = loopbackPortRange(config.firstPort, workerCount);
      const loopback: types.TransportListenInfo = { protocol: 'udp', ip: '127.0.0.1', portRange, ...socketBuffers };
      log.info({ worker: index, pid: worker.pid, port, addresses: listenInfos.length }, 'sfu worker started');
      return new SfuProcess(index, worker, webRtcServer, loopback, options);
    } catch (thrown) {
      await endWorker(worker, log);
      throw thrown;
    }
  }

  get pid(): number {
    return this.worker.pid;
  }

  async #checkAlive(): Promise<void> {
    const answer = this.worker.getResourceUsage().then(
      () => 'alive' as const,
      () => 'unreachable' as const,
    );
    let state: 'alive' | 'unreachable' | 'silent' = 'silent';
    // One heartbeat at a time: when it is we who slept, their answers are read before the last one is over.
    for (let missed = 0; state === 'silent' && missed < missedHeartbeats && !this.isClosed; missed++) {
      state = await Promise.race([answer, sleep(this.#heartbeatMs, 'silent' as const, { ref: false })]);
    }
    if (state === 'alive' || this.isClosed) return;
    this.#log.error({ worker: this.index, pid: this.pid, state }, 'sfu worker does not answer, killing it');
    killProcess(this.pid);
  }

  protected override async onClose(): Promise<void> {
    clearInterval(this.#heartbeat);
    await endWorker(this.worker, this.#log);
  }
}

async function startWorker(config: SfuConfig): Promise<types.Worker> {
  const binary = config.workerBin ?? workerBin;
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const before = signals.map((signal) => new Set(process.listeners(signal)));
  const starting = createWorker({ workerBin: binary, logLevel: config.logLevel });
  // mediasoup ends its workers at once on these signals; ours drain first, so the application alone listens to them.
  for (const [i, signal] of signals.entries()) {
    for (const listener of process.listeners(signal)) {
      if (!before[i]?.has(listener)) process.removeListener(signal, listener);
    }
  }
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('it does not answer')), startTimeoutMs);
  try {
    return await Promise.race([starting, late.promise]);
  } catch (cause) {
    void starting.then(
      (worker) => worker.close(),
      () => undefined,
    );
    const reason = cause instanceof Error ? cause.message : String(cause);
    const advice = 'Run "npm run setup", or name another with sfu.workerBin.';
    throw new GatewayError('internal', `The SFU worker ${binary} does not start (${reason}). ${advice}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

/** Asks the process to go and waits until it has; kills it when it does not. */
async function endWorker(worker: types.Worker, log: Logger): Promise<void> {
  if (worker.subprocessClosed) return;
  const gone = new Promise<void>((resolve) => worker.once('subprocessclose', resolve));
  try {
    worker.close();
  } catch (err) {
    log.error({ pid: worker.pid, err }, 'sfu worker cannot be told to end, killing it');
    killProcess(worker.pid);
  }
  const timer = setTimeout(() => {
    log.warn({ pid: worker.pid }, 'sfu worker does not end, killing it');
    killProcess(worker.pid);
  }, exitTimeoutMs);
  await gone;
  clearTimeout(timer);
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it has ended meanwhile, which is what was wanted.
  }
}
