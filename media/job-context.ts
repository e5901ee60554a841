// Owns: what a job sees of its worker: tracks into the room, reports, an account of what it uses.
import { randomInt } from 'node:crypto';
import type { JobProgress, JobReason, StreamVerdict } from '#core/job.ts';
import type { MediaKind } from '#core/rtp.ts';
import type { FromWorkerMessage, TrackResume } from './protocol.ts';
import type { CaptureClock } from './rtp/capture-clock.ts';
import { RtpSender } from './rtp/sender.ts';
import { clockNowUs } from './rtp/sequence.ts';
import type { RtpFeedback, RtpLink, RtpPort } from './rtp-port.ts';
import { roomPayloads, type TrackCodec } from './track-codecs.ts';

export interface JobContextOptions {
  readonly id: string;
  readonly port: RtpPort;
  readonly link: RtpLink;
  readonly resume: readonly TrackResume[];
  readonly send: (message: FromWorkerMessage) => void;
}

export interface TrackEvents extends RtpFeedback {
  /** The room takes it from now on; what was sent before went nowhere. */
  published(): void;
}

/** Packets that the last worker may have sent since its last report, with room to spare. */
const resumeGap = 2_000;
const levelUri = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
const levelExtensionId = 1;

interface OpenTrack {
  readonly id: number;
  readonly kind: MediaKind;
  readonly codec: TrackCodec;
  readonly sender: RtpSender;
  events: TrackEvents;
  /** Its packets say how loud they are, RFC 6464. */
  readonly hasLevel: boolean;
  isPublished: boolean;
}

export class JobContext {
  readonly id: string;
  readonly #options: JobContextOptions;
  readonly #tracks = new Map<number, OpenTrack>();
  readonly #resume: Map<number, TrackResume>;
  #link: RtpLink;
  readonly #costAnswers = new Map<number, (refusal: string | undefined) => void>();
  #lastAskId = 0;
  #cpuUs = 0;

  constructor(options: JobContextOptions) {
    this.id = options.id;
    this.#options = options;
    this.#link = options.link;
    this.#resume = new Map(options.resume.map((track) => [track.id, track]));
  }

  /** Runs work of this job and puts its CPU time to its account. */
  account<T>(work: () => T): T {
    const before = process.threadCpuUsage();
    try {
      return work();
    } finally {
      const { user, system } = process.threadCpuUsage(before);
      this.#cpuUs += user + system;
    }
  }

  get cpuMs(): number {
    return this.#cpuUs / 1_000;
  }

  send(message: FromWorkerMessage): void {
    this.#options.send(message);
  }

  report(state: 'live' | 'stalled' | 'reconnecting' | 'ended' | 'failed', reason: JobReason, message: string): void {
    this.send({ type: 'jobChanged', jobId: this.id, state, reason, message });
  }

  reportVerdicts(verdicts: readonly StreamVerdict[]): void {
    const copies = verdicts.map((verdict) => ({ ...verdict, reasons: [...verdict.reasons] }));
    this.send({ type: 'verdicts', jobId: this.id, verdicts: copies });
  }

  /** @returns undefined when the whole job may cost so much from now on, else why it may not, for people */
  askCost(costMsPerS: number): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const askId = ++this.#lastAskId;
    this.#costAnswers.set(askId, resolve);
    this.send({ type: 'costAsked', jobId: this.id, askId, costMsPerS });
    return promise;
  }

  /** @param refusal undefined: granted */
  answerCost(askId: number, refusal: string | undefined): void {
    this.#costAnswers.get(askId)?.(refusal);
    this.#costAnswers.delete(askId);
  }

  /**
   * Begins a track, or goes on with one of the same id and codec: that of the connection before, or of the last worker.
   * One of another codec is replaced.
   */
  openTrack(
    id: number,
    kind: MediaKind,
    codec: TrackCodec,
    events: TrackEvents,
    options: { hasLevel?: boolean } = {},
  ): RtpSender {
    const { port } = this.#options;
    const known = this.#tracks.get(id);
    if (known?.codec === codec) {
      known.events = events;
      port.add(known.sender, this.#link, events);
      return known.sender;
    }
    this.closeTrack(id);
    const { payloadType, clockRateHz } = roomPayloads[codec];
    const resumed = this.#resume.get(id);
    this.#resume.delete(id);
    const position =
      resumed?.codec === codec
        ? { ...resumed, sequenceNumber: (resumed.sequenceNumber + resumeGap) & 0xffff }
        : {
            ssrc: port.newSsrc(),
            sequenceNumber: randomInt(0, 0x8000),
            rtpTimestamp: randomInt(0, 0xffffffff),
            clockUs: clockNowUs(),
          };
    const sender = new RtpSender({
      payloadType,
      clockRateHz,
      cname: this.id,
      position,
      send: (packet) => port.send(packet, this.#link),
      levelExtensionId: options.hasLevel ? levelExtensionId : undefined,
    });
    const hasLevel = options.hasLevel ?? false;
    const track = { id, kind, codec, sender, events, hasLevel, isPublished: false };
    this.#tracks.set(id, track);
    port.add(sender, this.#link, events);
    this.#announce(track);
    return sender;
  }

  closeTrack(id: number): void {
    const track = this.#tracks.get(id);
    if (!track) return;
    this.#tracks.delete(id);
    this.#options.port.remove(track.sender.ssrc);
  }

  /** Closes it and takes it out of the room too. */
  endTrack(id: number): void {
    this.closeTrack(id);
    this.send({ type: 'trackEnded', jobId: this.id, trackId: id });
  }

  notePublished(id: number): void {
    const track = this.#tracks.get(id);
    if (!track) return;
    track.isPublished = true;
    this.#options.port.introduce(track.sender.ssrc);
    track.events.published();
  }

  isPublished(id: number): boolean {
    return this.#tracks.get(id)?.isPublished ?? false;
  }

  /** The room's SFU side is another: tracks go there, and are announced again. */
  relink(link: RtpLink): void {
    this.#link = link;
    for (const track of this.#tracks.values()) {
      track.isPublished = false;
      this.#options.port.add(track.sender, link, track.events);
      this.#announce(track);
    }
  }

  get positions(): TrackResume[] {
    return [...this.#tracks.values()].map(({ id, kind, codec, sender }) => ({ id, kind, codec, ...sender.position }));
  }

  get packetsOut(): number {
    let count = 0;
    for (const { sender } of this.#tracks.values()) count += sender.packetCount;
    return count;
  }

  /**
   * A stream that the room sends to this job's worker, on whatever link the job has now.
   * @param clock is told when what comes was captured
   */
  listen(ssrc: number, receive: (packet: Buffer) => void, clock?: CaptureClock): void {
    this.#options.port.listen(ssrc, this.#link, receive, clock);
  }

  /** More is sent to this worker than it can take in: pictures are to be passed over until it has caught up. */
  get isBehind(): boolean {
    return this.#options.port.isBehind;
  }

  unlisten(ssrc: number): void {
    this.#options.port.unlisten(ssrc);
  }

  close(): void {
    for (const id of [...this.#tracks.keys()]) this.closeTrack(id);
    for (const askId of [...this.#costAnswers.keys()]) this.answerCost(askId, 'The job has ended.');
  }

  #announce({ id, kind, codec, sender, hasLevel }: OpenTrack): void {
    this.send({
      type: 'trackReady',
      jobId: this.id,
      trackId: id,
      kind,
      rtpParameters: {
        codecs: [roomPayloads[codec].parameters],
        ...(hasLevel ? { headerExtensions: [{ uri: levelUri, id: levelExtensionId }] } : {}),
        encodings: [{ ssrc: sender.ssrc }],
        rtcp: { cname: this.id, reducedSize: true },
      },
      resume: { id, kind, codec, ...sender.position },
    });
  }
}

/** What a pipeline tells in each heartbeat. */
export type PipelineProgress = Omit<JobProgress, 'cpuMs' | 'packetsOut'>;

/** One job in this worker. */
export interface Pipeline {
  start(): void;
  readonly progress: PipelineProgress;
  /** Its tracks go to another link: it is live again when something has gone there. */
  relinked?(): void;
  /** Releases everything at once; reports nothing. */
  close(): void;
}
