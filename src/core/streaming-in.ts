// Owns: one stream that is pulled into a room for as long as it is wanted. May import: core only.
import { EventEmitter } from 'node:events';
import { type ErrorCode, toGatewayError } from './errors.ts';
import type { IngressId, RoomId } from './ids.ts';
import { Ingress } from './ingress.ts';
import type { IngressJobSpec, IngressLatency, JobReason, JobState, MediaWish } from './job.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { MediaSource } from './media-source.ts';
import type { Logger, MediaPort } from './ports.ts';
import { defaultReconnect, ReconnectPolicy } from './reconnect.ts';
import type { Rooms } from './rooms.ts';
import { changedUntil } from './settled.ts';

export const pullTransports = ['auto', 'tcp', 'udp'] as const;
export type PullTransport = (typeof pullTransports)[number];

export interface StreamingInSettings {
  /** With its credentials: shown masked only, and never logged. */
  readonly url: string;
  /** What others see as the participant's name. */
  readonly name: string;
  readonly audio: MediaWish;
  readonly video: MediaWish;
  readonly videoCodec: IngressJobSpec['videoCodec'];
  /** Of RTSP. */
  readonly transport: PullTransport;
  /** For one attempt, from the connection to the first media. */
  readonly startTimeoutMs: number;
  /** A connection that brings nothing for so long is given up. */
  readonly stallTimeoutMs: number;
  /** Pulled only while somebody is in the room, or waits to play something in it. */
  readonly isOnDemand: boolean;
  readonly isEnabled: boolean;
  /** What has an end (a file) is played again and again. */
  readonly isLooped?: boolean | undefined;
  /** Where the source offers several qualities (HLS): lines of the picture, and bits per second, at the most. */
  readonly maxHeight?: number | undefined;
  readonly maxBitrateBps?: number | undefined;
  /** Encoder to be tried first where the picture has to be transcoded. */
  readonly hardware?: IngressJobSpec['hardware'];
  /** What the configuration says when absent. */
  readonly latency?: IngressLatency | undefined;
}

export interface StreamingInRecord extends StreamingInSettings {
  readonly id: IngressId;
  readonly roomId: RoomId;
  readonly createdAtMs: number;
}

export interface PullOptions
  extends Pick<
    StreamingInSettings,
    'url' | 'transport' | 'startTimeoutMs' | 'stallTimeoutMs' | 'isLooped' | 'maxHeight' | 'maxBitrateBps'
  > {
  readonly wantsAudio: boolean;
  readonly wantsVideo: boolean;
}

/** A protocol that can be pulled. */
export interface Puller {
  /** Without the colon. */
  readonly schemes: readonly string[];
  /** @throws GatewayError `invalid_request` for a URL that it cannot take, `forbidden` for one that may not be reached */
  check(url: string): void;
  /** What a job needs to open it: in its media worker, or in this process, anew for each attempt. */
  pull(options: PullOptions): PullSource;
}

export interface PullSource {
  readonly source: IngressJobSpec['source'];
  /** Only where that is `fed`. */
  readonly openSource?: (() => MediaSource) | undefined;
}

/** `stopped`: turned off, on demand with nobody there, or played to its end. `failed`: could not be started; it is tried again. */
export type StreamingInState = Exclude<JobState, 'ended'> | 'stopped';

export interface StreamingInStatus {
  readonly state: StreamingInState;
  readonly reason: JobReason | ErrorCode | 'no_viewers' | 'disabled';
  readonly message: string;
  readonly atMs: number;
}

export interface StreamingInOptions {
  readonly record: StreamingInRecord;
  readonly rooms: Rooms;
  readonly media: MediaPort;
  readonly puller: Puller;
  readonly log: Logger;
  readonly lingerMs: number;
  /** So long without media counts as stalled; the connection is kept until the record's own bound. */
  readonly stallTimeoutMs: number;
  /** Of those that say nothing about it. */
  readonly latency: IngressLatency;
  /** Somebody has removed its participant from the room. */
  readonly onKicked: () => void;
}

/** What will not change by itself is asked less often: a camera locks out who keeps coming with a wrong password. */
const finalDelaysMs = [30_000, 60_000, 300_000];

/**
 * Makes an ingress whenever there is to be one, and another after one that failed.
 *
 *     stopped ──wanted──> starting … (states of the job) ──failed──> failed ──after a while──> starting
 *        ^──────────────────────────not wanted──────────────────────────┘
 */
export class StreamingIn extends Owned {
  readonly events = new EventEmitter<{ changed: [status: StreamingInStatus] }>();
  readonly record: StreamingInRecord;
  readonly #options: StreamingInOptions;
  readonly #log: Logger;
  readonly #policy = new ReconnectPolicy(defaultReconnect);
  readonly #finalPolicy = new ReconnectPolicy({ ...defaultReconnect, delaysMs: finalDelaysMs });
  #ingress: Ingress | undefined;
  #isStarting = false;
  #isWanted = false;
  #holds = 0;
  #liveSinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextAttemptAtMs: number | undefined;
  #status: StreamingInStatus = { state: 'stopped', reason: 'requested', message: 'Not started yet.', atMs: Date.now() };
  #lastError: StreamingInStatus | undefined;

  constructor(options: StreamingInOptions) {
    super();
    this.#options = options;
    this.record = options.record;
    this.#log = options.log.child({ streamingIn: options.record.id });
  }

  get ingress(): Ingress | undefined {
    return this.#ingress;
  }

  get status(): StreamingInStatus {
    return this.#status;
  }

  /** The last thing that went wrong, kept when all is well again. */
  get lastError(): StreamingInStatus | undefined {
    return this.#lastError;
  }

  get nextAttemptAtMs(): number | undefined {
    return this.#nextAttemptAtMs;
  }

  /** Starts or stops it, as its settings and the room want it. Call whenever one of them may have changed. */
  review(): void {
    if (this.isClosed) return;
    const { isEnabled, isOnDemand } = this.record;
    const isWanted = isEnabled && (!isOnDemand || this.#hasViewers());
    if (isWanted === this.#isWanted && (isWanted || this.#status.reason !== 'requested')) return;
    this.#isWanted = isWanted;
    this.#clearTimer();
    if (isWanted) void this.#start();
    else if (this.#ingress && isEnabled) this.#timer = setTimeout(() => this.#stop(), this.#options.lingerMs);
    else this.#stop();
  }

  /** What waits to try again does so now. */
  retry(): void {
    if (this.#nextAttemptAtMs === undefined) return;
    this.#clearTimer();
    void this.#start();
  }

  /** As if somebody were in the room, until the result is called. */
  hold(): () => void {
    this.#holds += 1;
    this.review();
    return () => {
      this.#holds -= 1;
      this.review();
    };
  }

  /** It is live, has failed or is not wanted: there is nothing to wait for. */
  get isSettled(): boolean {
    return ['live', 'failed', 'stopped'].includes(this.#status.state);
  }

  /** Waits until it is live or has failed, or the time is over. */
  settled(timeoutMs: number): Promise<void> {
    return changedUntil(this, () => this.isSettled, timeoutMs);
  }

  /** Whether the first attempt found no room on the machine; answered once the media plane has taken or refused it. */
  async isRefused(timeoutMs: number): Promise<boolean> {
    const { events, signal } = this;
    await changedUntil({ events, signal }, () => this.#ingress !== undefined || this.isSettled, timeoutMs);
    return this.#status.state === 'failed' && this.#status.reason === 'overloaded';
  }

  #hasViewers(): boolean {
    if (this.#holds > 0) return true;
    const room = this.#options.rooms.live(this.record.roomId);
    return room !== undefined && [...room.participants.values()].some(({ kind }) => kind !== 'ingress');
  }

  async #start(): Promise<void> {
    if (this.#isStarting || this.#ingress || this.isClosed || !this.#isWanted) return;
    this.#isStarting = true;
    this.#show('starting', 'requested', 'Connecting.');
    try {
      const ingress = await this.#openIngress();
      this.#isStarting = false;
      this.#watch(ingress);
    } catch (thrown) {
      this.#isStarting = false;
      const error = toGatewayError(thrown);
      if (error.code === 'internal') this.#log.error({ err: thrown }, 'streaming-in not started');
      this.#fail(error.code, error.message, false);
    }
  }

  async #openIngress(): Promise<Ingress> {
    const { rooms, media, puller, stallTimeoutMs, latency } = this.#options;
    const { record } = this;
    const room = await rooms.open(record.roomId);
    const { url, transport, startTimeoutMs, isLooped, maxHeight, maxBitrateBps } = record;
    const { source, openSource } = puller.pull({
      ...{ url, transport, startTimeoutMs, isLooped, maxHeight, maxBitrateBps },
      stallTimeoutMs: record.stallTimeoutMs,
      wantsAudio: record.audio !== 'off',
      wantsVideo: record.video !== 'off',
    });
    const ingress = await Ingress.start({
      id: record.id,
      room,
      media,
      spec: {
        kind: 'ingress',
        source,
        audio: record.audio,
        video: record.video,
        videoCodec: record.videoCodec,
        hardware: record.hardware,
        latency: record.latency ?? latency,
        stallTimeoutMs,
      },
      user: record.name,
      displayName: record.name,
      log: this.#log,
      openSource,
    });
    if (this.isClosed || !this.#isWanted) await ingress.close('requested');
    return ingress;
  }

  #watch(ingress: Ingress): void {
    this.#ingress = ingress;
    const { job } = ingress;
    const note = () => {
      if (!job || job.state === 'ended') return;
      const { state, reason, message } = job.info;
      this.#liveSinceMs = state === 'live' ? (this.#liveSinceMs ?? performance.now()) : this.#liveSinceMs;
      if (state !== 'failed') this.#show(state as StreamingInState, reason, message);
    };
    note();
    ingress.events.on('changed', note);
    void ingress.done.then((reason) => this.#ended(ingress, reason));
  }

  #ended(ingress: Ingress, reason: CloseReason): void {
    if (this.#ingress === ingress) this.#ingress = undefined;
    if (this.isClosed || !this.#isWanted) return;
    if (reason === 'kicked') {
      this.#options.onKicked();
      return;
    }
    const failure = ingress.job?.info;
    if (failure?.state === 'ended' && failure.reason === 'source_ended') {
      this.#liveSinceMs = undefined;
      this.#show('stopped', 'source_ended', 'It has been played to its end.');
      return;
    }
    const isFailure = failure?.state === 'failed';
    const isFinal = isFailure && (failure.reason === 'source_refused' || failure.reason === 'unsupported_media');
    if (isFailure) this.#fail(failure.reason, failure.message, isFinal);
    else this.#fail('owner_closed', 'Its room was closed.', false);
  }

  #fail(reason: JobReason | ErrorCode, message: string, isFinal: boolean): void {
    if (this.isClosed || !this.#isWanted) return;
    const liveMs = this.#liveSinceMs === undefined ? 0 : performance.now() - this.#liveSinceMs;
    this.#liveSinceMs = undefined;
    const delayMs = (isFinal ? this.#finalPolicy : this.#policy).failed(liveMs) ?? 0;
    this.#clearTimer();
    this.#nextAttemptAtMs = Date.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#nextAttemptAtMs = undefined;
      void this.#start();
    }, delayMs);
    this.#show('failed', reason, message);
    this.#log.warn({ reason, what: message, delayMs }, 'streaming-in failed');
  }

  #stop(): void {
    void this.#ingress?.close('requested');
    const { isEnabled } = this.record;
    if (isEnabled) this.#show('stopped', 'no_viewers', 'Starts when somebody comes into the room.');
    else this.#show('stopped', 'disabled', 'Turned off.');
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#nextAttemptAtMs = undefined;
  }

  #show(state: StreamingInState, reason: StreamingInStatus['reason'], message: string): void {
    this.#status = { state, reason, message, atMs: Date.now() };
    if (state === 'failed' || state === 'reconnecting') this.#lastError = this.#status;
    this.events.emit('changed', this.#status);
  }

  protected override async onClose(): Promise<void> {
    this.#clearTimer();
    await this.#ingress?.close('requested');
  }
}
