// Owns: one forked media worker: its start, its silence, its end.
import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { type LiveMessage, LivePipeReader } from '#media/live-pipe.ts';
import { encodeMediaMessage, type MediaMessage, mediaPipeFd } from '#media/media-pipe.ts';
import {
  type FromWorkerMessage,
  fromWorkerMessage,
  heartbeatIntervalMs,
  type MessageOf,
  protocolVersion,
  silenceLimitMs,
  type ToWorkerMessage,
} from '#media/protocol.ts';

const workerFile = fileURLToPath(import.meta.resolve('#media/main.ts'));

/** Loading its code takes more than a second of CPU: 14 s were seen where ten others wanted the same two cores. */
const startTimeoutMs = 20_000;
/** A worker that was asked to end and has not is killed. */
const stopTimeoutMs = 2_000;
/** For reading what has come, before a worker is taken for silent. */
const readingMs = 100;
/** Bytes waiting in the pipe to the worker, above which media is dropped instead of queued. */
const maxQueuedBytes = 16 * 1024 * 1024;

/** However this process ends, they end with it. */
const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export type Heartbeat = MessageOf<FromWorkerMessage, 'heartbeat'>;

export type MediaWorkerEvents = {
  message: [message: FromWorkerMessage];
  /** Media for viewers. */
  live: [message: LiveMessage];
  /** It is gone; jobs that it had are nowhere now. */
  died: [cause: string];
};

export interface MediaWorkerOptions {
  readonly id: number;
  readonly log: Logger;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** For tests: another program in its place. */
  readonly file?: string | undefined;
}

/**
 * `starting` until it says hello, `spare` until it is given a port, `ready` after. It never comes back: whoever owns it
 * makes another.
 */
export class MediaWorker extends Owned {
  readonly id: number;
  readonly events = new EventEmitter<MediaWorkerEvents>();
  readonly #log: Logger;
  readonly #logLevel: MediaWorkerOptions['logLevel'];
  readonly #child: ChildProcess;
  readonly #mediaPipe: Duplex;
  readonly #livePipe = new LivePipeReader();
  readonly #hello = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  #ready = Promise.withResolvers<void>();
  #state: 'starting' | 'spare' | 'ready' = 'starting';
  #watchdog: NodeJS.Timeout;
  #heartbeat: Heartbeat | undefined;
  #measuredMsPerS = 0;
  #rtpPort = 0;
  #queuedBytes = 0;
  /** Messages. */
  #received = 0;
  #hasDied = false;

  constructor(options: MediaWorkerOptions) {
    super();
    this.id = options.id;
    this.#logLevel = options.logLevel;
    this.#child = fork(options.file ?? workerFile, [], {
      serialization: 'advanced',
      // Views on pictures count as memory that only the collector of garbage can free: it ran ten times a second, and took
      // a tenth of what composing costs. The nursery of objects grows with what is made, though nothing of it stays: without
      // a bound it had a hundred megabytes of each worker after minutes of calls, with it three times the number.
      execArgv: ['--external-memory-accounted-in-global-limit', '--max-semi-space-size=16'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
      // Only what it needs: the parent's environment holds keys. The pool serves file writes of muxers; the threshold
      // keeps freed frames from fragmenting the heap. The cache of compiled code spares a third of its start. SVT-AV1
      // is to say what went wrong, and nothing else.
      env: {
        ...{ UV_THREADPOOL_SIZE: '32', MALLOC_MMAP_THRESHOLD_: '131072', SVT_LOG: '1' },
        NODE_COMPILE_CACHE: getCompileCacheDir(),
      },
    });
    this.#mediaPipe = this.#child.stdio[mediaPipeFd] as Duplex;
    // Its death is told by its exit.
    this.#mediaPipe.on('error', () => undefined);
    this.#mediaPipe.on('data', (piece: Buffer) => this.#receiveLive(piece));
    this.#log = options.log.child({ mediaWorker: this.#child.pid });
    this.#watchdog = setTimeout(() => this.#suspect('did not start in time'), startTimeoutMs);
    // Nobody may be waiting when it dies early.
    this.#hello.promise.catch(() => undefined);
    this.#ready.promise.catch(() => undefined);
    this.#child.on('message', (message) => this.#receive(message));
    this.#child.on('error', (error) => {
      // Without a pid it never was, and no exit will be told.
      if (this.#child.pid === undefined) this.#exited.resolve();
      this.#die(`cannot be reached: ${error.message}`);
    });
    this.#child.on('exit', (code, signal) => {
      this.#exited.resolve();
      living.delete(this.#child);
      this.#die(signal ? `was ended by ${signal}` : `exited with ${code}`);
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log.warn({ text: text.slice(0, 2_000).trimEnd() }, 'media worker wrote to stderr');
    });
    living.add(this.#child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }
  get state(): 'starting' | 'spare' | 'ready' {
    return this.#state;
  }
  get rtpPort(): number {
    return this.#rtpPort;
  }
  get heartbeat(): Heartbeat | undefined {
    return this.#heartbeat;
  }
  /** CPU milliseconds per second between the last two heartbeats. */
  get measuredMsPerS(): number {
    return this.#measuredMsPerS;
  }

  /** @throws GatewayError `media_lost` when it dies first */
  whenUp(): Promise<void> {
    return this.#hello.promise;
  }

  /**
   * Lets it bind its RTP port and take jobs.
   * @param rtpPort that of a worker whose streams it is to go on with; 0 for any
   * @throws GatewayError `media_lost`
   */
  async configure(rtpPort: number): Promise<void> {
    await this.whenUp();
    this.send({ type: 'configure', version: protocolVersion, rtpPort, logLevel: this.#logLevel });
    await this.#ready.promise;
  }

  /** A message to one that is gone is dropped: its death is told by an event. */
  send(message: ToWorkerMessage): void {
    if (this.#hasDied || !this.#child.connected) return;
    this.#child.send(message, (error) => {
      if (error && !this.#hasDied) this.#log.debug({ err: error }, 'message to media worker lost');
    });
  }

  /**
   * Media, which is dropped rather than queued without end.
   * @returns false when it was dropped
   */
  sendMedia(message: MediaMessage, sizeBytes: number): boolean {
    const pipe = this.#mediaPipe;
    if (this.#hasDied || pipe.destroyed) return false;
    // What announces media is small, and nothing could be made of the media without it.
    if (message.type === 'deliverUnit' && this.#queuedBytes + sizeBytes > maxQueuedBytes) return false;
    this.#queuedBytes += sizeBytes;
    const [head = new Uint8Array(0), body = head] = encodeMediaMessage(message);
    // Both in one call to the system.
    pipe.cork();
    pipe.write(head);
    pipe.write(body, () => {
      this.#queuedBytes -= sizeBytes;
    });
    pipe.uncork();
    return true;
  }

  /** How full the pipe to it is, 0..1. */
  get backlog(): number {
    return this.#queuedBytes / maxQueuedBytes;
  }

  #receiveLive(piece: Buffer): void {
    if (this.#hasDied) return;
    try {
      this.#livePipe.push(piece, (message) => this.events.emit('live', message));
    } catch (error) {
      this.#log.error({ err: error }, 'media worker sent what cannot be read');
      this.#die('speaks another protocol');
    }
  }

  #receive(raw: unknown): void {
    const parsed = fromWorkerMessage.safeParse(raw);
    if (!parsed.success) {
      // Both ends are ours: this is a bug or a worker of another release, and nothing good can come of it.
      this.#log.error({ issues: parsed.error.issues.slice(0, 3) }, 'media worker speaks another protocol');
      this.#die('speaks another protocol');
      return;
    }
    const message = parsed.data;
    this.#received += 1;
    this.#watchdog.refresh();
    switch (message.type) {
      case 'hello':
        clearTimeout(this.#watchdog);
        this.#watchdog = setTimeout(() => this.#suspect('fell silent'), silenceLimitMs);
        this.#state = 'spare';
        this.#hello.resolve();
        return;
      case 'ready':
        this.#rtpPort = message.rtpPort;
        this.#state = 'ready';
        this.#ready.resolve();
        return;
      case 'heartbeat':
        this.#measuredMsPerS = this.#heartbeat
          ? ((message.cpuMs - this.#heartbeat.cpuMs) * 1_000) / heartbeatIntervalMs
          : 0;
        this.#heartbeat = message;
        break;
      case 'log':
        this.#log[message.level](message.fields, message.message);
        return;
    }
    this.events.emit('message', message);
  }

  /** Where this process was held up itself, what the worker said meanwhile is read after the timers. */
  #suspect(cause: string): void {
    const received = this.#received;
    this.#watchdog = setTimeout(() => {
      if (this.#received === received) this.#die(cause);
      else this.#watchdog = setTimeout(() => this.#suspect('fell silent'), silenceLimitMs);
    }, readingMs);
  }

  #die(cause: string): void {
    if (this.#hasDied) return;
    this.#hasDied = true;
    clearTimeout(this.#watchdog);
    const error = new GatewayError('media_lost', `The media worker ${cause}.`);
    this.#hello.reject(error);
    this.#ready.reject(error);
    this.#child.kill('SIGKILL');
    if (this.isClosed) return;
    this.#log.warn({ cause }, 'media worker died');
    // Its port is free only when the process is gone, and the next one wants it.
    void this.#exited.promise.then(() => {
      this.events.emit('died', cause);
      void this.close('failed');
    });
  }

  protected override async onClose(): Promise<void> {
    this.#hello.reject(new GatewayError('closed', 'The media worker was stopped.'));
    this.#ready.reject(new GatewayError('closed', 'The media worker was stopped.'));
    // Without its channel it ends by itself.
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeoutMs);
    if (this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null)
      await this.#exited.promise;
    clearTimeout(timer);
    clearTimeout(this.#watchdog);
    living.delete(this.#child);
  }
}
