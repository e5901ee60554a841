// Owns: the place in the room over as many sockets as it takes: join, resume, join again. May import: its siblings.
import type { EventMap, JoinResult, Method, RequestData, ResultMap } from '#signalling/protocol.ts';
import { closeCodes, protocolVersion } from '#signalling/protocol-constants.ts';
import { backoffMs } from './backoff.ts';
import { Emitter } from './emitter.ts';
import { ClientError, isPassing, toClientError } from './errors.ts';
import { EventOrder } from './event-order.ts';
import type { EndInfo, ReconnectInfo } from './room-state.ts';
import { type Requester, type ServerEvent, SignallingSocket, type SocketClose } from './signalling-socket.ts';

export interface SessionLinkOptions {
  readonly url: string;
  readonly room: string;
  /** Asked anew for each join. */
  readonly token: () => string | Promise<string>;
  readonly displayName: () => string | undefined;
  /** Whoever joins has agreed to being recorded. */
  readonly hasConsented: () => boolean;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Tries before it gives up; with the waits between them about eight minutes for 60. */
  readonly maxAttempts: number;
}

export type SessionLinkEvents = {
  /** In the room, for the first time or as somebody new. */
  joined: [result: JoinResult, isAgain: boolean];
  /** In the room as before; missed events follow. */
  resumed: [hasMedia: boolean];
  received: [event: ServerEvent];
  waiting: [info: ReconnectInfo];
  ended: [end: EndInfo];
};

const joinAttempts = 3;
/** Silence of the server after which it is asked whether it is there. */
const heartbeatMs = 4_000;
const pingTimeoutMs = 4_000;

/**
 * ```
 *  join() ─► online ──socket lost──► waiting ──resume──► online
 *                                     │  ▲  └─refused: join again─► online
 *                                     └──┘ back-off
 *  any ──kicked, left, room closed, refused, gave up──► ended
 * ```
 */
export class SessionLink implements Requester {
  readonly events = new Emitter<SessionLinkEvents>();
  readonly #options: SessionLinkOptions;
  #socket: SignallingSocket | undefined;
  #order = new EventOrder();
  #ticket: string | undefined;
  #hasJoined = false;
  #isEnded = false;
  #closed: EventMap['closed'] | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #isPinging = false;
  #wake: (() => void) | undefined;
  #online = Promise.withResolvers<void>();

  constructor(options: SessionLinkOptions) {
    this.#options = options;
    this.#online.promise.catch(() => undefined);
  }

  get isOnline(): boolean {
    return this.#socket !== undefined;
  }

  /** @throws ClientError why not; a server that is merely away is tried a few times first */
  async join(): Promise<void> {
    globalThis.addEventListener?.('online', this.#nudge);
    globalThis.document?.addEventListener('visibilitychange', this.#nudge);
    const error = await this.#tryUntil(joinAttempts, Date.now());
    if (!error) return;
    this.#end({ kind: 'refused', message: error.message, code: error.code, retryAfterMs: error.retryAfterMs });
    throw error;
  }

  /**
   * Waits for the socket to be back if it is away just now.
   * @throws ClientError the server's refusal, `timeout`, `disconnected`, `closed`
   */
  async request<M extends Method>(method: M, data: RequestData<M>): Promise<ResultMap[M]> {
    if (this.#isEnded) throw new ClientError('closed', 'You have left the room.');
    if (!this.#socket) await withTimeout(this.#online.promise, this.#options.requestTimeoutMs);
    if (!this.#socket) throw new ClientError('disconnected', 'The connection to the server is lost.');
    return this.#socket.request(method, data);
  }

  /** Says good-bye if it can, and is over either way. */
  async leave(): Promise<void> {
    const socket = this.#socket;
    this.#end({ kind: 'left', message: 'You have left.' });
    await socket?.request('leave', {}, 1_000).catch(() => undefined);
    socket?.close();
  }

  /** For a page that goes away and cannot wait. */
  abandon(): void {
    const socket = this.#socket;
    this.#end({ kind: 'left', message: 'You have left.' });
    // The promise has nobody left to tell.
    socket?.request('leave', {}, 1_000).catch(() => undefined);
  }

  /** Does not wait for the rest of the back-off. */
  retryNow(): void {
    this.#wake?.();
  }

  readonly #nudge = (): void => {
    if (globalThis.document?.visibilityState === 'hidden') return;
    this.#wake?.();
    void this.#ping();
  };

  async #tryUntil(maxAttempts: number, sinceMs: number): Promise<ClientError | undefined> {
    let error: ClientError | undefined;
    for (let attempt = 1; attempt <= maxAttempts && !this.#isEnded; attempt++) {
      const isFirstJoin = attempt === 1 && !this.#hasJoined;
      const waitMs = isFirstJoin ? 0 : Math.max(backoffMs(attempt, Math.random()), error?.retryAfterMs ?? 0);
      if (!isFirstJoin) {
        this.events.emit('waiting', { attempt, nextAttemptAtMs: Date.now() + waitMs, sinceMs });
        await this.#pause(waitMs);
      }
      if (this.#isEnded) break;
      try {
        await this.#connect();
        return undefined;
      } catch (thrown) {
        error = toClientError(thrown);
        if (!isPassing(error.code)) return error;
      }
    }
    return error;
  }

  async #connect(): Promise<void> {
    if (this.#ticket !== undefined) {
      const socket = await this.#open();
      try {
        await this.#resume(socket, this.#ticket);
        return;
      } catch (thrown) {
        socket.close();
        const error = toClientError(thrown);
        if (error.code === 'disconnected' || error.code === 'timeout' || error.code === 'rate_limited') throw error;
        // The grace time is over or the server is a new one: be somebody new.
        this.#ticket = undefined;
      }
    }
    const token = await this.#options.token();
    const socket = await this.#open();
    try {
      await this.#join(socket, token);
    } catch (thrown) {
      socket.close();
      throw thrown;
    }
  }

  #open(): Promise<SignallingSocket> {
    const { url, connectTimeoutMs, requestTimeoutMs } = this.#options;
    return SignallingSocket.open(url, { timeoutMs: connectTimeoutMs, requestTimeoutMs });
  }

  async #resume(socket: SignallingSocket, ticket: string): Promise<void> {
    socket.events.on('received', (event) => this.#receive(socket, event));
    const result = await socket.request('resume', { ticket, lastSeq: this.#order.lastSeq });
    this.#ticket = result.ticket;
    this.#adopt(socket);
    this.events.emit('resumed', result.hasMedia);
  }

  async #join(socket: SignallingSocket, token: string): Promise<void> {
    const order = new EventOrder();
    socket.events.on('received', (event) => this.#receive(socket, event));
    const displayName = this.#options.displayName();
    const result = await socket.request('join', {
      protocol: protocolVersion,
      room: this.#options.room,
      token,
      ...(displayName && { displayName }),
      ...(this.#options.hasConsented() && { hasConsented: true }),
    });
    const isAgain = this.#hasJoined;
    this.#order = order;
    this.#ticket = result.ticket;
    this.#hasJoined = true;
    this.#adopt(socket);
    this.events.emit('joined', result, isAgain);
  }

  #adopt(socket: SignallingSocket): void {
    if (this.#isEnded) {
      // The server has a place for us by now, and would keep it for a minute.
      socket.request('leave', {}).catch(() => undefined);
      throw new ClientError('closed', 'You have left.');
    }
    this.#socket = socket;
    socket.events.on('closed', (close) => this.#lost(socket, close));
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => {
      if (socket.silentMs >= heartbeatMs) void this.#ping();
    }, heartbeatMs / 2);
    this.#online.resolve();
  }

  #receive(socket: SignallingSocket, event: ServerEvent): void {
    switch (this.#order.judge(event.seq)) {
      case 'repeat':
        return;
      case 'gap':
        // Cannot happen on one ordered stream; if it does, what is missing is still in the server's hands.
        socket.close();
        return;
      case 'apply':
        if (event.event === 'closed') this.#closed = event.data;
        this.events.emit('received', event);
    }
  }

  /** Finds out in seconds what TCP may take minutes to notice. */
  async #ping(): Promise<void> {
    const socket = this.#socket;
    if (!socket || this.#isPinging) return;
    this.#isPinging = true;
    try {
      await socket.request('ping', {}, pingTimeoutMs);
    } catch {
      socket.close();
    } finally {
      this.#isPinging = false;
    }
  }

  #lost(socket: SignallingSocket, { code, reason }: SocketClose): void {
    if (socket !== this.#socket || this.#isEnded) return;
    this.#socket = undefined;
    clearInterval(this.#heartbeat);
    const end = endOf(code, reason, this.#closed);
    if (end) this.#end(end);
    else {
      this.#closed = undefined;
      this.#online = Promise.withResolvers();
      this.#online.promise.catch(() => undefined);
      void this.#comeBack();
    }
  }

  async #comeBack(): Promise<void> {
    const error = await this.#tryUntil(this.#options.maxAttempts, Date.now());
    if (!error) return;
    if (isPassing(error.code)) this.#end({ kind: 'gave_up', message: 'The server could not be reached any more.' });
    else this.#end({ kind: 'refused', message: error.message, code: error.code, retryAfterMs: error.retryAfterMs });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }

  #end(end: EndInfo): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#socket = undefined;
    clearInterval(this.#heartbeat);
    globalThis.removeEventListener?.('online', this.#nudge);
    globalThis.document?.removeEventListener('visibilitychange', this.#nudge);
    this.#wake?.();
    this.#online.reject(new ClientError('closed', end.message));
    this.events.emit('ended', end);
    this.events.clear();
  }
}

/** @returns undefined when the way to go is to come back */
export function endOf(code: number, reason: string, closed: EventMap['closed'] | undefined): EndInfo | undefined {
  if (code === closeCodes.replaced) return { kind: 'replaced', message: 'This session goes on somewhere else.' };
  // A server that shuts down, also when it says so by the event, may be back in a moment.
  if (closed?.reason === 'drained' || (code !== closeCodes.ended && !closed)) return undefined;
  const message = closed?.message ?? (reason || 'The room was closed.');
  if (closed?.reason === 'kicked') return { kind: 'kicked', message };
  if (closed?.reason === 'replaced') return { kind: 'replaced', message };
  if (closed?.reason === 'peer_left') return { kind: 'left', message };
  // The server took the connection for dead; it is not.
  if (closed?.reason === 'timeout') return undefined;
  return { kind: 'room_closed', message };
}

function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new ClientError('disconnected', 'The connection to the server is lost.')),
      timeoutMs,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
