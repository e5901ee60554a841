// Owns: the event log over WebSocket, at /api/events. May import: core, ws, ./…
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { EventLog } from '#core/event-log.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger, RateLimiter } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import { TokenBucket } from '#core/token-bucket.ts';
import { assertMay } from './access.ts';
import type { Auth } from './auth.ts';
import { eventPattern } from './contract.ts';
import { EventCursor } from './event-cursor.ts';
import { heartbeatMs } from './event-stream.ts';
import { eventView } from './event-views.ts';
import { invalidFields, problemBody } from './problem.ts';
import type { StreamSlots } from './stream-slots.ts';

export interface EventSocketsOptions {
  readonly rooms: Rooms;
  readonly auth: Auth;
  readonly eventLog: EventLog;
  readonly streams: StreamSlots;
  readonly limiter: RateLimiter;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly log: Logger;
}

const firstMessage = z.strictObject({
  token: z.string().max(8_192).optional(),
  after: z.string().max(128).optional(),
  types: z.array(eventPattern).max(64).optional(),
  room: z.string().min(1).max(128).optional(),
});

const maxMessageBytes = 16_384;
const firstMessageTimeoutMs = 10_000;
/** Nothing is asked for after the first; what comes all the same (pings of proxies and libraries) is let pass at this rate. */
const idleMessagesPerSecond = 5;
const idleMessageBurst = 20;
/** A socket that has so much unread is not written to. */
const maxBufferedBytes = 1_000_000;
const bufferedPollMs = 100;
/** RFC 6455 §7.4: policy violation, going away. */
const refused = 1008;
const goingAway = 1001;

/** Follows the log for each socket; a `{"type": "gap"}` comes first when events were missed for good. */
export class EventSockets extends Owned {
  readonly #options: EventSocketsOptions;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false });

  constructor(options: EventSocketsOptions) {
    super();
    this.#options = options;
  }

  /** For the path `/api/events` of the HTTP servers. */
  readonly handleUpgrade = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      if (this.isClosed) webSocket.close(goingAway, 'server is shutting down');
      else void this.#serve(webSocket, request);
    });
  };

  async #serve(webSocket: WebSocket, request: IncomingMessage): Promise<void> {
    const ended = new AbortController();
    webSocket.once('close', () => ended.abort());
    const timer = setTimeout(() => webSocket.close(refused, 'no first message'), firstMessageTimeoutMs).unref();
    const { promise: first, resolve } = Promise.withResolvers<string | undefined>();
    webSocket.once('message', (data, isBinary) => resolve(isBinary ? '' : String(data)));
    webSocket.once('close', () => resolve(undefined));
    boundMessages(webSocket);
    const text = await first;
    clearTimeout(timer);
    if (text === undefined) return;
    let release: (() => void) | undefined;
    try {
      const { auth, streams, limiter, addressOf } = this.#options;
      const address = addressOf(request);
      limiter.consume(address);
      const asked = parse(text);
      const credential = asked.token ?? bearerOf(request);
      const check = async () => this.#filterFor(await auth.authenticate(credential, address), asked);
      const filter = await check();
      const cursor = new EventCursor(this.#options.eventLog, filter, asked.after);
      release = streams.take();
      await this.#follow(webSocket, cursor, AbortSignal.any([ended.signal, this.signal]), check);
      webSocket.close(goingAway, 'server is shutting down');
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (error.code === 'internal') this.#options.log.error({ err: thrown }, 'event socket failed');
      webSocket.send(JSON.stringify({ type: 'error', error: problemBody(error, undefined) }));
      webSocket.close(refused, error.code);
    } finally {
      release?.();
    }
  }

  async #filterFor(principal: Awaited<ReturnType<Auth['authenticate']>>, asked: z.output<typeof firstMessage>) {
    const { rooms } = this.#options;
    await assertMay(principal, { scope: 'events:read', participants: 'moderate' }, asked.room, rooms);
    return {
      types: asked.types,
      roomId: asked.room === undefined ? undefined : (await rooms.get(asked.room)).record.id,
    };
  }

  /** @param check throws once the credential is no longer good */
  async #follow(webSocket: WebSocket, cursor: EventCursor, signal: AbortSignal, check: () => Promise<unknown>) {
    if (cursor.hasGap) webSocket.send(JSON.stringify({ type: 'gap', after: cursor.position }));
    let checkedAtMs = performance.now();
    while (!signal.aborted && !this.#options.eventLog.isClosed) {
      for (const event of await cursor.next(signal, heartbeatMs)) webSocket.send(JSON.stringify(eventView(event)));
      if (performance.now() - checkedAtMs >= heartbeatMs) {
        await check();
        checkedAtMs = performance.now();
        webSocket.ping();
      }
      while (webSocket.bufferedAmount > maxBufferedBytes && !signal.aborted) {
        await new Promise((wake) => setTimeout(wake, bufferedPollMs).unref());
      }
    }
  }

  protected override onClose(_reason: CloseReason): void {
    for (const client of this.#server.clients) client.close(goingAway, 'server is shutting down');
    this.#server.close();
  }
}

function boundMessages(webSocket: WebSocket): void {
  const bucket = new TokenBucket(idleMessagesPerSecond, idleMessageBurst, Date.now());
  webSocket.on('message', () => {
    if (bucket.take(Date.now()) > 0) webSocket.close(refused, 'too many messages');
  });
}

/** @throws GatewayError `invalid_request` */
function parse(text: string): z.output<typeof firstMessage> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError('invalid_request', 'The first message is JSON: {"token", "after", "types", "room"}.', {
      cause,
    });
  }
  const parsed = firstMessage.safeParse(json);
  if (!parsed.success) throw invalidFields('message', parsed.error.issues);
  return parsed.data;
}

function bearerOf(request: IncomingMessage): string | undefined {
  const token = request.headers['x-auth-token'];
  return /^Bearer +(\S+)/i.exec(request.headers.authorization ?? '')?.[1] ?? (Array.isArray(token) ? token[0] : token);
}
