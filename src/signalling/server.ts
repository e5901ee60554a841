// Owns: the WebSocket at `/ws`: who may connect, the first message, and which session a socket belongs to.
// May import: core, config, ws and its siblings here.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { LimitsConfig } from '#config/schema.ts';
import { type ErrorCode, GatewayError, toGatewayError } from '#core/errors.ts';
import { partyOf } from '#core/grants.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Meetings } from '#core/meetings.ts';
import type { AuthPort, IceServerPort, Logger, RateLimiter } from '#core/ports.ts';
import { TokenBucket } from '#core/token-bucket.ts';
import type { TranscodePort } from '#core/transcode-port.ts';
import type { ViewPort } from '#core/view-port.ts';
import { errorInfo } from './info.ts';
import { waitingEvent } from './lobby-watch.ts';
import { type RequestData, requestSchemas } from './protocol.ts';
import { closeCodes } from './protocol-constants.ts';
import { parseRequest, Session, type SessionSocket, validate } from './session.ts';

/** A socket whose first message is not ours, handed to whoever understands it (plain SDP clients). */
export interface PlainSocket {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Called for every text message after the first. */
  onMessage(listener: (text: string) => void): void;
  onClose(listener: () => void): void;
}

export interface PlainSocketHandler {
  handle(socket: PlainSocket, firstMessage: string, peer: { readonly address: string }): void;
}

/** What is counted here, for metrics. */
export interface SignallingCounters {
  connectionOpened(): void;
  connectionClosed(): void;
  failed(code: ErrorCode): void;
}

export interface SignallingOptions {
  readonly meetings: Meetings;
  readonly auth: AuthPort;
  readonly ice: IceServerPort;
  readonly views?: ViewPort | undefined;
  readonly transcodes?: TranscodePort | undefined;
  readonly limiter: RateLimiter;
  readonly limits: LimitsConfig;
  readonly resumeGraceMs: number;
  readonly log: Logger;
  /** Client address, proxies taken into account. */
  readonly addressOf: (request: IncomingMessage) => string;
  readonly plain: PlainSocketHandler;
  readonly counters: SignallingCounters;
}

const firstMessageTimeoutMs = 10_000;
const maxFirstMessageLength = 65_536;
/** RFC 6455 §7.4.1. */
const messageTooBig = 1009;
/** That may come before the answer to the first. */
const maxEarlyMessages = 100;
const heartbeatMs = 10_000;
/** No sign of life for so long: the socket is dead, whatever TCP believes. */
const silenceLimitMs = 25_000;
/** Seconds' worth of messages that may come at once. */
const burstSeconds = 5;

export class SignallingServer extends Owned {
  readonly #options: SignallingOptions;
  readonly #webSockets: WebSocketServer;
  readonly #sessions = new Set<Session>();
  #isRefusing = false;

  constructor(options: SignallingOptions) {
    super();
    this.#options = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: options.limits.maxMessageBytes,
      // Contexts of zlib cost more memory per idle client than the few messages they would shorten.
      perMessageDeflate: false,
      clientTracking: true,
    });
  }

  get connectionCount(): number {
    return this.#webSockets.clients.size;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Listener of an HTTP server's `upgrade` for `/ws`. */
  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const address = this.#options.addressOf(request);
      if (this.isClosed || this.#isRefusing) {
        webSocket.close(closeCodes.serverClosing, 'server is shutting down');
      } else if (this.#webSockets.clients.size > this.#options.limits.maxConnections) {
        webSocket.close(closeCodes.tooManyConnections, 'too many connections');
      } else {
        this.#accept(webSocket, address);
      }
    });
  };

  /** From now on; those that are open stay. */
  refuseNew(): void {
    this.#isRefusing = true;
  }

  /** Tells those that are in when they will be sent away; null: not any more. */
  announceDrain(closesInMs: number | null): void {
    for (const session of this.#sessions) session.announceDrain(closesInMs);
  }

  #accept(webSocket: WebSocket, address: string): void {
    const log = this.#options.log.child({ address });
    const { counters } = this.#options;
    counters.connectionOpened();
    webSocket.once('close', () => counters.connectionClosed());
    keepAlive(webSocket);
    throttle(webSocket, this.#options.limits.messagesPerSecond);
    webSocket.on('error', (cause) => log.debug({ err: cause }, 'socket failed'));
    const timer = setTimeout(() => {
      webSocket.close(closeCodes.notJoined, 'no join within 10 s');
    }, firstMessageTimeoutMs).unref();
    webSocket.once('close', () => clearTimeout(timer));
    webSocket.once('message', (data, isBinary) => {
      clearTimeout(timer);
      const text = isBinary ? '' : String(data);
      // Until it is known who it is, no more is looked through than a join takes.
      if (text.length > maxFirstMessageLength) webSocket.close(messageTooBig, 'the first message is too long');
      else if (isPlain(text)) this.#options.plain.handle(plainSocket(webSocket), text, { address });
      else void this.#open(webSocket, address, text, log);
    });
  }

  /** The first message of our own protocol: `join` or `resume`; anything else is answered and ends the socket. */
  async #open(webSocket: WebSocket, address: string, text: string, log: Logger): Promise<void> {
    const waiting: string[] = [];
    const keep = (data: unknown, isBinary: boolean) => {
      // Whoever waits to be let in has nothing to say yet.
      if (waiting.length < maxEarlyMessages) waiting.push(isBinary ? '' : String(data));
    };
    webSocket.on('message', keep);
    const socket = sessionSocket(webSocket);
    let id: number | null = null;
    try {
      const request = parseRequest(text);
      id = request.id;
      this.#options.limiter.consume(address);
      const session =
        request.method === 'resume'
          ? this.#resume(socket, id, validate(requestSchemas.resume, request.data))
          : request.method === 'join'
            ? await this.#join(webSocket, socket, id, validate(requestSchemas.join, request.data), { address, log })
            : refuseFirst(request.method);
      webSocket.off('message', keep);
      webSocket.on('message', (data, isBinary) => void session.receive(isBinary ? '' : String(data)));
      webSocket.on('close', () => session.detach(socket));
      for (const message of waiting) void session.receive(message);
      if (webSocket.readyState !== webSocket.OPEN) session.detach(socket);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      this.#options.counters.failed(error.code);
      if (error.code === 'internal') log.error({ err: thrown }, 'join failed');
      else log.info({ code: error.code, detail: error.message }, 'join refused');
      socket.send(JSON.stringify({ id, ok: false, error: errorInfo(error) }));
      socket.close(closeCodes.notJoined, error.code);
    }
  }

  async #join(
    webSocket: WebSocket,
    socket: SessionSocket,
    requestId: number,
    data: RequestData<'join'>,
    { address, log }: { address: string; log: Logger },
  ): Promise<Session> {
    const { auth, meetings, ice, resumeGraceMs } = this.#options;
    const grant = await auth.authorizeJoin(data.token, data.room, address);
    const party = { ...partyOf(grant), displayName: data.displayName ?? grant.displayName };
    const left = new AbortController();
    webSocket.once('close', () => left.abort());
    const { room, role } = await meetings.enter({
      ...{ room: data.room, mayCreate: grant.mayCreateRoom, party: { kind: 'webrtc', ...party } },
      hasConsented: data.hasConsented ?? false,
      wait: { signal: left.signal, tell: (news) => socket.send(JSON.stringify(waitingEvent(news))) },
    });
    auth.assertNotRevoked(grant);
    if (webSocket.readyState !== webSocket.OPEN) throw new GatewayError('closed', 'The socket closed while joining.');
    const participant = room.join({
      kind: 'webrtc',
      ...party,
      role,
    });
    const sessionLog = log.child({ room: room.name, participant: participant.id });
    const { counters, views, transcodes } = this.#options;
    const session = new Session({
      participant,
      meetings,
      ice,
      views,
      transcodes,
      log: sessionLog,
      resumeGraceMs,
      counters,
    });
    this.#sessions.add(session);
    void session.done.then(() => this.#sessions.delete(session));
    try {
      session.start(socket, requestId);
    } catch (thrown) {
      // The room lost its media worker just now: nobody would ever close this participant.
      await session.close('failed');
      throw thrown;
    }
    return session;
  }

  #resume(socket: SessionSocket, requestId: number, { ticket, lastSeq }: RequestData<'resume'>): Session {
    for (const session of this.#sessions) {
      if (!session.isResumedBy(ticket)) continue;
      session.resume(socket, requestId, lastSeq);
      return session;
    }
    throw new GatewayError('closed', 'This session cannot be resumed; join again.');
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.participant.close(reason)));
    await Promise.all([...this.#sessions].map((session) => session.done));
    for (const client of this.#webSockets.clients) client.close(closeCodes.serverClosing, 'server is shutting down');
    // Clients that do not answer the close frame are not waited for.
    setImmediate(() => {
      for (const client of this.#webSockets.clients) client.terminate();
    });
    this.#webSockets.close();
  }
}

function refuseFirst(method: string): never {
  throw new GatewayError('unauthorized', `The first message is "join" or "resume", not "${method}".`);
}

/** Plain SDP clients say `type` where ours say `method`. */
function isPlain(text: string): boolean {
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'object' && message !== null && 'type' in message && !('method' in message);
  } catch {
    // Not JSON: our own path answers with the reason.
    return false;
  }
}

function sessionSocket(webSocket: WebSocket): SessionSocket {
  return {
    send: (text) => {
      if (webSocket.readyState === webSocket.OPEN) webSocket.send(text);
    },
    get bufferedBytes() {
      return webSocket.bufferedAmount;
    },
    close: (code, reason) => webSocket.close(code, closeReasonText(reason)),
    terminate: () => webSocket.terminate(),
  };
}

function plainSocket(webSocket: WebSocket): PlainSocket {
  const { send, close } = sessionSocket(webSocket);
  return {
    send,
    close,
    onMessage: (listener) => webSocket.on('message', (data, isBinary) => listener(isBinary ? '' : String(data))),
    onClose: (listener) => webSocket.once('close', listener),
  };
}

/** A close frame carries at most 123 bytes of reason (RFC 6455 §5.5). */
function closeReasonText(reason: string): string {
  return Buffer.from(reason, 'utf8')
    .subarray(0, 120)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
}

function keepAlive(webSocket: WebSocket): void {
  let heardAtMs = Date.now();
  const heard = () => {
    heardAtMs = Date.now();
  };
  webSocket.on('pong', heard);
  webSocket.on('message', heard);
  const timer = setInterval(() => {
    // A throttled socket is not read, so its silence is ours.
    if (webSocket.isPaused) heard();
    else if (Date.now() - heardAtMs > silenceLimitMs) webSocket.terminate();
    else webSocket.ping();
  }, heartbeatMs).unref();
  webSocket.once('close', () => clearInterval(timer));
}

/** Stops reading while a client is over its rate: TCP slows it down, and nothing it said is lost. */
function throttle(webSocket: WebSocket, perSecond: number): void {
  const bucket = new TokenBucket(perSecond, perSecond * burstSeconds, Date.now());
  let timer: NodeJS.Timeout | undefined;
  webSocket.on('message', () => {
    const waitMs = bucket.take(Date.now());
    if (waitMs === 0 || timer) return;
    webSocket.pause();
    timer = setTimeout(() => {
      timer = undefined;
      webSocket.resume();
    }, waitMs).unref();
  });
  webSocket.once('close', () => clearTimeout(timer));
}
