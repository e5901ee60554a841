// Owns: one target of a push: a connection for as long as it is wanted, another after each that fails.
// May import: core's words, its neighbours.
import { EventEmitter } from 'node:events';
import { type ErrorCode, GatewayError, toGatewayError } from '#core/errors.ts';
import type { JobReason } from '#core/job.ts';
import { defaultReconnect, ReconnectPolicy } from '#core/reconnect.ts';
import type { PushConnection, PushEnd, PushOpener } from './push-connection.ts';
import type { EgressSink, EgressSinkEvents, EgressStream, EgressUnit } from './sink.ts';

/** A service that restarts is back within seconds, and its viewers wait: every other second for a minute, then less often. */
const delaysMs = [
  500,
  1_000,
  ...Array.from({ length: 30 }, () => 2_000),
  ...Array.from({ length: 12 }, () => 5_000),
  15_000,
  30_000,
];
/** What will not change by itself is asked less often: services lock out who keeps coming with a wrong key. */
const finalDelaysMs = [1_000, 2_000, 5_000, 15_000, 30_000, 60_000, 300_000];
const jitter = 0.2;

export interface PushSinkOptions {
  readonly open: PushOpener;
  readonly options: Readonly<Record<string, unknown>>;
  /** Other codecs are described when these are not taken. */
  readonly hasFallback?: boolean | undefined;
  /** 0 ≤ x < 1 */
  readonly random?: (() => number) | undefined;
}

/**
 *     idle ──described──> connecting ──> live ──lost──> waiting ──> connecting …   until it is closed
 */
export class PushSink implements EgressSink {
  readonly events = new EventEmitter<EgressSinkEvents>();
  readonly #options: PushSinkOptions;
  readonly #policy: ReconnectPolicy;
  readonly #finalPolicy: ReconnectPolicy;
  readonly #abort = new AbortController();
  #streams: readonly EgressStream[] = [];
  #connection: PushConnection | undefined;
  #isConnecting = false;
  #isPaused = false;
  #awaitsKey = true;
  #liveSinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #bytesBefore = 0;
  #mayFallBack: boolean;
  /** What was fallen back from, for people. */
  #fallback = '';

  constructor(options: PushSinkOptions) {
    this.#options = options;
    this.#mayFallBack = options.hasFallback ?? false;
    const reconnect = { ...defaultReconnect, jitter };
    this.#policy = new ReconnectPolicy({ ...reconnect, delaysMs }, options.random);
    this.#finalPolicy = new ReconnectPolicy({ ...reconnect, delaysMs: finalDelaysMs }, options.random);
  }

  get bytesOut(): number {
    return this.#bytesBefore + (this.#connection?.bytesOut ?? 0);
  }

  describe(streams: readonly EgressStream[]): void {
    this.#streams = streams;
    this.#awaitsKey = hasVideo(streams);
    if (!this.#connection) {
      this.#connect();
      return;
    }
    try {
      this.#connection.describe(streams);
    } catch (error) {
      this.#giveUp(this.#connection, error);
    }
  }

  write(unit: EgressUnit): void {
    if (!this.#connection) return;
    if (this.#awaitsKey) {
      if (unit.kind !== 'video' || !unit.isKey) return;
      this.#awaitsKey = false;
    }
    this.#connection.write(unit);
    // Not before the other side has taken something.
    if (this.#liveSinceMs !== undefined || this.#connection.bytesOut === 0) return;
    this.#liveSinceMs = performance.now();
    this.events.emit('changed', 'live', 'media_flowing', `Streaming.${this.#fallback}`);
  }

  /** Leaves the target while it is paused: a service ends the broadcast by its own rules. */
  setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    clearTimeout(this.#timer);
    if (!isPaused) {
      this.#connect();
      return;
    }
    const connection = this.#connection;
    this.#forget();
    void connection?.close();
    this.events.emit('changed', 'paused', 'requested', 'Paused on request.');
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#abort.abort();
    const connection = this.#connection;
    this.#forget();
    await connection?.close();
    this.events.emit('changed', 'ended', 'stopped', 'Stopped on request.');
    this.events.removeAllListeners();
  }

  #connect(): void {
    if (this.#isConnecting || this.#connection || this.#isPaused || this.#streams.length === 0) return;
    if (this.#abort.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#isConnecting = true;
    void this.#open().catch((thrown: unknown) => {
      this.#isConnecting = false;
      const { code, message } = toGatewayError(thrown);
      this.#failed({ code, message });
    });
  }

  async #open(): Promise<void> {
    const { open, options } = this.#options;
    const streams = this.#streams;
    const { signal } = this.#abort;
    const onKeyFrameWanted = () => this.events.emit('keyFrameWanted');
    const onNotice = (what: string) => this.#notice(what);
    const connection = await open({ options, streams, onKeyFrameWanted, onNotice, signal });
    this.#isConnecting = false;
    if (signal.aborted || this.#isPaused) {
      await connection.close();
      return;
    }
    try {
      connection.describe(this.#streams);
    } catch (error) {
      // Nobody else knows of it yet who could close it.
      void connection.close();
      throw error;
    }
    this.#connection = connection;
    this.#awaitsKey = hasVideo(this.#streams);
    this.#liveSinceMs = undefined;
    if (this.#awaitsKey) this.events.emit('keyFrameWanted');
    const end = await connection.done;
    if (this.#connection !== connection) return;
    this.#failed(end);
  }

  #notice(what: string): void {
    if (this.#liveSinceMs !== undefined) this.events.emit('changed', 'live', 'media_flowing', `Streaming. ${what}`);
  }

  #giveUp(connection: PushConnection, thrown: unknown): void {
    const { code, message } = toGatewayError(thrown);
    void connection.close();
    this.#failed({ code, message });
  }

  #failed({ code, message }: PushEnd): void {
    const liveMs = this.#liveSinceMs === undefined ? 0 : performance.now() - this.#liveSinceMs;
    this.#forget();
    if (this.#abort.signal.aborted || this.#isPaused) return;
    if (code === 'unsupported_media_type' && this.#fallBack(message)) return;
    const isFinal = finalCodes.has(code);
    const delayMs = (isFinal ? this.#finalPolicy : this.#policy).failed(liveMs) ?? 0;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), delayMs);
    const seconds = (delayMs / 1_000).toFixed(delayMs < 10_000 ? 1 : 0);
    this.events.emit('changed', 'reconnecting', reasonOf(code, liveMs), `${message} Next attempt in ${seconds} s.`);
  }

  /** Once: what is described next is H264 and AAC, which every server takes. */
  #fallBack(message: string): boolean {
    if (!this.#mayFallBack) return false;
    this.#mayFallBack = false;
    this.#fallback = ` In H264 and AAC: ${message}`;
    this.#streams = [];
    this.events.emit('unsupported', message);
    return true;
  }

  #forget(): void {
    this.#bytesBefore = this.bytesOut;
    this.#connection = undefined;
    this.#liveSinceMs = undefined;
    this.#awaitsKey = true;
  }
}

const finalCodes: ReadonlySet<ErrorCode> = new Set([
  'forbidden',
  'unauthorized',
  'upstream_refused',
  'unsupported_media_type',
  'invalid_request',
]);

function reasonOf(code: ErrorCode, liveMs: number): JobReason {
  if (code === 'unsupported_media_type') return 'unsupported_media';
  if (finalCodes.has(code)) return 'target_refused';
  if (liveMs === 0) return 'target_unreachable';
  return code === 'timeout' ? 'target_stalled' : 'target_lost';
}

function hasVideo(streams: readonly EgressStream[]): boolean {
  return streams.some(({ kind }) => kind === 'video');
}

/** For a protocol that is not there. */
export const noOpener: PushOpener = () => {
  throw new GatewayError('invalid_request', 'There is no way to push by that protocol here.');
};
