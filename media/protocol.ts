// Owns: the messages between src/jobs (control process) and a media worker, and nothing else. May import: zod, core
// types. The only file of media that others may import.
import { z } from 'zod';
import { jobReasons } from '#core/job.ts';
import { audioCodecs, videoCodecs } from '#core/media-source.ts';
import { analyticsJobSpec, egressCommand, egressEvent, egressJobSpec } from './egress-protocol.ts';
import { mixCommand, mixEvent, mixJobSpec } from './mix-protocol.ts';
import { transcodeJobSpec, viewCommand, viewEvent, viewJobSpec } from './view-protocol.ts';

/** Both ends are of one release, except while a worker of the last one still drains: refuse anything else. */
export const protocolVersion = 1;

/** A worker reports so often; it is killed after three times that in silence. */
export const heartbeatIntervalMs = 1_000;
export const silenceLimitMs = 3_000;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const jobId = z.string().min(1).max(64);
/** Names one plain transport between an SFU room and this worker. */
const linkId = z.int().nonnegative();
/** Streams of a source are few; the legs of a mix are tracks too, and numbered through. */
const trackId = z.int().min(0).max(0x7fffffff);
const port = z.int().min(0).max(65_535);

const streamFraming = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('length_prefixed'), lengthSize: z.literal([1, 2, 4]) }),
  z.object({ kind: z.literal('bare') }),
  z.object({ kind: z.literal('rtp') }),
]);

const sourceStream = z.object({
  id: trackId,
  kind: z.enum(['audio', 'video']),
  codec: z.enum([...videoCodecs, ...audioCodecs]),
  framing: streamFraming,
  config: bytes.optional(),
  sampleRateHz: z.number().positive().optional(),
  channels: z.int().positive().max(64).optional(),
  width: z.number().positive().optional(),
  height: z.number().positive().optional(),
  framerateHz: z.number().positive().optional(),
  rtp: z
    .object({
      payloadType: z.int().min(0).max(127),
      encodingName: z.string().max(64),
      clockRateHz: z.int().positive(),
      channels: z.int().positive().max(64),
      formatParameters: z.record(z.string(), z.string()),
    })
    .optional(),
});

const sourceUnit = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('access_unit'),
    streamId: trackId,
    ptsUs: z.number(),
    dtsUs: z.number(),
    isKey: z.boolean(),
    data: bytes,
  }),
  z.object({ kind: z.literal('rtp'), streamId: trackId, data: bytes }),
  z.object({ kind: z.literal('rtcp'), streamId: trackId, data: bytes }),
]);

const sourceEnd = z.object({
  reason: z.string(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  mayReturn: z.boolean(),
  retryInMs: z.number().min(0).optional(),
});

const jobSpec = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('ingress'),
    source: z.discriminatedUnion('via', [
      z.object({ via: z.literal('fed') }),
      z.object({ via: z.literal('opened'), protocol: z.string().max(32), options: z.record(z.string(), z.unknown()) }),
    ]),
    audio: z.enum(['auto', 'required', 'off']),
    video: z.enum(['auto', 'required', 'off']),
    videoCodec: z.enum(['auto', 'h264', 'vp8']),
    videoBitrateBps: z.number().positive().optional(),
    hardware: z.enum(['nvenc', 'qsv', 'vaapi']).optional(),
    latency: z.enum(['smooth', 'low']).optional(),
    startTimeoutMs: z.number().positive().optional(),
    stallTimeoutMs: z.number().positive(),
  }),
  mixJobSpec,
  viewJobSpec,
  transcodeJobSpec,
  egressJobSpec,
  analyticsJobSpec,
]);

/** Where the RTP streams of a job stood when its worker died, so that the next one goes on and viewers see one stream. */
const trackResume = z.object({
  id: trackId,
  kind: z.enum(['audio', 'video']),
  /** Lower-case codec name of the track; the same stream cannot go on with another. */
  codec: z.string(),
  ssrc: z.int().min(0).max(0xffffffff),
  sequenceNumber: z.int().min(0).max(0xffff),
  /** RTP timestamp at `clockUs` of the machine's monotonic clock. */
  rtpTimestamp: z.int().min(0).max(0xffffffff),
  clockUs: z.number(),
});

export const toWorkerMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('configure'),
    version: z.literal(protocolVersion),
    /** 0 takes any; the port of a dead worker lets its streams go on. */
    rtpPort: port,
    logLevel: z.enum(['debug', 'info', 'warn', 'error']),
  }),
  z.object({ type: z.literal('openLink'), linkId, ip: z.string(), port }),
  z.object({ type: z.literal('closeLink'), linkId }),
  z.object({ type: z.literal('startJob'), jobId, linkId, spec: jobSpec, resume: z.array(trackResume).max(10_000) }),
  z.object({ type: z.literal('stopJob'), jobId }),
  /** The job's tracks are to go to another link, and to be announced again there. */
  z.object({ type: z.literal('relinkJob'), jobId, linkId }),
  z.object({ type: z.literal('trackPublished'), jobId, trackId }),
  z.object({ type: z.literal('trackRefused'), jobId, trackId, message: z.string() }),
  z.object({ type: z.literal('costGranted'), jobId, askId: z.int() }),
  z.object({ type: z.literal('costRefused'), jobId, askId: z.int(), message: z.string() }),
  /** Units of a source that is in the control process. */
  z.object({ type: z.literal('describeStream'), jobId, stream: sourceStream }),
  /** `isReplay`: kept from before the worker took the job over, to begin with a whole picture. */
  z.object({ type: z.literal('deliverUnit'), jobId, unit: sourceUnit, isReplay: z.boolean() }),
  z.object({ type: z.literal('sourceEnded'), jobId, end: sourceEnd }),
  z.object({ type: z.literal('mixCommand'), jobId, command: mixCommand }),
  z.object({ type: z.literal('viewCommand'), jobId, command: viewCommand }),
  z.object({ type: z.literal('egressCommand'), jobId, command: egressCommand }),
  z.object({ type: z.literal('drain') }),
]);

const verdict = z.object({
  streamId: trackId,
  kind: z.enum(['audio', 'video']),
  from: z.string(),
  to: z.string().optional(),
  action: z.enum(['forward', 'transcode', 'drop']),
  reasons: z.array(z.string().max(500)).max(16),
});

const progress = z.object({
  bytesIn: z.number(),
  packetsOut: z.number(),
  framesIn: z.number(),
  framesDropped: z.number(),
  keyFrames: z.number(),
  avOffsetMs: z.number().optional(),
  bitrateInBps: z.number(),
  cpuMs: z.number(),
  memoryBytes: z.number(),
});

const rtpParameters = z.object({
  mid: z.string().optional(),
  codecs: z.array(
    z.object({
      mimeType: z.string(),
      payloadType: z.int(),
      clockRate: z.int(),
      channels: z.int().optional(),
      parameters: z.record(z.string(), z.unknown()).optional(),
      rtcpFeedback: z.array(z.object({ type: z.string(), parameter: z.string().optional() })).optional(),
    }),
  ),
  headerExtensions: z.array(z.object({ uri: z.string(), id: z.int() })).optional(),
  encodings: z.array(z.object({ ssrc: z.int() })),
  rtcp: z.object({ cname: z.string(), reducedSize: z.boolean().optional() }),
});

export const fromWorkerMessage = z.discriminatedUnion('type', [
  /** The process runs and has its codecs loaded; it waits for `configure`. */
  z.object({ type: z.literal('hello'), version: z.literal(protocolVersion) }),
  z.object({ type: z.literal('ready'), rtpPort: port }),
  z.object({
    type: z.literal('heartbeat'),
    cpuMs: z.number(),
    rssBytes: z.number(),
    eventLoopDelayP99Ms: z.number(),
    /** Absent where nothing is mixed. */
    mixLateness: z.object({ p50Ms: z.number(), p99Ms: z.number() }).optional(),
    jobs: z.array(z.object({ jobId, progress, tracks: z.array(trackResume) })),
  }),
  z.object({
    type: z.literal('jobChanged'),
    jobId,
    state: z.enum(['live', 'stalled', 'reconnecting', 'ended', 'failed']),
    reason: z.enum(jobReasons),
    message: z.string().max(1_000),
  }),
  z.object({ type: z.literal('verdicts'), jobId, verdicts: z.array(verdict).max(64) }),
  z.object({
    type: z.literal('trackReady'),
    jobId,
    trackId,
    kind: z.enum(['audio', 'video']),
    rtpParameters,
    resume: trackResume,
  }),
  z.object({ type: z.literal('trackEnded'), jobId, trackId }),
  z.object({ type: z.literal('costAsked'), jobId, askId: z.int(), costMsPerS: z.number() }),
  /** To a source in the control process. */
  z.object({ type: z.literal('openSource'), jobId }),
  z.object({ type: z.literal('closeSource'), jobId }),
  z.object({ type: z.literal('keyFrameAsked'), jobId, streamId: trackId }),
  z.object({ type: z.literal('sourcePaused'), jobId, isPaused: z.boolean() }),
  z.object({ type: z.literal('mixEvent'), jobId, event: mixEvent }),
  z.object({ type: z.literal('viewEvent'), jobId, event: viewEvent }),
  z.object({ type: z.literal('egressEvent'), jobId, event: egressEvent }),
  z.object({
    type: z.literal('log'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    fields: z.record(z.string(), z.unknown()),
    message: z.string(),
  }),
]);

export type ToWorkerMessage = z.infer<typeof toWorkerMessage>;
export type FromWorkerMessage = z.infer<typeof fromWorkerMessage>;
export type TrackResume = z.infer<typeof trackResume>;
export type MessageOf<M extends { type: string }, T extends M['type']> = Extract<M, { type: T }>;
