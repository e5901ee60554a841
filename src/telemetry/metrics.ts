// Owns: what Prometheus is told. May import: core.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type ErrorCode, errorTable } from '#core/errors.ts';
import type { Logger, MediaPort, SfuPort, SfuWorkerInfo } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import { MediaSampler } from './media-sampler.ts';

export interface MetricsOptions {
  readonly rooms: Rooms;
  readonly sfu: Pick<SfuPort, 'describeWorkers'>;
  readonly media?: Pick<MediaPort, 'jobs' | 'describeWorkers'> | undefined;
  readonly log: Logger;
  /** Measurements of media are so old at the most before they are made again. */
  readonly cacheMs?: number;
}

/** What other parts count. Handed to them by the composition root; each declares the few methods it uses. */
export interface Counters {
  /** A refusal or failure that somebody was told of. */
  failed(code: ErrorCode): void;
  connectionOpened(): void;
  connectionClosed(): void;
  /** @param request.route the pattern (`/api/rooms/:room`), never the path: that would be a series for each room */
  httpAnswered(request: { method: string; route: string; status: number; durationMs: number }): void;
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const workersTimeoutMs = 1_000;
const delayResolutionMs = 10;

export class Metrics {
  readonly registry = new Registry();
  readonly counters: Counters;
  readonly #options: MetricsOptions & { readonly cacheMs: number };
  readonly #sampler: MediaSampler;
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  readonly #gauges: ReturnType<typeof makeGauges>;
  #lastPassAtMs = Number.NEGATIVE_INFINITY;
  #collecting: Promise<void> | undefined;

  constructor(options: MetricsOptions) {
    this.#options = { cacheMs: 5_000, ...options };
    this.#sampler = new MediaSampler({ rooms: options.rooms });
    collectDefaultMetrics({ register: this.registry });
    this.#gauges = makeGauges(this.registry);
    this.counters = makeCounters(this.registry);
    this.#delay.enable();
    this.#countJoins();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Text format. Scrapes at the same time share one collection. */
  async render(): Promise<string> {
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    await this.#collecting;
    return this.registry.metrics();
  }

  async #collect(): Promise<void> {
    this.#countRooms();
    this.#describeMedia();
    this.#measureDelay();
    if (performance.now() - this.#lastPassAtMs < this.#options.cacheMs) return;
    this.#lastPassAtMs = performance.now();
    await Promise.all([this.#sampler.pass(), this.#describeWorkers()]);
    const { bandwidth, loss, jitter } = this.#gauges;
    const { quality, bytesReceived, bytesSent } = this.#sampler;
    setTotal(bandwidth, { direction: 'in' }, bytesReceived);
    setTotal(bandwidth, { direction: 'out' }, bytesSent);
    loss.set({ direction: 'in' }, quality.lossIn);
    loss.set({ direction: 'out' }, quality.lossOut);
    jitter.set(quality.jitterInMs);
  }

  #countRooms(): void {
    let rooms = 0;
    let participants = 0;
    const tracks = { audio: 0, video: 0 };
    for (const room of this.#options.rooms.liveRooms()) {
      rooms++;
      participants += room.participants.size;
      for (const { kind } of room.publications()) tracks[kind]++;
    }
    this.#gauges.rooms.set(rooms);
    this.#gauges.participants.set(participants);
    this.#gauges.audioTracks.set(tracks.audio);
    this.#gauges.videoTracks.set(tracks.video);
  }

  #measureDelay(): void {
    for (const [quantile, percentile] of [
      ['0.5', 50],
      ['0.99', 99],
      ['1', 100],
    ] as const) {
      // The histogram holds times between ticks of its own timer: an idle loop shows the resolution, not 0.
      const delayMs = Math.max(0, this.#delay.percentile(percentile) / 1e6 - delayResolutionMs);
      this.#gauges.loopDelay.set({ quantile }, delayMs / 1_000);
    }
    this.#delay.reset();
  }

  async #describeWorkers(): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('SFU workers did not answer')), workersTimeoutMs);
    try {
      this.#showWorkers(await Promise.race([this.#options.sfu.describeWorkers(), late]));
    } catch (cause) {
      // The rest of the scrape is still good.
      this.#options.log.warn({ err: cause }, 'SFU workers not measured');
    } finally {
      clearTimeout(timer);
    }
  }

  #showWorkers(workers: readonly SfuWorkerInfo[]): void {
    const { workerCpu, workerMemory, workerRestarts, workerConsumers } = this.#gauges;
    for (const metric of [workerCpu, workerMemory, workerRestarts, workerConsumers]) metric.reset();
    workers.forEach(({ cpuMs, maxRssBytes, restarts, consumers }, index) => {
      const worker = String(index);
      workerCpu.inc({ worker }, cpuMs / 1_000);
      workerMemory.set({ worker }, maxRssBytes);
      workerRestarts.inc({ worker }, restarts);
      workerConsumers.set({ worker }, consumers);
    });
  }

  #describeMedia(): void {
    const { media } = this.#options;
    const { jobs, mediaJobs, mediaCost, mediaCpu, mediaMemory, mediaDelay, mixLateness } = this.#gauges;
    for (const metric of [jobs, mediaJobs, mediaCost, mediaCpu, mediaMemory, mediaDelay, mixLateness]) metric.reset();
    for (const { info } of media?.jobs.values() ?? []) jobs.inc({ kind: info.kind, state: info.state });
    for (const { pid, state, ...worker } of media?.describeWorkers() ?? []) {
      // By process: one that was replaced begins at zero, and its successor has another name.
      const labels = { pid: String(pid) };
      mediaJobs.set({ ...labels, state }, worker.jobs);
      mediaCost.set(labels, worker.costMsPerS / 1_000);
      mediaCpu.inc(labels, worker.cpuMs / 1_000);
      mediaMemory.set(labels, worker.rssBytes);
      mediaDelay.set(labels, worker.eventLoopDelayP99Ms / 1_000);
      if (!worker.mixLateness) continue;
      mixLateness.set({ ...labels, quantile: '0.5' }, worker.mixLateness.p50Ms / 1_000);
      mixLateness.set({ ...labels, quantile: '0.99' }, worker.mixLateness.p99Ms / 1_000);
    }
  }

  #countJoins(): void {
    const { joins, leaves } = this.#gauges;
    this.#options.rooms.events.on('opened', (room) => {
      room.events.on('participantJoined', ({ kind }) => joins.inc({ kind }));
      room.events.on('participantLeft', ({ kind }, reason) => leaves.inc({ kind, reason }));
    });
  }
}

/** prom-client counts only upwards by steps; ours are totals already. */
function setTotal(counter: Counter, labels: Record<string, string>, total: number): void {
  counter.remove(labels);
  counter.inc(labels, total);
}

function makeGauges(registry: Registry) {
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name, help, labelNames: [...labelNames], registers });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name, help, labelNames: [...labelNames], registers });
  return {
    rooms: gauge('webrtc_rooms_total', 'Rooms in use.'),
    participants: gauge('webrtc_participants_total', 'Participants in all rooms.'),
    videoTracks: gauge('webrtc_video_tracks_total', 'Video streams published.'),
    audioTracks: gauge('webrtc_audio_tracks_total', 'Audio streams published.'),
    bandwidth: counter(
      'webrtc_bandwidth_usage_bytes',
      'Bytes carried by WebRTC transports, sampled: in from clients, out to them.',
      ['direction'],
    ),
    loss: gauge(
      'webrtc_packet_loss_rate',
      'Mean share of packets lost (0 to 1) of sampled streams: in as we see it, out as receivers report it.',
      ['direction'],
    ),
    jitter: gauge('webrtc_jitter_ms', 'Mean jitter of sampled streams that arrive, in milliseconds.'),
    loopDelay: gauge(
      'switchyard_event_loop_delay_seconds',
      'How late the control process runs its timers, since the last scrape.',
      ['quantile'],
    ),
    workerCpu: counter('switchyard_sfu_worker_cpu_seconds_total', 'CPU time of an SFU worker.', ['worker']),
    workerMemory: gauge('switchyard_sfu_worker_max_rss_bytes', 'Most memory an SFU worker has held.', ['worker']),
    workerRestarts: counter('switchyard_sfu_worker_restarts_total', 'Times an SFU worker was replaced.', ['worker']),
    workerConsumers: gauge('switchyard_sfu_worker_consumers', 'Streams that an SFU worker sends.', ['worker']),
    jobs: gauge('switchyard_jobs', 'Jobs in media workers.', ['kind', 'state']),
    mediaJobs: gauge('switchyard_media_worker_jobs', 'Jobs of a media worker.', ['pid', 'state']),
    mediaCost: gauge('switchyard_media_worker_reckoned_cores', 'CPU that placement reckons for its jobs.', ['pid']),
    mediaCpu: counter('switchyard_media_worker_cpu_seconds_total', 'CPU time of a media worker.', ['pid']),
    mediaMemory: gauge('switchyard_media_worker_rss_bytes', 'Memory of a media worker.', ['pid']),
    mediaDelay: gauge(
      'switchyard_media_worker_event_loop_delay_seconds',
      'How late a media worker runs its timers: 99th percentile since its last heartbeat.',
      ['pid'],
    ),
    mixLateness: gauge(
      'switchyard_mix_lateness_seconds',
      'How long after it was due what a media worker mixes was sent, in the last 80 s.',
      ['pid', 'quantile'],
    ),
    joins: counter('switchyard_joins_total', 'Participants that came in.', ['kind']),
    leaves: counter('switchyard_leaves_total', 'Participants that left, and why.', ['kind', 'reason']),
  };
}

function makeCounters(registry: Registry): Counters {
  const registers = [registry];
  const errors = new Counter({
    name: 'switchyard_errors_total',
    help: 'Failures that somebody was told of, by code and by who has to act.',
    labelNames: ['code', 'blame'],
    registers,
  });
  const open = new Gauge({ name: 'switchyard_ws_connections', help: 'Signalling connections now.', registers });
  const opened = new Counter({ name: 'switchyard_ws_connections_total', help: 'Signalling connections.', registers });
  const requests = new Counter({
    name: 'switchyard_http_requests_total',
    help: 'HTTP requests answered.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'switchyard_http_request_duration_seconds',
    help: 'Time from a request to its answer.',
    labelNames: ['route'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  return {
    failed: (code) => errors.inc({ code, blame: errorTable[code].blame }),
    connectionOpened: () => {
      open.inc();
      opened.inc();
    },
    connectionClosed: () => open.dec(),
    httpAnswered: ({ method, route, status, durationMs }) => {
      requests.inc({ method: methods.has(method) ? method : 'other', route, status });
      durations.observe({ route }, durationMs / 1_000);
    },
  };
}
