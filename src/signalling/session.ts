// Owns: one browser in one room, over as many sockets as it takes. May import: core, ./protocol and its siblings here.
import type { z } from 'zod';
import { type ErrorCode, GatewayError } from '#core/errors.ts';
import { randomText } from '#core/ids.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { listen } from '#core/listen.ts';
import type { Meetings } from '#core/meetings.ts';
import type { Participant } from '#core/participant.ts';
import type { IceServerPort, Logger } from '#core/ports.ts';
import type { Publication, Subscription } from '#core/track.ts';
import type { TranscodePort } from '#core/transcode-port.ts';
import type { ViewPort } from '#core/view-port.ts';
import { Audience } from './audience.ts';
import { handlers, type RequestContext, type SessionMethod } from './handlers.ts';
import {
  chatInfo,
  dataPublicationInfo,
  errorInfo,
  participantInfo,
  publicationInfo,
  roomInfo,
  subscriptionInfo,
} from './info.ts';
import { LobbyWatch } from './lobby-watch.ts';
import { Outbox } from './outbox.ts';
import {
  type EventMap,
  type EventName,
  type JoinResult,
  requestEnvelope,
  requestSchemas,
  type ServerMessage,
} from './protocol.ts';
import { closeCodes, protocolVersion } from './protocol-constants.ts';
import { StreamNews } from './stream-news.ts';
import { TranscodeWatch } from './transcode-watch.ts';
import { ViewWatch } from './view-watch.ts';

/** The socket as a session sees it; `server.ts` wraps a WebSocket. */
export interface SessionSocket {
  send(text: string): void;
  /** Bytes not yet taken by the network. */
  readonly bufferedBytes: number;
  close(code: number, reason: string): void;
  /** Without a good-bye. */
  terminate(): void;
}

export interface SessionOptions {
  readonly participant: Participant;
  readonly meetings: Meetings;
  readonly ice: IceServerPort;
  readonly views?: ViewPort | undefined;
  readonly transcodes?: TranscodePort | undefined;
  readonly log: Logger;
  readonly resumeGraceMs: number;
  readonly counters: { failed(code: ErrorCode): void };
}

/** A client that lets this much pile up is cut; it may resume. */
const maxBufferedBytes = 4_194_304;
const maxRequestsInFlight = 256;

const closedMessages: Partial<Record<CloseReason, string>> = {
  kicked: 'A moderator has removed you from the room.',
  parent_closed: 'The room has been closed.',
  replaced: 'You have joined from somewhere else.',
  drained: 'The server is taken out of service.',
  ended: 'The meeting has reached its end.',
  timeout: 'The connection was lost for too long.',
  requested: 'You have left.',
};

/**
 * ```
 *  connected ──socket lost──▶ waiting ──resume──▶ connected
 *      │                         │ grace over
 *      └──leave, kick, close─────┴──▶ closed
 * ```
 * Events are numbered and kept, so that a new socket gets what the old one missed; the participant and its media stay.
 */
export class Session extends Owned {
  readonly participant: Participant;
  readonly #options: SessionOptions;
  readonly #context: RequestContext;
  readonly #lobby: LobbyWatch;
  readonly #audience: Audience;
  readonly #news: StreamNews;
  readonly #outbox = new Outbox<{ event: EventName; data: unknown }>();
  readonly #detachers: (() => void)[] = [];
  #socket: SessionSocket | undefined;
  #ticket = newTicket();
  #previousTicket: string | undefined;
  #graceTimer: NodeJS.Timeout | undefined;
  #inFlight = 0;

  constructor(options: SessionOptions) {
    super();
    this.#options = options;
    this.participant = options.participant;
    const { participant, ice, meetings } = options;
    const views = new ViewWatch(options.views, (arranged) => this.#emit('viewArranged', arranged));
    const transcodes = new TranscodeWatch(options.transcodes, options.log);
    this.#context = { participant, ice, meetings, views, transcodes, rtpCapabilities: undefined };
    this.#audience = new Audience(participant, (other) =>
      this.#emit('participantJoined', { participant: participantInfo(other) }),
    );
    this.#news = new StreamNews(participant, {
      added: (publication) => this.#emit('publicationAdded', { publication: publicationInfo(publication) }),
      updated: (publication) => this.#emit('publicationUpdated', { publication: publicationInfo(publication) }),
      removed: ({ id, participant: owner }, reason) =>
        this.#emit('publicationRemoved', { publicationId: id, participantId: owner.id, reason }),
    });
    this.#lobby = new LobbyWatch(participant, meetings, (waiting) => this.#emit('lobby', { waiting }));
    this.#listen();
  }

  /**
   * The ticket before the last one counts until the client says something on its new socket: the answer that carried the
   * last one may have been lost with that socket.
   */
  isResumedBy(ticket: string): boolean {
    return ticket === this.#ticket || ticket === this.#previousTicket;
  }

  /**
   * Attaches the first socket and says what there is. Events that happen from now on follow it.
   * @throws GatewayError `media_lost`, `closed`
   */
  start(socket: SessionSocket, requestId: number): void {
    const { participant } = this;
    const { room } = participant;
    const data: JoinResult = {
      protocol: protocolVersion,
      participantId: participant.id,
      ticket: this.#ticket,
      resumeGraceMs: this.#options.resumeGraceMs,
      room: roomInfo(room),
      participants: this.#audience.present().map(participantInfo),
      activeSpeaker: room.activeSpeaker,
      chat: room.chatHistory.map(chatInfo),
      rtpCapabilities: room.media.rtpCapabilities,
      iceServers: this.#options.ice.iceServersFor(participant.id),
    };
    // Only now: when the room has no media at the moment, the refusal still has to go out over this socket.
    this.#socket = socket;
    this.#write({ id: requestId, ok: true, data });
    this.#lobby.look();
  }

  /** @throws GatewayError `closed` when too much was missed; the client joins anew then */
  resume(socket: SessionSocket, requestId: number, lastSeq: number): void {
    const missed = this.#outbox.replay(lastSeq);
    if (this.isClosed || !missed) throw new GatewayError('closed', 'This session cannot be resumed; join again.');
    clearTimeout(this.#graceTimer);
    this.#socket?.close(closeCodes.replaced, 'resumed on another socket');
    this.#socket = socket;
    this.#previousTicket = this.#ticket;
    this.#ticket = newTicket();
    this.#write({
      id: requestId,
      ok: true,
      data: { ticket: this.#ticket, missed: missed.length, hasMedia: this.participant.transports.size > 0 },
    });
    for (const { seq, item } of missed) this.#write({ ...item, seq } as ServerMessage);
    this.#options.log.info({ missed: missed.length }, 'session resumed');
    this.participant.update({ isConnected: true });
  }

  /** The socket is gone; keeps the place for the grace time. Sockets that were replaced before do not count. */
  detach(socket: SessionSocket): void {
    if (this.#socket !== socket || this.isClosed) return;
    this.#socket = undefined;
    this.#options.log.info({ graceMs: this.#options.resumeGraceMs }, 'socket lost, place kept');
    this.participant.update({ isConnected: false });
    this.#graceTimer = setTimeout(() => void this.participant.close('timeout'), this.#options.resumeGraceMs).unref();
  }

  /** One message of the client; answers it whatever happens. */
  async receive(text: string): Promise<void> {
    let id: number | null = null;
    this.#previousTicket = undefined;
    try {
      const request = parseRequest(text);
      id = request.id;
      if (this.isClosed) throw new GatewayError('closed', 'This session has ended.');
      if (this.#inFlight >= maxRequestsInFlight) {
        throw new GatewayError('rate_limited', 'Too many requests at once; wait for answers.', { retryAfterMs: 1_000 });
      }
      this.#inFlight += 1;
      try {
        this.#write({ id, ok: true, data: await this.#dispatch(request.method, request.data) });
      } finally {
        this.#inFlight -= 1;
      }
    } catch (thrown) {
      const error = errorInfo(thrown);
      this.#options.counters.failed(error.code);
      if (error.code === 'internal') this.#options.log.error({ err: thrown }, 'request failed');
      else this.#options.log.debug({ code: error.code, detail: error.message }, 'request refused');
      this.#write({ id, ok: false, error });
    }
  }

  /** Tells the client that it will have to go; null: that it may stay after all. */
  announceDrain(closesInMs: number | null): void {
    this.#emit('draining', { closesInMs });
  }

  async #dispatch(method: string, data: unknown): Promise<unknown> {
    if (method === 'leave') {
      // The answer goes out first: closing the participant closes the socket.
      queueMicrotask(() => void this.participant.close('peer_left'));
      return {};
    }
    if (method === 'join' || method === 'resume')
      throw new GatewayError('conflict', 'This socket is in a room already.');
    if (!Object.hasOwn(handlers, method)) {
      throw new GatewayError('not_found', `There is no method "${method}".`);
    }
    return callHandler(method as SessionMethod, this.#context, data);
  }

  #listen(): void {
    const { participant } = this;
    const { room } = participant;
    const audience = this.#audience;
    const news = this.#news;
    this.#detachers.push(
      listen(room.events, {
        participantJoined: (other) => void audience.meet(other),
        participantUpdated: (other) => {
          if (audience.meet(other)) this.#emit('participantUpdated', { participant: participantInfo(other) });
          if (other !== participant) return;
          audience.review();
          news.review();
        },
        participantLeft: (other, reason) => {
          if (audience.forget(other) && other !== participant) {
            this.#emit('participantLeft', { participantId: other.id, reason });
          }
        },
        publicationAdded: (publication) => {
          if (publication.participant === participant) this.#watchPublication(publication);
          audience.meet(publication.participant);
          news.add(publication);
        },
        publicationUpdated: (publication) => news.update(publication),
        publicationRemoved: (publication, reason) => news.remove(publication, reason),
        dataPublicationAdded: (publication) => {
          audience.meet(publication.participant);
          this.#emit('dataPublicationAdded', { publication: dataPublicationInfo(publication) });
        },
        dataPublicationRemoved: ({ id, participant: owner }) => {
          this.#emit('dataPublicationRemoved', { publicationId: id, participantId: owner.id });
        },
        dtmfReceived: ({ id: participantId }, digit) => this.#emit('digitPressed', { participantId, digit }),
        activeSpeakerChanged: (participantId) => this.#emit('activeSpeaker', { participantId }),
        levelsMeasured: (levels) => {
          this.#emitTransient('levels', {
            levels: levels.map(({ publication, levelDbov }) => ({
              participantId: publication.participant.id,
              publicationId: publication.id,
              levelDbov,
            })),
          });
        },
        chatSent: (message) => {
          if (message.to === 'all' || message.to === participant.id || message.from?.id === participant.id) {
            this.#emit('chat', chatInfo(message));
          }
        },
        updated: () => {
          this.#emit('roomUpdated', { room: roomInfo(room) });
          audience.review();
          news.review();
        },
        recordingChanged: () => this.#emit('roomUpdated', { room: roomInfo(room) }),
      }),
      listen(participant.events, {
        mediaRestarted: () => this.#emit('restart', {}),
        bandwidthEstimated: (availableOutgoingBps) => this.#emitTransient('bandwidth', { availableOutgoingBps }),
        subscribed: (subscription) => this.#watchSubscription(subscription),
        dataSubscriptionEnded: ({ id }) => this.#emit('dataSubscriptionEnded', { subscriptionId: id }),
        closed: (reason) => void this.close(reason),
      }),
    );
  }

  #watchPublication(publication: Publication): void {
    publication.events.on('watchedChanged', (isWatched) => {
      this.#emit('publicationWatched', { publicationId: publication.id, isWatched });
    });
  }

  #watchSubscription(subscription: Subscription): void {
    subscription.events.on('updated', () => {
      this.#emit('subscriptionUpdated', {
        subscriptionId: subscription.id,
        isHeldBack: subscription.isHeldBack,
        currentLayers: subscription.currentLayers,
        score: subscription.score,
        format: subscription.formats?.format ?? null,
      });
    });
    subscription.events.on('redirected', () => {
      this.#emit('subscriptionRedirected', { subscription: subscriptionInfo(subscription) });
    });
    subscription.events.on('closed', (reason) => {
      this.#emit('subscriptionEnded', { subscriptionId: subscription.id, reason });
    });
  }

  #emit<E extends EventName>(event: E, data: EventMap[E]): void {
    if (this.isClosed) return;
    const seq = this.#outbox.push({ event, data });
    this.#write({ event, seq, data } as ServerMessage);
  }

  /** Measurements that are worth nothing later: not numbered, not replayed. */
  #emitTransient<E extends EventName>(event: E, data: EventMap[E]): void {
    if (!this.isClosed) this.#write({ event, data } as ServerMessage);
  }

  #write(message: ServerMessage): void {
    const socket = this.#socket;
    if (!socket) return;
    if (socket.bufferedBytes > maxBufferedBytes) {
      this.#options.log.warn({ bufferedBytes: socket.bufferedBytes }, 'client reads too slowly, socket cut');
      socket.terminate();
      return;
    }
    socket.send(JSON.stringify(message));
  }

  protected override onClose(reason: CloseReason): void {
    clearTimeout(this.#graceTimer);
    this.#context.views.closeAll();
    this.#context.transcodes.closeAll();
    this.#lobby.close();
    for (const detach of this.#detachers) detach();
    const message = closedMessages[reason] ?? `The session ended (${reason}).`;
    const code = reason === 'drained' ? closeCodes.serverClosing : closeCodes.ended;
    this.#write({ event: 'closed', data: { reason, message } });
    this.#socket?.close(code, message);
    this.#socket = undefined;
    void this.participant.close(reason);
  }
}

function newTicket(): string {
  return `TK_${randomText(32)}`;
}

export function parseRequest(text: string): { id: number; method: string; data: unknown } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError('invalid_request', 'A message is one JSON object.', { cause });
  }
  return validate(requestEnvelope, json);
}

export function validate<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const fields = result.error.issues.slice(0, 10).map((issue) => ({
    path: issue.path.join('.'),
    message: issue.message,
  }));
  const where = fields[0]?.path ? ` (${fields[0].path}: ${fields[0].message})` : ` (${fields[0]?.message ?? ''})`;
  throw new GatewayError('invalid_request', `That message does not fit the protocol${where}.`, { fields });
}

function callHandler<M extends SessionMethod>(method: M, context: RequestContext, data: unknown): unknown {
  // The schema of M parses to the data of M; TypeScript cannot see that through the two mapped types.
  const parsed = validate(requestSchemas[method], data) as Parameters<(typeof handlers)[M]>[1];
  return handlers[method](context, parsed as never);
}
