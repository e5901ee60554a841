// Owns: a room watched without WebRTC: fragments of MP4 by WebSocket, put into a video element. May import: its siblings.
import { backoffMs } from './backoff.ts';
import { Emitter } from './emitter.ts';
import { MediaFeeder } from './media-feeder.ts';

export interface Fmp4PlayerOptions {
  readonly video: HTMLVideoElement;
  /** `wss://gateway.example.org/fmp4/{room}`, or `…/{room}/{stream}` for one participant alone, `…/{room}/views/{view}` for another view. */
  readonly url: string;
  /** Join token or API key; asked again for each connection. */
  readonly token: () => Promise<string> | string;
}

export type Fmp4PlayerState =
  | { readonly phase: 'connecting' | 'playing' | 'closed' }
  /** It comes back by itself. */
  | { readonly phase: 'reconnecting'; readonly message: string }
  /** The server refuses it: asking again does not help. */
  | { readonly phase: 'failed'; readonly code: string; readonly message: string };

export type Fmp4PlayerEvents = {
  changed: [state: Fmp4PlayerState];
  /** The line was too slow: so many fragments were left out. */
  skipped: [fragments: number];
  /** The browser plays no sound before the page is clicked: it plays without. */
  muted: [];
};

interface InitMessage {
  readonly type: 'init';
  readonly mime: string;
  readonly originMs?: number;
  readonly originUs?: number;
}
interface ErrorMessage {
  readonly type: 'error';
  readonly code: string;
  readonly detail: string;
  readonly status: number;
  readonly retryAfterMs?: number;
}
type ServerMessage =
  | InitMessage
  | ErrorMessage
  | { readonly type: 'skipped'; readonly fragments: number }
  | { readonly type: 'ended'; readonly reason: string };

/** Of refusals that pass: nothing to see yet, overloaded, draining, too many joins. */
const passing = (status: number) => status === 429 || status >= 500;
/** A connection that brings nothing for so long is given up. */
const silenceMs = 30_000;

export class Fmp4Player {
  readonly events = new Emitter<Fmp4PlayerEvents>();
  readonly #options: Fmp4PlayerOptions;
  #state: Fmp4PlayerState = { phase: 'closed' };
  #socket: WebSocket | undefined;
  #feeder: MediaFeeder | undefined;
  #init: InitMessage | undefined;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #refusal: ErrorMessage | undefined;

  constructor(options: Fmp4PlayerOptions) {
    this.#options = options;
  }

  /** Whether this browser can do it at all. */
  static get isSupported(): boolean {
    return MediaFeeder.isSupported;
  }

  get state(): Fmp4PlayerState {
    return this.#state;
  }

  /** How long ago what is shown now was made, by the clocks of both; undefined while nothing is. */
  get latencyMs(): number | undefined {
    const { originMs, originUs } = this.#init ?? {};
    if (originMs === undefined || originUs === undefined || this.#state.phase !== 'playing') return undefined;
    return Date.now() - (originMs + this.#options.video.currentTime * 1_000 - originUs / 1_000);
  }

  start(): void {
    if (this.#state.phase !== 'closed' && this.#state.phase !== 'failed') return;
    this.#attempt = 0;
    this.#set({ phase: 'connecting' });
    void this.#connect();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#drop();
    this.#set({ phase: 'closed' });
  }

  async #connect(): Promise<void> {
    let token: string;
    try {
      token = await this.#options.token();
    } catch (thrown) {
      this.#retry(thrown instanceof Error ? thrown.message : String(thrown));
      return;
    }
    if (this.#state.phase === 'closed') return;
    this.#drop();
    const url = new URL(this.#options.url);
    url.searchParams.set('token', token);
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#watch(socket);
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      this.#watch(socket);
      if (typeof data === 'string') this.#receive(JSON.parse(data) as ServerMessage);
      else this.#feeder?.push(data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
  }

  #watch(socket: WebSocket): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      if (socket !== this.#socket) return;
      this.#drop();
      this.#lost();
    }, silenceMs);
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case 'init':
        this.#begin(message);
        return;
      case 'skipped':
        this.events.emit('skipped', message.fragments);
        return;
      case 'error':
        this.#refusal = message;
        return;
      case 'ended':
        return;
    }
  }

  /** Another initialisation has another clock: the element begins anew with it. */
  #begin(init: InitMessage): void {
    this.#feeder?.close();
    this.#init = init;
    this.#feeder = new MediaFeeder(this.#options.video, init.mime, {
      playing: () => {
        this.#attempt = 0;
        this.#set({ phase: 'playing' });
      },
      muted: () => this.events.emit('muted'),
      failed: (message) => {
        this.#drop();
        this.#retry(message);
      },
    });
  }

  #lost(): void {
    const refusal = this.#refusal;
    this.#drop();
    if (refusal && !passing(refusal.status)) {
      this.#set({ phase: 'failed', code: refusal.code, message: refusal.detail });
      return;
    }
    this.#retry(refusal?.detail ?? 'The connection was lost.', refusal?.retryAfterMs);
  }

  #retry(message: string, afterMs = 0): void {
    if (this.#state.phase === 'closed') return;
    this.#attempt += 1;
    this.#set({ phase: 'reconnecting', message });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), Math.max(afterMs, backoffMs(this.#attempt, Math.random())));
  }

  #drop(): void {
    clearTimeout(this.#watchdog);
    this.#refusal = undefined;
    this.#feeder?.close();
    this.#feeder = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #set(state: Fmp4PlayerState): void {
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    this.events.emit('changed', state);
  }
}
