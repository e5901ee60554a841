// Owns: one stream that leaves a room for as long as it is wanted, to any number of targets. May import: core only.
import { EventEmitter } from 'node:events';
import { Egress } from './egress.ts';
import type { EgressSinkSpec, PushSinkSpec, RecodeSpec } from './egress-messages.ts';
import type { EgressSinkHandle, EgressSinkInfo } from './egress-sink.ts';
import type { EgressSource } from './egress-source.ts';
import { type ErrorCode, toGatewayError } from './errors.ts';
import type { EgressId, RoomId } from './ids.ts';
import type { JobReason } from './job.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { Logger, MediaPort } from './ports.ts';
import { defaultReconnect, ReconnectPolicy } from './reconnect.ts';
import type { Rooms } from './rooms.ts';
import { changedUntil } from './settled.ts';
import { recodeSpecOf, wishesOf } from './streaming-out-formats.ts';
import type { ViewPort } from './view-port.ts';
import { commonView } from './view-settings.ts';

export interface StreamingOutTarget {
  readonly id: string;
  /** With its key or password: shown masked only, and never logged. */
  readonly url: string;
  readonly isPaused: boolean;
}

/** How the pictures are encoded; what is absent is the view's own, or usual for the size. */
export interface StreamingOutVideo {
  /** H264 when absent. */
  readonly codec?: 'h264' | RecodeSpec['codec'] | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly framerateHz?: number | undefined;
  readonly bitrateBps?: number | undefined;
  readonly profile?: 'baseline' | 'main' | 'high' | undefined;
  readonly keyFrameIntervalS: number;
}

/** HLS and DASH by files. */
export interface StreamingOutSegments {
  readonly method: 'PUT' | 'POST';
  /** Least length of a segment. */
  readonly durationS: number;
  /** In the playlist. */
  readonly count: number;
}

export const usualSegments: StreamingOutSegments = { method: 'PUT', durationS: 2, count: 6 };

export interface StreamingOutSettings {
  readonly name: string;
  readonly source: EgressSource;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly audioCodec: 'aac' | 'opus';
  /** A target that does not say that it takes these codecs gets H264 and AAC, rather than nothing. */
  readonly hasFallback?: boolean | undefined;
  readonly video: StreamingOutVideo;
  /** Of RTSP targets. */
  readonly transport: 'tcp' | 'udp';
  /** Of targets that take files. */
  readonly segments?: StreamingOutSegments | undefined;
  readonly isEnabled: boolean;
  readonly targets: readonly StreamingOutTarget[];
}

export interface StreamingOutRecord extends StreamingOutSettings {
  readonly id: EgressId;
  readonly roomId: RoomId;
  readonly createdAtMs: number;
}

/** A protocol that can be pushed by. */
export interface Pusher {
  /** Without the colon. */
  readonly schemes: readonly string[];
  /** @throws GatewayError `invalid_request` for a URL that it cannot take, `forbidden` for one that may not be reached */
  check(url: string): void;
  /** What the media worker needs. */
  push(options: {
    readonly url: string;
    readonly transport: 'tcp' | 'udp';
    readonly segments: {
      readonly method: 'PUT' | 'POST';
      readonly segmentMs: number;
      readonly segmentCount: number;
    };
  }): Pick<PushSinkSpec, 'protocol' | 'options'>;
}

/** `stopped`: turned off, or without a target. `failed`: could not be started; it is tried again. */
export type StreamingOutState = 'stopped' | 'starting' | 'live' | 'reconnecting' | 'paused' | 'failed';

export interface StreamingOutStatus {
  readonly state: StreamingOutState;
  readonly reason: JobReason | ErrorCode | 'disabled' | 'no_target';
  readonly message: string;
  readonly atMs: number;
}

export interface TargetInfo extends Omit<StreamingOutStatus, 'state'> {
  readonly target: StreamingOutTarget;
  readonly state: StreamingOutState;
  readonly bytesOut: number;
}

export interface StreamingOutOptions {
  readonly record: StreamingOutRecord;
  readonly rooms: Rooms;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly pusherOf: (url: string) => Pusher;
  readonly log: Logger;
}

export type StreamingOutEvents = {
  changed: [status: StreamingOutStatus];
  targetChanged: [info: TargetInfo];
};

/**
 * Makes an egress whenever there is to be one, and another after one that ended.
 *
 *     stopped ──enabled──> starting ──a target streams──> live <──> reconnecting (none does)
 *        ^ disabled           └──could not be started──> failed ──after a while──> starting
 */
export class StreamingOut extends Owned {
  readonly events = new EventEmitter<StreamingOutEvents>();
  readonly #options: StreamingOutOptions;
  readonly #log: Logger;
  readonly #policy = new ReconnectPolicy({ ...defaultReconnect, delaysMs: [1_000, 2_000, 5_000, 10_000, 30_000] });
  readonly #sinks = new Map<string, EgressSinkHandle>();
  #record: StreamingOutRecord;
  #egress: Egress | undefined;
  #isStarting = false;
  #liveSinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #status: StreamingOutStatus = {
    state: 'starting',
    reason: 'requested',
    message: 'Not started yet.',
    atMs: Date.now(),
  };
  #failure: StreamingOutStatus | undefined;
  #lastError: StreamingOutStatus | undefined;

  constructor(options: StreamingOutOptions) {
    super();
    this.#options = options;
    this.#record = options.record;
    this.#log = options.log.child({ streamingOut: options.record.id });
  }

  get record(): StreamingOutRecord {
    return this.#record;
  }

  get egress(): Egress | undefined {
    return this.#egress;
  }

  get status(): StreamingOutStatus {
    return this.#status;
  }

  /** The last thing that went wrong, kept when all is well again. */
  get lastError(): StreamingOutStatus | undefined {
    return this.#lastError;
  }

  get targets(): readonly TargetInfo[] {
    return this.#record.targets.map((target) => this.#infoOf(target));
  }

  /** Live: what runs goes on with what is new. */
  apply(record: StreamingOutRecord): void {
    const past = this.#record;
    this.#record = record;
    if (!this.#isWanted) {
      this.#stop();
      return;
    }
    if (!this.#egress) {
      this.start();
      return;
    }
    this.#follow(this.#egress, past);
  }

  #follow(egress: Egress, past: StreamingOutRecord): void {
    const media = ({ source, hasAudio, hasVideo, video }: StreamingOutRecord) =>
      JSON.stringify([source, hasAudio, hasVideo, video]);
    if (media(past) !== media(this.#record)) egress.switchTo(this.#record.source, wishesOf(this.#record));
    this.#reviewTargets();
  }

  /** Starts it if it is to run and does not. */
  start(): void {
    clearTimeout(this.#timer);
    if (this.isClosed || this.#egress || this.#isStarting) return;
    if (!this.#isWanted) this.#stop();
    else void this.#open();
  }

  /** Later, unless something starts it before. */
  startIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), delayMs);
  }

  /** It runs, is paused or has failed: there is nothing to wait for. */
  get isSettled(): boolean {
    return this.isClosed || (!['starting', 'reconnecting'].includes(this.#status.state) && this.#isAsPaused);
  }

  /** Waits until it is live or has failed and its pauses are as they were asked for, or the time is over. */
  settled(timeoutMs: number): Promise<void> {
    return changedUntil(this, () => this.isSettled, timeoutMs, ['changed', 'targetChanged']);
  }

  /** The worker says a moment later that it has left a target, or come back. */
  get #isAsPaused(): boolean {
    return [...this.#sinks.values()].every(
      ({ isClosed, isPaused, info }) => isClosed || isPaused === (info.state === 'paused'),
    );
  }

  get #isWanted(): boolean {
    return this.#record.isEnabled && this.#record.targets.length > 0;
  }

  async #open(): Promise<void> {
    this.#isStarting = true;
    this.#failure = undefined;
    this.#review();
    const { rooms, media, views } = this.#options;
    const record = this.#record;
    const { roomId, source } = record;
    try {
      const room = await rooms.open(roomId);
      const wishes = wishesOf(record);
      const egress = await Egress.start({ room, media, views, source, wishes, name: 'streaming-out', log: this.#log });
      this.#isStarting = false;
      this.#watch(egress, record);
    } catch (thrown) {
      this.#isStarting = false;
      const { code, message } = toGatewayError(thrown);
      if (code === 'internal') this.#log.error({ err: thrown }, 'streaming-out not started');
      this.#fail(code, message);
    }
  }

  /** @param startedAs what it was when it was started; it may have been changed since */
  #watch(egress: Egress, startedAs: StreamingOutRecord): void {
    this.#egress = egress;
    void egress.done.then((reason) => this.#ended(egress, reason));
    if (this.isClosed || !this.#isWanted) {
      void egress.close('requested');
      return;
    }
    egress.events.on('changed', () => this.#review());
    this.#follow(egress, startedAs);
  }

  /** A sink for each target, and none for what is no target any more. */
  #reviewTargets(): void {
    const egress = this.#egress;
    if (!egress) return;
    const { targets } = this.#record;
    for (const [id, sink] of this.#sinks) {
      const target = targets.find((one) => one.id === id);
      if (target && JSON.stringify(this.#specOf(target)) === JSON.stringify(sink.spec)) continue;
      this.#sinks.delete(id);
      void sink.close('requested');
    }
    for (const target of targets) {
      const sink = this.#sinks.get(target.id);
      if (!sink) this.#addSink(egress, target);
      else if (target.isPaused) sink.pause();
      else sink.resume();
    }
    this.#review();
  }

  #addSink(egress: Egress, target: StreamingOutTarget): void {
    const sink = egress.addSink(this.#specOf(target), target.isPaused);
    this.#sinks.set(target.id, sink);
    sink.events.on('changed', (info) => this.#noteTarget(target.id, sink, info));
  }

  #noteTarget(id: string, sink: EgressSinkHandle, info: EgressSinkInfo): void {
    const target = this.#record.targets.find((one) => one.id === id);
    if (!target || this.#sinks.get(id) !== sink) return;
    if (info.state === 'live') this.#liveSinceMs ??= performance.now();
    this.#log[info.state === 'reconnecting' ? 'warn' : 'info'](
      { target: id, state: info.state, reason: info.reason, what: info.message },
      'target of a streaming-out changed',
    );
    this.#review();
    this.events.emit('targetChanged', this.#infoOf(target));
  }

  #specOf({ url }: StreamingOutTarget): EgressSinkSpec {
    const { audioCodec, hasFallback, transport, segments: { method, durationS, count } = usualSegments } = this.#record;
    const segments = { method, segmentMs: durationS * 1_000, segmentCount: count };
    const recode = this.#recodeSpec;
    return {
      type: 'push',
      audioCodec,
      hasFallback,
      recode,
      ...this.#options.pusherOf(url).push({ url, transport, segments }),
    };
  }

  get #recodeSpec(): RecodeSpec | undefined {
    const { source, hasVideo, video } = this.#record;
    if (!hasVideo || source.kind === 'mix') return undefined;
    const { views, rooms } = this.#options;
    const room = rooms.live(this.#record.roomId)?.record;
    const view = source.kind === 'view' && room && views.settingsOf(room).find(({ name }) => name === source.view);
    return recodeSpecOf(video, view ? view.video : commonView.video);
  }

  #infoOf(target: StreamingOutTarget): TargetInfo {
    const sink = this.#sinks.get(target.id);
    const { reason, message, atMs } = this.#status;
    if (!sink) return { target, state: this.#status.state, reason, message, atMs, bytesOut: 0 };
    const { state, ...info } = sink.info;
    return { target, ...info, state: state === 'ended' ? 'stopped' : state, bytesOut: sink.bytesOut };
  }

  #ended(egress: Egress, reason: CloseReason): void {
    if (this.#egress !== egress) return;
    this.#egress = undefined;
    this.#sinks.clear();
    if (this.isClosed || !this.#isWanted) return;
    const failure = egress.job?.info;
    if (failure?.state === 'failed') this.#fail(failure.reason, failure.message);
    else this.#fail('owner_closed', reason === 'parent_closed' ? 'Its room was closed.' : 'It has ended.');
  }

  #fail(reason: StreamingOutStatus['reason'], message: string): void {
    if (this.isClosed || !this.#isWanted) return;
    const liveMs = this.#liveSinceMs === undefined ? 0 : performance.now() - this.#liveSinceMs;
    this.#liveSinceMs = undefined;
    const delayMs = this.#policy.failed(liveMs) ?? 0;
    this.startIn(delayMs);
    this.#failure = { state: 'failed', reason, message, atMs: Date.now() };
    this.#log.warn({ reason, what: message, delayMs }, 'streaming-out failed');
    this.#review();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#failure = undefined;
    const egress = this.#egress;
    this.#egress = undefined;
    this.#sinks.clear();
    void egress?.close('requested');
    this.#review();
  }

  /** Says what is so now, from the targets. */
  #review(): void {
    const status = this.#judge();
    const { state, reason, message } = this.#status;
    if (status.state === state && status.reason === reason && status.message === message) return;
    this.#status = { ...status, atMs: Date.now() };
    if (state !== status.state && (status.state === 'failed' || status.state === 'reconnecting')) {
      this.#lastError = this.#status;
    }
    this.events.emit('changed', this.#status);
  }

  #judge(): Omit<StreamingOutStatus, 'atMs'> {
    if (!this.#record.isEnabled) return { state: 'stopped', reason: 'disabled', message: 'Turned off.' };
    if (this.#record.targets.length === 0)
      return { state: 'stopped', reason: 'no_target', message: 'It has no target.' };
    if (this.#failure) return this.#failure;
    const infos = [...this.#sinks.values()].map(({ info }) => info);
    const bad = infos.find(({ state }) => state === 'reconnecting' || state === 'failed');
    if (infos.some(({ state }) => state === 'live')) {
      const message = bad ? `Streaming, but not to every target: ${bad.message}` : 'Streaming.';
      return { state: 'live', reason: 'media_flowing', message };
    }
    if (bad) return { state: 'reconnecting', reason: bad.reason, message: bad.message };
    if (infos.length > 0 && infos.every(({ state }) => state === 'paused')) {
      return { state: 'paused', reason: 'requested', message: 'Paused on request.' };
    }
    return { state: 'starting', reason: 'requested', message: 'Connecting.' };
  }

  protected override async onClose(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#egress?.close('requested');
    this.events.removeAllListeners();
  }
}
