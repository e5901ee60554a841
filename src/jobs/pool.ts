// Owns: MediaPort: jobs, the media workers that run them, and one warm spare.
import { EventEmitter } from 'node:events';
import { availableParallelism } from 'node:os';
import type { MediaConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { JobId } from '#core/ids.ts';
import { Job, type JobHost, type JobSpec } from '#core/job.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Logger, MediaPort, MediaWorkerInfo, StartJobOptions } from '#core/ports.ts';
import type { LiveMessage } from '#media/live-pipe.ts';
import type { FromWorkerMessage } from '#media/protocol.ts';
import { JobRun } from './job-run.ts';
import { MediaWorker } from './media-worker.ts';
import { fits, type PlacementLimits, placeJob, startCostMsPerS } from './placement.ts';
import { WorkerSlot } from './worker-slot.ts';

export interface MediaPoolOptions {
  readonly config: MediaConfig;
  readonly log: Logger;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | undefined;
  /** For tests: another program in place of the media worker. */
  readonly workerFile?: string | undefined;
  /** Asked before a job is placed. @throws GatewayError `overloaded` */
  readonly assertMayStart?: ((spec: JobSpec) => void) | undefined;
}

export class MediaPool extends Owned implements MediaPort {
  readonly events = new EventEmitter<{ jobStarted: [job: Job, host: JobHost] }>();
  /** Media that workers make for viewers. */
  readonly live = new EventEmitter<{ message: [message: LiveMessage] }>();
  readonly #options: MediaPoolOptions;
  readonly #log: Logger;
  readonly #limits: PlacementLimits;
  readonly #slots = new Map<number, WorkerSlot>();
  readonly #runs = new Map<JobId, JobRun>();
  readonly #jobs = new Map<JobId, Job>();
  #spare: MediaWorker | undefined;
  #lastId = 0;
  #isDraining = false;

  constructor(options: MediaPoolOptions) {
    super();
    this.#options = options;
    this.#log = options.log.child({ part: 'jobs' });
    const { config } = options;
    this.#limits = {
      maxWorkers: config.workers === 0 ? availableParallelism() : config.workers,
      capacityMsPerS: config.maxLoadPercent * 10,
      maxRssBytes: config.maxWorkerBytes,
    };
    this.#warmUp();
  }

  get jobs(): ReadonlyMap<JobId, Job> {
    return this.#jobs;
  }

  async startJob(options: StartJobOptions): Promise<Job> {
    if (this.isClosed || this.#isDraining) throw new GatewayError('draining', 'This gateway takes no new work.');
    const { spec } = options;
    if (spec.kind === 'ingress' && spec.source.via === 'fed' && !options.openSource) {
      throw new GatewayError('internal', 'A fed job needs a source.');
    }
    this.#options.assertMayStart?.(spec);
    const costMsPerS = startCostMsPerS(spec);
    const slot = this.#place(costMsPerS, options);
    const job = new Job(spec, { costMsPerS });
    const log = options.log.child({ job: job.id });
    const run = new JobRun(job, options.host, log, options.openSource);
    this.#runs.set(job.id, run);
    this.#jobs.set(job.id, job);
    this.own(job);
    void job.done.then((reason) => {
      slot.stop(run);
      this.#runs.delete(job.id);
      this.#jobs.delete(job.id);
      log.info({ reason, state: job.state, why: job.info.reason }, 'job over');
    });
    job.events.on('changed', ({ state, reason, message }) => log.info({ state, reason, what: message }, 'job changed'));
    this.events.emit('jobStarted', job, options.host);
    this.#watchStart(job);
    try {
      await slot.start(run);
    } catch (error) {
      await job.close('failed');
      throw error;
    }
    return job;
  }

  async relinkJob(job: Job): Promise<void> {
    const run = this.#runs.get(job.id);
    const slot = run && [...this.#slots.values()].find((candidate) => candidate.runs.has(run));
    if (!run || !slot) throw new GatewayError('closed', 'This job is over.');
    await slot.relink(run);
  }

  describeWorkers(): readonly MediaWorkerInfo[] {
    const workers = [...this.#slots.values()].map((slot) => ({ worker: slot.worker, slot }));
    const spare = this.#spare ? [{ worker: this.#spare, slot: undefined }] : [];
    return [...workers, ...spare].map(({ worker, slot }) => ({
      pid: worker.pid,
      state: worker.state,
      jobs: slot?.runs.size ?? 0,
      costMsPerS: slot?.costMsPerS ?? 0,
      cpuMs: worker.heartbeat?.cpuMs ?? 0,
      rssBytes: worker.heartbeat?.rssBytes ?? 0,
      eventLoopDelayP99Ms: worker.heartbeat?.eventLoopDelayP99Ms ?? 0,
      mixLateness: worker.heartbeat?.mixLateness,
      rtpPort: worker.rtpPort,
    }));
  }

  problems(): readonly string[] {
    const problems: string[] = [];
    for (const slot of this.#slots.values()) {
      if (slot.worker.state !== 'ready') problems.push(`media worker ${slot.id} is being started`);
    }
    return problems;
  }

  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  #place(costMsPerS: number, { host }: StartJobOptions): WorkerSlot {
    const slots = [...this.#slots.values()].map((slot) => slot.describe(host.media));
    const placement = placeJob(costMsPerS, slots, this.#limits);
    if (placement.kind === 'refused') throw new GatewayError('overloaded', placement.message, { retryAfterMs: 10_000 });
    const known = placement.kind === 'existing' ? this.#slots.get(placement.workerId) : undefined;
    return known ?? this.#addSlot();
  }

  #addSlot(): WorkerSlot {
    const slot: WorkerSlot = this.own(
      new WorkerSlot({
        id: ++this.#lastId,
        log: this.#log,
        takeWorker: () => this.#takeWorker(),
        onLive: (message) => this.live.emit('message', message),
        onMessage: (from, message) => this.#receive(from, message),
      }),
    );
    this.#slots.set(slot.id, slot);
    void slot.done.then(() => this.#slots.delete(slot.id));
    return slot;
  }

  #takeWorker(): MediaWorker {
    const worker = this.#spare ?? this.#fork();
    this.#spare = undefined;
    // Not at once: the two would compete for the CPU while viewers wait for the first.
    void worker.whenUp().then(
      () => this.#warmUp(),
      () => undefined,
    );
    return worker;
  }

  #warmUp(): void {
    if (this.isClosed || this.#spare) return;
    const spare = this.#fork();
    this.#spare = spare;
    spare.events.on('died', () => {
      // Comes again when a worker is taken: a spare that cannot live is not worth a loop.
      if (this.#spare === spare) this.#spare = undefined;
    });
  }

  #fork(): MediaWorker {
    const { logLevel, workerFile } = this.#options;
    return this.own(
      new MediaWorker({ id: ++this.#lastId, log: this.#log, logLevel: logLevel ?? 'warn', file: workerFile }),
    );
  }

  #watchStart(job: Job): void {
    const { startTimeoutMs } = job.spec;
    if (startTimeoutMs === undefined) return;
    const timer = setTimeout(() => {
      job.move(
        'failed',
        'start_timeout',
        `Nothing to show within ${Math.round(startTimeoutMs / 1_000)} s of its start.`,
      );
    }, startTimeoutMs);
    const stopWatching = () => clearTimeout(timer);
    job.signal.addEventListener('abort', stopWatching);
    job.events.on('changed', ({ state }) => {
      if (state === 'live') stopWatching();
    });
  }

  #receive(slot: WorkerSlot, message: FromWorkerMessage): void {
    if (message.type === 'heartbeat') {
      for (const { jobId, progress, tracks } of message.jobs) {
        const run = this.#runs.get(jobId as JobId);
        run?.noteTracks(tracks);
        run?.job.noteProgress({ ...progress, avOffsetMs: progress.avOffsetMs });
      }
      return;
    }
    if (!('jobId' in message)) return;
    const run = this.#runs.get(message.jobId as JobId);
    // A message about a job that has just been stopped.
    if (!run || !slot.runs.has(run)) return;
    switch (message.type) {
      case 'jobChanged':
        run.job.move(message.state, message.reason, message.message);
        return;
      case 'verdicts':
        run.job.noteVerdicts(message.verdicts.map((verdict) => ({ ...verdict, to: verdict.to })));
        return;
      case 'trackReady':
        void run.publish(message);
        return;
      case 'trackEnded':
        run.unpublish(message.trackId);
        return;
      case 'costAsked':
        this.#answerCost(slot, run, message);
        return;
      case 'openSource':
        run.feed?.open();
        return;
      case 'closeSource':
        run.feed?.close();
        return;
      case 'keyFrameAsked':
        run.feed?.requestKeyFrame(message.streamId);
        return;
      case 'sourcePaused':
        run.feed?.setPaused(message.isPaused);
        return;
      case 'mixEvent':
      case 'viewEvent':
      case 'egressEvent':
        run.host.received?.(message.event);
        return;
    }
  }

  /** A job found out that it must transcode: admitted where it is, or told that it does not fit. */
  #answerCost(slot: WorkerSlot, run: JobRun, { askId, costMsPerS }: { askId: number; costMsPerS: number }): void {
    const moreMsPerS = costMsPerS - run.job.costMsPerS;
    const { id: jobId } = run.job;
    // Its room may have no media just now: what asks here runs already.
    if (moreMsPerS <= 0 || fits(slot.describe(), moreMsPerS, this.#limits)) {
      run.job.costMsPerS = costMsPerS;
      slot.worker.send({ type: 'costGranted', jobId, askId });
      return;
    }
    const message = `Transcoding it needs about ${Math.round(costMsPerS / 10)} % of a core, which its media worker has not left.`;
    slot.worker.send({ type: 'costRefused', jobId, askId, message });
  }

  protected override onClose(): void {
    this.#spare = undefined;
  }
}
