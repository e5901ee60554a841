// Owns: the unit of media work and the one function that moves it. May import: core only.
import { EventEmitter } from 'node:events';
import type { AnalyticsJobSpec, EgressCommand, EgressEvent, EgressJobSpec } from './egress-messages.ts';
import type { ErrorCode } from './errors.ts';
import { GatewayError } from './errors.ts';
import { type JobId, newJobId } from './ids.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { MixCommand, MixEvent, MixJobSpec } from './mix-messages.ts';
import type { SfuPlainTransport, SfuRoom } from './ports.ts';
import type { MediaKind, RtpParameters, StreamTimeline } from './rtp.ts';
import type { TranscodeJobSpec, ViewCommand, ViewEvent, ViewJobSpec } from './view-messages.ts';

export type JobState = 'starting' | 'live' | 'stalled' | 'reconnecting' | 'ended' | 'failed';

/** Why a job is in its state. Every change names one; the message beside it says the particulars. */
export const jobReasons = [
  /** It was asked for and its media is being set up. */
  'requested',
  'media_flowing',
  /** Connected, but nothing arrives. */
  'source_silent',
  'source_lost',
  'source_refused',
  'source_unreachable',
  /** The other side ended it in good order. */
  'source_ended',
  /** Of egress: the other side of a push. */
  'target_unreachable',
  'target_refused',
  'target_lost',
  /** It is connected and does not take what it is sent. */
  'target_stalled',
  'worker_lost',
  'sfu_lost',
  /** It did not become live within its bound. */
  'start_timeout',
  /** Nothing in it that a room can show, even after transcoding. */
  'unsupported_media',
  'overloaded',
  /** Nothing more fits on the disk that it writes to. */
  'disk_full',
  'not_writable',
  'stopped',
  'owner_closed',
  'internal',
] as const;
export type JobReason = (typeof jobReasons)[number];

const moves: Readonly<Record<JobState, readonly JobState[]>> = {
  starting: ['live', 'reconnecting', 'ended', 'failed'],
  live: ['stalled', 'reconnecting', 'ended', 'failed'],
  stalled: ['live', 'reconnecting', 'ended', 'failed'],
  reconnecting: ['live', 'ended', 'failed'],
  ended: [],
  failed: [],
};

/** Whether a job may go from one state to another; staying is never a move. */
export function canMove(from: JobState, to: JobState): boolean {
  return moves[from].includes(to);
}

export interface JobChange {
  readonly state: JobState;
  readonly reason: JobReason;
  /** Particulars for people; names no credentials. */
  readonly message: string;
  readonly atMs: number;
}

/** What becomes of one stream of an ingress, and why. */
export interface StreamVerdict {
  readonly streamId: number;
  readonly kind: MediaKind;
  /** Codec as it came. */
  readonly from: string;
  /** Codec as the room gets it; absent when the stream is left out. */
  readonly to: string | undefined;
  readonly action: 'forward' | 'transcode' | 'drop';
  /** For people, most important first: "B-frames: browsers cannot play them in order". */
  readonly reasons: readonly string[];
}

/** One stream that a job brings into its room. */
export interface JobTrack {
  /** Unique within its job, and kept when the job is started again. */
  readonly id: number;
  readonly kind: MediaKind;
  readonly rtpParameters: RtpParameters;
  readonly timeline: StreamTimeline;
}

export interface JobProgress {
  readonly bytesIn: number;
  readonly packetsOut: number;
  readonly framesIn: number;
  readonly framesDropped: number;
  readonly keyFrames: number;
  /** How far audio is ahead of video where they leave, milliseconds; negative when it is behind. */
  readonly avOffsetMs: number | undefined;
  readonly bitrateInBps: number;
  /** CPU time of its worker spent for it, milliseconds since it began there. */
  readonly cpuMs: number;
  /** Bytes it holds in queues and frame pools. */
  readonly memoryBytes: number;
}

export interface JobInfo extends JobChange {
  readonly id: JobId;
  readonly kind: JobSpec['kind'];
  readonly startedAtMs: number;
  /** How often it had to be started again. */
  readonly restarts: number;
  /** Estimated CPU milliseconds per second, as placement counts it. */
  readonly costMsPerS: number;
  readonly workerPid: number | undefined;
  readonly verdicts: readonly StreamVerdict[];
  readonly progress: JobProgress | undefined;
}

export type MediaWish = 'auto' | 'required' | 'off';

/**
 * `smooth`: sound and picture leave evenly and in step, so that browsers play them so from the first second; the picture of
 * a source with sound waits some 75 ms for that. `low`: each leaves as soon as it can.
 */
export const ingressLatencies = ['smooth', 'low'] as const;
export type IngressLatency = (typeof ingressLatencies)[number];

export interface IngressJobSpec {
  readonly kind: 'ingress';
  /**
   * `fed`: a MediaSource in this process, whose units go to the worker by IPC. `opened`: the worker itself opens it;
   * `options` is what that protocol's session wants, plain data (credentials included: never log a spec).
   */
  readonly source:
    | { readonly via: 'fed' }
    | { readonly via: 'opened'; readonly protocol: string; readonly options: Readonly<Record<string, unknown>> };
  readonly audio: MediaWish;
  readonly video: MediaWish;
  /** `auto` forwards H264, VP8, VP9 and AV1 and makes H264 of the rest. */
  readonly videoCodec: 'auto' | 'h264' | 'vp8';
  /** bit/s; by size when absent. */
  readonly videoBitrateBps?: number | undefined;
  /** `smooth` when absent. */
  readonly latency?: IngressLatency | undefined;
  /** An FFmpeg encoder family to try first; software when it is not there. */
  readonly hardware?: 'nvenc' | 'qsv' | 'vaapi' | undefined;
  /** Fails when nothing has flowed for so long after the start; absent: keeps trying. */
  readonly startTimeoutMs?: number | undefined;
  /** Counts as stalled after so long without a unit. */
  readonly stallTimeoutMs: number;
}

export const jobKinds = [
  'ingress',
  'mix',
  'view',
  'transcode',
  'egress',
  'analytics',
] as const satisfies readonly JobSpec['kind'][];
export type JobSpec = IngressJobSpec | MixJobSpec | ViewJobSpec | TranscodeJobSpec | EgressJobSpec | AnalyticsJobSpec;

/** The way from a job's owner to the worker that runs it now. */
export interface JobLink {
  readonly transport: SfuPlainTransport;
  send(command: MixCommand | ViewCommand | EgressCommand): void;
}

/** What the owner of a job does for it: gives it a room and takes its streams in. */
export interface JobHost {
  /** Asked again after the SFU side was lost. */
  readonly media: SfuRoom;
  /**
   * A stream is ready to be published. Called again with the same track id after the SFU side was lost, not after the
   * worker was: then the stream goes on where it was.
   * @throws GatewayError as `participant.publish()` does
   */
  publishTrack(transport: SfuPlainTransport, track: JobTrack): Promise<void>;
  /** The source has no such stream any more. */
  unpublishTrack(trackId: number): void;
  /**
   * A worker runs it now (`isNewWorker`: it knows nothing yet), or its room's SFU side is another. For jobs that are
   * told what to do while they run.
   */
  attached?(link: JobLink, isNewWorker: boolean): void;
  received?(event: MixEvent | ViewEvent | EgressEvent): void;
}

export type JobEvents = {
  changed: [change: JobChange];
  progressed: [progress: JobProgress];
  verdictsChanged: [verdicts: readonly StreamVerdict[]];
  closed: [reason: CloseReason];
};

/**
 * One piece of media work, in one media worker at a time.
 *
 *     starting ──> live <──> stalled
 *        │  └───────┐ ▲│         │
 *        │          ▼ │▼         │
 *        │      reconnecting <───┘
 *        └──────────┴──> ended | failed   (from any)
 *
 * `move()` is the only way from state to state. The id outlives workers.
 */
export class Job extends Owned {
  readonly id: JobId;
  readonly spec: JobSpec;
  readonly startedAtMs = Date.now();
  readonly events = new EventEmitter<JobEvents>();
  #change: JobChange = { state: 'starting', reason: 'requested', message: 'Setting up.', atMs: Date.now() };
  #failure: { readonly code: ErrorCode; readonly message: string } | undefined;
  #verdicts: readonly StreamVerdict[] = [];
  #progress: JobProgress | undefined;
  /** Kept by the pool. */
  restarts = 0;
  costMsPerS: number;
  workerPid: number | undefined;

  constructor(spec: JobSpec, options: { id?: JobId | undefined; costMsPerS: number }) {
    super();
    this.id = options.id ?? newJobId();
    this.spec = spec;
    this.costMsPerS = options.costMsPerS;
  }

  get state(): JobState {
    return this.#change.state;
  }

  get isOver(): boolean {
    return this.state === 'ended' || this.state === 'failed';
  }

  get verdicts(): readonly StreamVerdict[] {
    return this.#verdicts;
  }

  get info(): JobInfo {
    return {
      ...this.#change,
      id: this.id,
      kind: this.spec.kind,
      startedAtMs: this.startedAtMs,
      restarts: this.restarts,
      costMsPerS: this.costMsPerS,
      workerPid: this.workerPid,
      verdicts: this.#verdicts,
      progress: this.#progress,
    };
  }

  /**
   * Moves it, tells listeners, and closes it when it is over.
   * @returns whether it moved; a change that its state does not allow (a late report of a worker) changes nothing
   */
  move(to: JobState, reason: JobReason, message: string, code?: ErrorCode): boolean {
    // Another attempt that failed is no move, but why it failed is news.
    const isNews = to === 'reconnecting' && this.state === to && message !== this.#change.message;
    if (!canMove(this.state, to) && !isNews) return false;
    this.#change = { state: to, reason, message, atMs: Date.now() };
    if (to === 'failed') this.#failure = { code: code ?? failureCodes[reason] ?? 'internal', message };
    this.events.emit('changed', this.#change);
    if (this.isOver) void this.close(to === 'failed' ? 'failed' : reason === 'stopped' ? 'requested' : 'peer_left');
    return true;
  }

  noteVerdicts(verdicts: readonly StreamVerdict[]): void {
    if (this.isOver) return;
    this.#verdicts = verdicts;
    this.events.emit('verdictsChanged', verdicts);
  }

  noteProgress(progress: JobProgress): void {
    if (this.isOver) return;
    this.#progress = progress;
    this.events.emit('progressed', progress);
  }

  /**
   * @returns once it is live
   * @throws GatewayError with the reason of its failure, `closed` when it ended before
   */
  async whenLive(): Promise<void> {
    while (this.state !== 'live') {
      if (this.#failure) throw new GatewayError(this.#failure.code, this.#failure.message);
      if (this.isClosed) throw new GatewayError('closed', 'The job ended before it had anything to show.');
      const { promise, resolve } = Promise.withResolvers<void>();
      const settle = () => resolve();
      this.events.once('changed', settle);
      this.signal.addEventListener('abort', settle);
      await promise;
      this.events.off('changed', settle);
      this.signal.removeEventListener('abort', settle);
    }
  }

  protected override onClose(reason: CloseReason): void {
    // Closed from outside: say so in the state too.
    if (!this.isOver) {
      const change = closeChanges[reason] ?? closeChanges.requested;
      this.move(change.state, change.reason, change.message);
    }
    this.events.emit('closed', reason);
  }
}

const failureCodes: Readonly<Partial<Record<JobReason, ErrorCode>>> = {
  source_lost: 'timeout',
  source_unreachable: 'timeout',
  source_refused: 'unprocessable',
  start_timeout: 'timeout',
  unsupported_media: 'no_common_codec',
  overloaded: 'overloaded',
  worker_lost: 'media_lost',
  sfu_lost: 'media_lost',
};

const stopped = { state: 'ended', reason: 'stopped', message: 'Stopped on request.' } as const;
const closeChanges: Readonly<
  Partial<Record<CloseReason, { state: JobState; reason: JobReason; message: string }>> & {
    requested: { state: JobState; reason: JobReason; message: string };
  }
> = {
  requested: stopped,
  parent_closed: { state: 'ended', reason: 'owner_closed', message: 'What it worked for is gone.' },
  peer_left: { state: 'ended', reason: 'source_ended', message: 'The source ended.' },
  failed: { state: 'failed', reason: 'internal', message: 'It failed; the server log has the details.' },
};
