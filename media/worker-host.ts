// Owns: the jobs of one media worker process, and what the control process tells it.
import { type ErrorCode, toGatewayError } from '#core/errors.ts';
import type { IngressJobSpec, JobSpec } from '#core/job.ts';
import type { MediaSource, SourceEnd } from '#core/media-source.ts';
import type { PushOpener } from './egress/push-connection.ts';
import { JobContext, type Pipeline } from './job-context.ts';
import type { LiveOutlet } from './live-pipe.ts';
import type { MediaMessage } from './media-pipe.ts';
import { MixPipeline } from './mixer/mix-pipeline.ts';
import { TranscodePipeline } from './mixer/transcode-pipeline.ts';
import { ViewPipeline } from './mixer/view-pipeline.ts';
import { EgressPipeline } from './pipelines/egress.ts';
import { FedSource } from './pipelines/fed-source.ts';
import { IngressPipeline } from './pipelines/ingress.ts';
import type { FromWorkerMessage, MessageOf, ToWorkerMessage } from './protocol.ts';
import { RtpPort } from './rtp-port.ts';

const behindWords = 'media worker is sent more than it can take in: pictures are passed over until it has caught up';

/** Opens sources of one protocol in this process. @throws GatewayError when the options are wrong */
export type SourceOpener = (options: Readonly<Record<string, unknown>>) => MediaSource;

interface RunningJob {
  readonly context: JobContext;
  readonly pipeline: Pipeline;
  /** Only for a source in the control process; another for each attempt. */
  fed: FedSource | undefined;
}

export interface WorkerHostOptions {
  readonly send: (message: FromWorkerMessage) => void;
  readonly openers: Readonly<Record<string, SourceOpener>>;
  /** Of pushes, by protocol. */
  readonly pushOpeners: Readonly<Record<string, PushOpener>>;
  readonly live: LiveOutlet;
}

export class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #jobs = new Map<string, RunningJob>();
  #port: RtpPort | undefined;

  constructor(options: WorkerHostOptions) {
    this.#options = options;
  }

  async receive(message: ToWorkerMessage): Promise<void> {
    switch (message.type) {
      case 'configure':
        this.#port = await RtpPort.bind(message.rtpPort);
        this.#port.onBehind = () =>
          this.#options.send({ type: 'log', level: 'warn', fields: {}, message: behindWords });
        this.#options.send({ type: 'ready', rtpPort: this.#port.port });
        return;
      case 'openLink':
        this.#port?.openLink({ id: message.linkId, ip: message.ip, port: message.port });
        return;
      case 'closeLink':
        this.#port?.closeLink(message.linkId);
        return;
      case 'startJob':
        this.#start(message);
        return;
      case 'drain':
        return;
      default:
        this.#tellJob(message);
    }
  }

  /** Of a source in the control process. */
  receiveMedia(message: MediaMessage): void {
    this.#tellJob(message);
  }

  /** What each job has done, for the heartbeat. */
  describeJobs(): MessageOf<FromWorkerMessage, 'heartbeat'>['jobs'] {
    return [...this.#jobs].map(([jobId, { context, pipeline }]) => ({
      jobId,
      progress: { ...pipeline.progress, cpuMs: context.cpuMs, packetsOut: context.packetsOut },
      tracks: context.positions,
    }));
  }

  close(): void {
    for (const id of [...this.#jobs.keys()]) this.#stop(id);
    this.#port?.close();
  }

  #start(message: MessageOf<ToWorkerMessage, 'startJob'>): void {
    const link = this.#port?.link(message.linkId);
    if (!link || !this.#port || this.#jobs.has(message.jobId)) {
      this.#options.send({
        type: 'jobChanged',
        jobId: message.jobId,
        state: 'failed',
        reason: 'internal',
        message: 'The media worker was not ready for it.',
      });
      return;
    }
    const { jobId: id, resume, spec } = message;
    const context = new JobContext({ id, port: this.#port, link, resume, send: this.#options.send });
    const job: RunningJob = {
      context,
      fed: undefined,
      pipeline: this.#makePipeline(context, spec as JobSpec, () => job),
    };
    this.#jobs.set(id, job);
    job.pipeline.start();
  }

  #makePipeline(context: JobContext, spec: JobSpec, job: () => RunningJob): Pipeline {
    if (spec.kind === 'mix') return new MixPipeline({ context, spec });
    if (spec.kind === 'view') return new ViewPipeline({ context, spec });
    if (spec.kind === 'transcode') return new TranscodePipeline({ context });
    const { pushOpeners, live } = this.#options;
    const tools = { openers: pushOpeners, live };
    if (spec.kind === 'egress') return new EgressPipeline({ context, spec, tools });
    // Its media goes under the eyes of detectors only; all else is the same.
    if (spec.kind === 'analytics') return new EgressPipeline({ context, spec: { kind: 'egress' }, tools });
    return new IngressPipeline({
      context,
      spec,
      openSource: () => this.#openSource(job(), spec),
      isReplaying: () => job().fed?.isReplaying ?? false,
    });
  }

  #openSource(job: RunningJob, { source }: IngressJobSpec): MediaSource {
    if (source.via === 'opened') {
      const opener = this.#options.openers[source.protocol];
      if (!opener) return refusedSource('invalid_request', `There is no way to open ${source.protocol} here.`);
      try {
        return opener(source.options);
      } catch (error) {
        const { code, message } = toGatewayError(error);
        return refusedSource(code, message);
      }
    }
    const { id: jobId } = job.context;
    const { send } = this.#options;
    job.fed = new FedSource({
      open: () => send({ type: 'openSource', jobId }),
      close: () => send({ type: 'closeSource', jobId }),
      requestKeyFrame: (streamId) => send({ type: 'keyFrameAsked', jobId, streamId }),
      setPaused: (isPaused) => send({ type: 'sourcePaused', jobId, isPaused }),
    });
    return job.fed;
  }

  #tellJob(
    message: Exclude<ToWorkerMessage, { type: 'configure' | 'openLink' | 'closeLink' | 'startJob' | 'drain' }>,
  ): void {
    const job = this.#jobs.get(message.jobId);
    if (!job) return;
    const { context, fed } = job;
    switch (message.type) {
      case 'stopJob':
        this.#stop(message.jobId);
        return;
      case 'relinkJob': {
        const link = this.#port?.link(message.linkId);
        if (!link) return;
        context.relink(link);
        job.pipeline.relinked?.();
        return;
      }
      case 'trackPublished':
        context.notePublished(message.trackId);
        return;
      case 'trackRefused':
        context.closeTrack(message.trackId);
        return;
      case 'costGranted':
        context.answerCost(message.askId, undefined);
        return;
      case 'costRefused':
        context.answerCost(message.askId, message.message);
        return;
      case 'mixCommand':
        if (job.pipeline instanceof MixPipeline) job.pipeline.command(message.command);
        return;
      case 'viewCommand':
        if (job.pipeline instanceof ViewPipeline || job.pipeline instanceof TranscodePipeline) {
          job.pipeline.command(message.command);
        }
        return;
      case 'egressCommand':
        if (job.pipeline instanceof EgressPipeline) job.pipeline.command(message.command);
        return;
      case 'describeStream':
        fed?.describe(message.stream);
        return;
      case 'deliverUnit':
        fed?.deliver(message.unit, message.isReplay);
        return;
      case 'sourceEnded':
        fed?.end(message.end as SourceEnd);
        return;
    }
  }

  #stop(id: string): void {
    const job = this.#jobs.get(id);
    this.#jobs.delete(id);
    job?.pipeline.close();
    job?.context.close();
  }
}

function refusedSource(code: ErrorCode, message: string): MediaSource {
  return {
    done: Promise.resolve({ reason: 'failed', error: { code, message }, mayReturn: false }),
    start: () => undefined,
    requestKeyFrame: () => false,
    pause: () => undefined,
    resume: () => undefined,
    close: () => undefined,
  };
}
