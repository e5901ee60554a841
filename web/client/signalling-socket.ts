// Owns: one WebSocket from open to close, its requests and their time-outs. May import: signalling protocol.
import type { ErrorInfo, EventMap, EventName, Method, RequestData, ResultMap } from '#signalling/protocol.ts';
import { Emitter } from './emitter.ts';
import { ClientError } from './errors.ts';

export type ServerEvent = {
  [E in EventName]: { readonly event: E; readonly seq?: number; readonly data: EventMap[E] };
}[EventName];

type ServerMessage =
  | { readonly id: number; readonly ok: true; readonly data: unknown }
  | { readonly id: number | null; readonly ok: false; readonly error: ErrorInfo }
  | ServerEvent;

export interface SocketClose {
  /** RFC 6455 §7.4; `closeCodes` for ours. */
  readonly code: number;
  readonly reason: string;
}

export type SignallingSocketEvents = {
  received: [event: ServerEvent];
  /** Once, whoever closed it. */
  closed: [close: SocketClose];
};

interface PendingRequest {
  readonly method: Method;
  resolve(data: unknown): void;
  reject(error: ClientError): void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** What parts of the client ask of the connection. */
export interface Requester {
  /** @throws ClientError the server's refusal, `timeout`, `disconnected` */
  request<M extends Method>(method: M, data: RequestData<M>): Promise<ResultMap[M]>;
}

export class SignallingSocket implements Requester {
  readonly events = new Emitter<SignallingSocketEvents>();
  readonly #socket: WebSocket;
  readonly #requestTimeoutMs: number;
  readonly #pending = new Map<number, PendingRequest>();
  #nextId = 1;
  #lastReceivedAtMs = performance.now();
  #isClosed = false;

  private constructor(socket: WebSocket, requestTimeoutMs: number) {
    this.#socket = socket;
    this.#requestTimeoutMs = requestTimeoutMs;
    socket.addEventListener('message', (message) => this.#receive(message.data));
    socket.addEventListener('close', ({ code, reason }) => this.#finish({ code, reason }));
  }

  /** @throws ClientError `disconnected` when no server answers in time */
  static open(url: string, options: { timeoutMs: number; requestTimeoutMs: number }): Promise<SignallingSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const refuse = (why: string) => {
        clearTimeout(timer);
        reject(new ClientError('disconnected', why));
      };
      const timer = setTimeout(() => {
        refuse('The server did not answer in time.');
        socket.close();
      }, options.timeoutMs);
      socket.addEventListener('close', () => refuse('The server cannot be reached.'), { once: true });
      socket.addEventListener('open', () => {
        clearTimeout(timer);
        resolve(new SignallingSocket(socket, options.requestTimeoutMs));
      });
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Milliseconds since anything came. */
  get silentMs(): number {
    return performance.now() - this.#lastReceivedAtMs;
  }

  request<M extends Method>(method: M, data: RequestData<M>, timeoutMs?: number): Promise<ResultMap[M]> {
    if (this.#isClosed) return Promise.reject(disconnected());
    const id = this.#nextId++;
    return new Promise<ResultMap[M]>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new ClientError('timeout', `The server did not answer "${method}" in time.`));
      }, timeoutMs ?? this.#requestTimeoutMs);
      this.#pending.set(id, { method, resolve: resolve as (data: unknown) => void, reject, timer });
      this.#socket.send(JSON.stringify({ id, method, data }));
    });
  }

  /** Ends it at once for everybody here; the close handshake of a dead line could take minutes. */
  close(code = 1000, reason = ''): void {
    if (this.#isClosed) return;
    this.#socket.close(code, reason);
    this.#finish({ code, reason });
  }

  #receive(text: unknown): void {
    if (this.#isClosed) return;
    this.#lastReceivedAtMs = performance.now();
    const message = parse(text);
    if (!message) return;
    if ('event' in message) {
      if (message.event === 'waiting') this.#waitForAnswers();
      this.events.emit('received', message);
      return;
    }
    const pending = message.id === null ? undefined : this.#pending.get(message.id);
    // An answer that comes after its time-out has nobody left to tell.
    if (!pending || message.id === null) return;
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if (message.ok) pending.resolve(message.data);
    else pending.reject(ClientError.fromServer(message.error));
  }

  /** A moderator has to act, which takes as long as it takes: only the end of the socket ends the wait. */
  #waitForAnswers(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
  }

  #finish(close: SocketClose): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(disconnected());
    }
    this.#pending.clear();
    this.events.emit('closed', close);
    this.events.clear();
  }
}

function disconnected(): ClientError {
  return new ClientError('disconnected', 'The connection to the server is lost.');
}

/** The server is ours, yet a proxy's text page must not become an exception in an event handler. */
function parse(text: unknown): ServerMessage | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'object' && message !== null ? (message as ServerMessage) : undefined;
  } catch {
    return undefined;
  }
}
