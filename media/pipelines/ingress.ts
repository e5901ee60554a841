// Owns: media from a source into a room, for as long as the job is wanted: connects, watches, comes back.
import { randomInt } from 'node:crypto';
import type { IngressJobSpec, StreamVerdict } from '#core/job.ts';
import type { MediaSource, SourceEnd, SourceStream, SourceUnit } from '#core/media-source.ts';
import type { JobContext, Pipeline, PipelineProgress } from '../job-context.ts';
import { parseRtcp } from '../rtp/rtcp.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { Departures } from './departures.ts';
import { IngressAudio } from './ingress-audio.ts';
import type { IngressStream } from './ingress-stream.ts';
import { IngressVideo } from './ingress-video.ts';
import { RtpSourceClock } from './rtp-source-clock.ts';
import { RtpUnpacker, withSdpConfig } from './rtp-unpacker.ts';
import { SourceClock } from './source-clock.ts';

/**
 * How long to wait, by how long it has been away: a camera that starts again, which takes a minute at the most, is back
 * soon after. Each wait is shortened by up to a fifth so that many do not come at once.
 */
const retryDelays = [
  { awayMs: 60_000, delayMs: 1_500 },
  { awayMs: 300_000, delayMs: 5_000 },
  { awayMs: 900_000, delayMs: 15_000 },
  { awayMs: Number.POSITIVE_INFINITY, delayMs: 30_000 },
];
const maxStreams = 16;
const watchIntervalMs = 250;
/** RTMP announces a stream with its first frame, which may come this much later than those of the others. */
const announceTimeoutMs = 5_000;

export interface IngressPipelineOptions {
  readonly context: JobContext;
  readonly spec: IngressJobSpec;
  /** Makes the source for the next attempt. */
  readonly openSource: () => MediaSource;
  /** Units of a fed source that come again from before. */
  readonly isReplaying?: () => boolean;
}

export class IngressPipeline implements Pipeline {
  readonly #options: IngressPipelineOptions;
  readonly #streams = new Map<number, IngressStream>();
  /** Of the connection before, until those of the next have something to show. */
  readonly #resting = new Map<number, IngressStream>();
  readonly #verdicts = new Map<number, StreamVerdict>();
  readonly #costs = new Map<number, number>();
  readonly #unpackers = new Map<number, RtpUnpacker>();
  readonly #departures: Departures;
  #clock = new SourceClock();
  #rtpClock = new RtpSourceClock();
  #source: MediaSource | undefined;
  #state: 'starting' | 'live' | 'stalled' | 'reconnecting' | 'over' = 'starting';
  #awaySinceMs: number | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  readonly #watchTimer: NodeJS.Timeout;
  #lastUnitMs = performance.now();
  /** Of this connection. */
  #firstUnitMs: number | undefined;
  #bytesIn = 0;
  /** When the attempt began that is being made. */
  #bytesBefore = 0;
  #rate = { sinceMs: performance.now(), bytes: 0, bps: 0 };

  constructor(options: IngressPipelineOptions) {
    this.#options = options;
    this.#departures = new Departures(options.spec);
    this.#watchTimer = setInterval(() => this.#watch(), watchIntervalMs);
  }

  start(): void {
    this.#connect();
  }

  get progress(): PipelineProgress {
    const streams = [...this.#streams.values(), ...this.#resting.values()];
    const sum = (of: (stream: IngressStream) => number) => streams.reduce((total, stream) => total + of(stream), 0);
    const delay = (kind: 'audio' | 'video') =>
      streams.find((stream) => stream.stream.kind === kind && stream.delayUs !== undefined)?.delayUs;
    const audio = delay('audio');
    const video = delay('video');
    return {
      bytesIn: this.#bytesIn,
      framesIn: sum((stream) => stream.framesIn),
      framesDropped: sum((stream) => stream.framesDropped),
      keyFrames: sum((stream) => stream.keyFrames),
      avOffsetMs: audio === undefined || video === undefined ? undefined : (video - audio) / 1_000,
      bitrateInBps: this.#measureRate(),
      memoryBytes: sum((stream) => stream.memoryBytes),
    };
  }

  relinked(): void {
    if (this.#state === 'live' || this.#state === 'stalled') this.#state = 'reconnecting';
  }

  close(): void {
    this.#state = 'over';
    clearInterval(this.#watchTimer);
    clearTimeout(this.#retryTimer);
    this.#departures.close();
    const source = this.#source;
    this.#source = undefined;
    source?.close('requested');
    for (const stream of [...this.#streams.values(), ...this.#resting.values()]) stream.close();
    this.#streams.clear();
    this.#resting.clear();
  }

  #connect(): void {
    if (this.#state === 'over') return;
    const source = this.#options.openSource();
    this.#source = source;
    this.#lastUnitMs = performance.now();
    source.start({
      describe: (stream) => {
        if (source === this.#source) this.#options.context.account(() => this.#describe(stream));
      },
      deliver: (unit) => {
        if (source === this.#source) this.#options.context.account(() => this.#deliver(unit));
      },
    });
    void source.done.then((end) => {
      if (source === this.#source) this.#ended(end);
    });
  }

  #describe(described: SourceStream): void {
    const stream = withSdpConfig(described);
    const known = this.#streams.get(stream.id);
    if (known && known.stream.kind === stream.kind) {
      known.describe(stream);
      return;
    }
    if (!known && this.#streams.size >= maxStreams) return;
    this.#departures.expect(stream.kind);
    known?.close();
    if (stream.framing.kind === 'rtp') this.#unpackers.set(stream.id, new RtpUnpacker(stream, this.#rtpClock));
    const options = {
      context: this.#options.context,
      clock: this.#clock,
      departures: this.#departures,
      spec: this.#options.spec,
      stream,
      requestKeyFrame: () => this.#source?.requestKeyFrame(stream.id) ?? false,
      onVerdict: (verdict: StreamVerdict) => this.#noteVerdict(verdict),
      onSent: () => this.#noteSent(stream.id),
      askCost: (streamId: number, costMsPerS: number) => this.#askCost(streamId, costMsPerS),
    };
    this.#streams.set(stream.id, stream.kind === 'video' ? new IngressVideo(options) : new IngressAudio(options));
  }

  #deliver(unit: SourceUnit): void {
    this.#lastUnitMs = performance.now();
    this.#firstUnitMs ??= this.#lastUnitMs;
    this.#bytesIn += unit.data.byteLength;
    this.#awaySinceMs = undefined;
    const stream = this.#streams.get(unit.streamId);
    if (!stream) return;
    if (unit.kind === 'access_unit') stream.deliver(unit, this.#options.isReplaying?.() ?? false);
    else if (unit.kind === 'rtp') this.#unpack(unit, stream);
    else this.#readReports(unit);
  }

  #unpack({ data, streamId }: SourceUnit, stream: IngressStream): void {
    const unpacker = this.#unpackers.get(streamId);
    if (!unpacker) return;
    const wasBroken = unpacker.isBroken;
    unpacker.push(data, clockNowUs(), (whole) => stream.deliver(whole, false));
    if (unpacker.isBroken && !wasBroken) this.#source?.requestKeyFrame(streamId);
  }

  #readReports({ data, streamId }: SourceUnit): void {
    for (const packet of parseRtcp(data)) if (packet.kind === 'sr') this.#rtpClock.noteReport(streamId, packet);
  }

  #noteVerdict(verdict: StreamVerdict): void {
    this.#verdicts.set(verdict.streamId, verdict);
    const verdicts = [...this.#verdicts.values()];
    this.#options.context.reportVerdicts(verdicts);
    const isHopeless = verdicts.some(
      ({ kind, action }) => action === 'drop' && this.#options.spec[kind] === 'required',
    );
    if (isHopeless) {
      const why = verdict.reasons[0] ?? 'it cannot be shown';
      this.#finish('failed', 'unsupported_media', `The ${verdict.kind} it must have is left out: ${why}.`);
    }
  }

  #noteSent(streamId: number): void {
    this.#resting.get(streamId)?.close();
    this.#resting.delete(streamId);
    if (this.#state === 'live' || this.#state === 'over' || !this.#options.context.isPublished(streamId)) return;
    this.#state = 'live';
    this.#options.context.report('live', 'media_flowing', 'Media arrives and goes into the room.');
  }

  async #askCost(streamId: number, costMsPerS: number): Promise<string | undefined> {
    this.#costs.set(streamId, costMsPerS);
    const base = 40;
    let sum = base;
    for (const cost of this.#costs.values()) sum += cost;
    const refusal = await this.#options.context.askCost(sum);
    // One that was asked for since has replaced it.
    if (refusal !== undefined && this.#costs.get(streamId) === costMsPerS) this.#costs.delete(streamId);
    return refusal;
  }

  /** For what must be there and has not even been announced. */
  #findMissing(): void {
    const { spec } = this.#options;
    if (this.#firstUnitMs === undefined || performance.now() - this.#firstUnitMs < announceTimeoutMs) return;
    const kinds = new Set([...this.#streams.values()].map(({ stream }) => stream.kind));
    const missing = (['audio', 'video'] as const).find((kind) => spec[kind] === 'required' && !kinds.has(kind));
    if (missing) this.#finish('failed', 'unsupported_media', `The source has no ${missing}, which it must have.`);
  }

  #watch(): void {
    const { stallTimeoutMs } = this.#options.spec;
    this.#findMissing();
    if (this.#state !== 'live' || performance.now() - this.#lastUnitMs < stallTimeoutMs) return;
    this.#state = 'stalled';
    this.#options.context.report('stalled', 'source_silent', `Nothing has arrived for ${stallTimeoutMs / 1_000} s.`);
  }

  #ended(end: SourceEnd): void {
    this.#source = undefined;
    this.#firstUnitMs = undefined;
    if (this.#state === 'over') return;
    const message = end.error?.message ?? 'The source ended.';
    if (!end.mayReturn) {
      if (end.error) this.#finish('failed', 'source_refused', message);
      else this.#finish('ended', 'source_ended', message);
      return;
    }
    // What still waits belongs to the connection that has ended.
    this.#departures.flush();
    this.#departures.beginAnew();
    const delayMs = end.retryInMs ?? this.#backOffMs();
    const wasReached = this.#bytesIn > this.#bytesBefore;
    this.#bytesBefore = this.#bytesIn;
    this.#state = 'reconnecting';
    // Time stamps of the next connection begin anew.
    this.#clock = new SourceClock();
    this.#rtpClock = new RtpSourceClock();
    this.#unpackers.clear();
    this.#rest();
    const next = delayMs > 0 ? ` Next attempt in ${(delayMs / 1_000).toFixed(1)} s.` : '';
    this.#options.context.report('reconnecting', wasReached ? 'source_lost' : 'source_unreachable', message + next);
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
  }

  #rest(): void {
    for (const [id, stream] of this.#streams) {
      this.#resting.get(id)?.close();
      this.#resting.set(id, stream);
      stream.rest();
    }
    this.#streams.clear();
  }

  #backOffMs(): number {
    const nowMs = performance.now();
    this.#awaySinceMs ??= nowMs;
    const passedMs = nowMs - this.#awaySinceMs;
    const { delayMs = 30_000 } = retryDelays.find(({ awayMs }) => passedMs < awayMs) ?? {};
    return delayMs - randomInt(0, Math.floor(delayMs / 5));
  }

  #finish(
    state: 'ended' | 'failed',
    reason: 'source_ended' | 'source_refused' | 'unsupported_media',
    message: string,
  ): void {
    this.close();
    this.#options.context.report(state, reason, message);
  }

  #measureRate(): number {
    const nowMs = performance.now();
    const passedMs = nowMs - this.#rate.sinceMs;
    if (passedMs >= 900) {
      const bps = Math.round(((this.#bytesIn - this.#rate.bytes) * 8_000) / passedMs);
      this.#rate = { sinceMs: nowMs, bytes: this.#bytesIn, bps };
    }
    return this.#rate.bps;
  }
}
