// Owns: the connection to FreeSWITCH: the thread that has it, its loss and its return, and the channels on it.
import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import { GatewayError } from '#core/errors.ts';
import type { FreeSwitchEvents, FreeSwitchStatus } from '#core/free-switch-status.ts';
import type { LegCodec } from '#core/leg-media.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { defaultReconnect, ReconnectPolicy } from '#core/reconnect.ts';
import type { MediaServerKind, TrunkRecord } from '#core/trunk.ts';
import type {
  FreeSwitchSettings,
  FromThread,
  SipControl,
  ThreadData,
  ThreadRequest,
  ToThread,
} from './thread-messages.ts';

const threadFile = new URL('./thread.ts', import.meta.url);
/** From its start to a connection that stands: loading its code takes a second of CPU, on a machine that has it. */
const connectTimeoutMs = 20_000;
const requestTimeoutMs = 10_000;
const stopTimeoutMs = 2_000;
/** The thread is looked after so often, and may miss so many looks: a busy machine is not to cost calls. */
const lookIntervalMs = 5_000;
const maxLooksMissed = 3;
/** Told to callers while it is away. */
const retryAfterMs = 5_000;

/** @returns of a trunk, why its calls cannot have their media; undefined where they can. @param usual of trunks that do not say */
export function problemOfMedia(
  usual: MediaServerKind,
  freeSwitch: Pick<FreeSwitch, 'problem' | 'status'> | undefined,
): (trunk: TrunkRecord) => string | undefined {
  return ({ media }) => {
    if ((media?.server ?? usual) === 'native') return undefined;
    // At the start nothing has failed yet.
    if (freeSwitch) return freeSwitch.status.state === 'down' ? freeSwitch.problem : undefined;
    return 'Its calls want FreeSWITCH, and sip.freeswitch is not set.';
  };
}

export interface FreeSwitchOptions {
  readonly settings: FreeSwitchSettings;
  readonly log: Logger;
}

/** One side of a call in FreeSWITCH. */
export interface FreeSwitchChannel {
  /** FreeSWITCH's answer to our offer, or its own. */
  readonly sdp: string;
  /** @returns its new description. @throws GatewayError `no_common_codec`, `media_lost`, `closed` */
  modify(sdp: string): Promise<string>;
  /** Both hear each other. @throws GatewayError `media_lost`, `closed` */
  bridge(other: FreeSwitchChannel): Promise<void>;
  release(): void;
}

interface Pending {
  readonly resolve: (sdp: string) => void;
  readonly reject: (error: GatewayError) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 *   connecting ──up──> up ──lost──> down ──up──> up …
 *        └──fails──> down ──tried again, ever more seldom──┘
 */
export class FreeSwitch extends Owned {
  readonly events = new EventEmitter<FreeSwitchEvents>();
  readonly #options: FreeSwitchOptions;
  readonly #log: Logger;
  readonly #policy = new ReconnectPolicy(defaultReconnect);
  readonly #pending = new Map<number, Pending>();
  readonly #channels = new Map<string, (error: GatewayError) => void>();
  #control: SipControl | undefined;
  #thread: Worker | undefined;
  #address = '';
  #state: FreeSwitchStatus['state'] = 'connecting';
  #sinceMs = Date.now();
  #lastError: string | undefined;
  #version: string | undefined;
  #lastId = 0;
  #connectTimer: NodeJS.Timeout | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  /** That the thread has not answered. */
  #looksMissed = 0;
  #endThread: (reason: string) => void = () => undefined;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(options: FreeSwitchOptions) {
    super();
    this.#options = options;
    const { host, port } = options.settings;
    this.#log = options.log.child({ freeSwitch: `${host}:${port}` });
  }

  get status(): FreeSwitchStatus {
    const { host, port } = this.#options.settings;
    return {
      ...{ host, port, state: this.#state, sinceMs: this.#sinceMs, lastError: this.#lastError },
      ...{ version: this.#version, channels: this.#channels.size },
    };
  }

  /** Why calls that need it are refused now; undefined when they are not. */
  get problem(): string | undefined {
    if (this.#state === 'up') return undefined;
    if (this.#state === 'connecting') return 'FreeSWITCH is being connected to.';
    return this.#lastError ?? 'There is no connection to FreeSWITCH.';
  }

  /** Where it is, as it is reached from here. @throws GatewayError `media_lost` */
  get address(): string {
    this.#assertUp();
    return this.#address;
  }

  /** Between it and us, the best first. */
  get codecs(): readonly LegCodec[] {
    return this.#options.settings.codecs;
  }

  /** Connects, and does so again whenever the connection is lost. */
  start(control: SipControl): void {
    this.#control = control;
    this.#connect();
  }

  /**
   * A channel that answers `offer`, or makes an offer.
   * @param onLost FreeSWITCH hung up, or is gone
   * @throws GatewayError `media_lost`, `no_common_codec`, `timeout`
   */
  async open(offer: string | undefined, onLost: (error: GatewayError) => void): Promise<FreeSwitchChannel> {
    this.#assertUp();
    const endpoint = `e${++this.#lastId}`;
    const release = (): void => {
      // Of a thread that is gone nothing is left.
      if (this.#channels.delete(endpoint)) void this.#ask({ verb: 'release', endpoint }).catch(() => undefined);
    };
    this.#channels.set(endpoint, onLost);
    try {
      const sdp = await this.#ask({ verb: 'open', endpoint, offer });
      return new Channel(endpoint, sdp, (request) => this.#ask(request), release);
    } catch (error) {
      release();
      throw error;
    }
  }

  #assertUp(): void {
    if (this.#state !== 'up' || !this.#thread) {
      throw new GatewayError('media_lost', this.problem ?? 'FreeSWITCH is gone.', { retryAfterMs });
    }
  }

  #ask(request: ThreadRequest): Promise<string> {
    const thread = this.#thread;
    if (!thread || this.#state !== 'up') return Promise.reject(lost('There is no connection to FreeSWITCH.'));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(lost(`FreeSWITCH did not answer within ${requestTimeoutMs / 1_000} s.`));
      }, requestTimeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      const message: ToThread = { type: 'request', id, request };
      thread.postMessage(message);
    });
  }

  #connect(): void {
    if (!this.#control || this.isClosed) return;
    const workerData: ThreadData = { control: this.#control, settings: this.#options.settings };
    const thread = new Worker(threadFile, { workerData, execArgv: [], env: {}, stdout: true, stderr: true });
    this.#thread = thread;
    // What drachtio-fsmrf says to the console.
    for (const stream of [thread.stdout, thread.stderr]) {
      stream.on('data', (text: Buffer) => this.#log.debug({ text: String(text).slice(0, 500) }, 'drachtio-fsmrf says'));
    }
    let reason = 'The thread of FreeSWITCH ended.';
    thread.on('message', (message: FromThread) => {
      if (message.type === 'down') reason = message.reason;
      else if (this.#thread === thread) this.#receive(message);
    });
    thread.on('error', (error) => {
      reason = `drachtio-fsmrf failed: ${String(error instanceof Error ? error.message : error).slice(0, 200)}`;
    });
    thread.on('exit', () => this.#thread === thread && this.#gone(reason));
    this.#endThread = (why) => {
      reason = why;
      void thread.terminate();
    };
    this.#connectTimer = setTimeout(() => {
      this.#endThread(`FreeSWITCH was not connected within ${connectTimeoutMs / 1_000} s.`);
    }, connectTimeoutMs);
  }

  /** One that hangs in a callback of drachtio-fsmrf lets nobody's call end, and says nothing of it. */
  #look(): void {
    if (this.#looksMissed >= maxLooksMissed) {
      this.#endThread(`The thread of FreeSWITCH was stuck for ${(maxLooksMissed * lookIntervalMs) / 1_000} s.`);
      return;
    }
    this.#looksMissed += 1;
    const message: ToThread = { type: 'look' };
    this.#thread?.postMessage(message);
  }

  #receive(message: Exclude<FromThread, { type: 'down' }>): void {
    switch (message.type) {
      case 'well':
        this.#looksMissed = 0;
        return;
      case 'up':
        this.#came(message.address, message.version);
        return;
      case 'ended': {
        const onLost = this.#channels.get(message.endpoint);
        this.#channels.delete(message.endpoint);
        onLost?.(lost(`FreeSWITCH ended the media of the call: ${message.reason}.`));
        return;
      }
      case 'done':
        this.#take(message.id)?.resolve(message.sdp);
        return;
      case 'refused':
        this.#take(message.id)?.reject(new GatewayError(message.code, message.message, { retryAfterMs }));
        return;
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }

  #came(address: string, version: string): void {
    clearTimeout(this.#connectTimer);
    this.#address = address.replace(/^::ffff:/i, '');
    this.#version = version;
    this.#lastError = undefined;
    this.#looksMissed = 0;
    this.#lookTimer = setInterval(() => this.#look(), lookIntervalMs);
    this.#move('up');
    this.#log.info({ version }, 'FreeSWITCH is connected');
  }

  /** The thread has ended, and all that it had. */
  #gone(reason: string): void {
    clearTimeout(this.#connectTimer);
    clearInterval(this.#lookTimer);
    this.#thread = undefined;
    const liveMs = this.#state === 'up' ? Date.now() - this.#sinceMs : 0;
    const isNews = this.#state !== 'down';
    this.#lastError = reason;
    const delayMs = this.isClosed ? undefined : this.#policy.failed(liveMs);
    if (!this.isClosed) {
      this.#log[isNews ? 'error' : 'debug'](
        { reason, calls: this.#channels.size, retryInMs: delayMs },
        'FreeSWITCH is away',
      );
    }
    const error = lost(reason);
    for (const id of [...this.#pending.keys()]) this.#take(id)?.reject(error);
    const lostChannels = [...this.#channels.values()];
    this.#channels.clear();
    // That we leave it is no news of FreeSWITCH.
    if (isNews && !this.isClosed) this.#move('down');
    for (const onLost of lostChannels) onLost(error);
    if (delayMs !== undefined) this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
  }

  #move(state: 'up' | 'down'): void {
    this.#state = state;
    this.#sinceMs = Date.now();
    this.events.emit(state, this.status);
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#connectTimer);
    clearInterval(this.#lookTimer);
    const thread = this.#thread;
    if (!thread) return;
    const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    const message: ToThread = { type: 'stop' };
    thread.postMessage(message);
    const timer = setTimeout(() => void thread.terminate(), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  }
}

class Channel implements FreeSwitchChannel {
  readonly sdp: string;
  readonly #endpoint: string;
  readonly #ask: (request: ThreadRequest) => Promise<string>;
  readonly release: () => void;

  constructor(endpoint: string, sdp: string, ask: (request: ThreadRequest) => Promise<string>, release: () => void) {
    this.#endpoint = endpoint;
    this.sdp = sdp;
    this.#ask = ask;
    this.release = release;
  }

  modify(sdp: string): Promise<string> {
    return this.#ask({ verb: 'modify', endpoint: this.#endpoint, sdp });
  }

  async bridge(other: FreeSwitchChannel): Promise<void> {
    if (other instanceof Channel) {
      await this.#ask({ verb: 'bridge', endpoint: this.#endpoint, other: other.#endpoint });
    }
  }
}

function lost(message: string): GatewayError {
  return new GatewayError('media_lost', message, { retryAfterMs });
}
