// Owns: one plain SDP client in one room: its socket, its place, and whose turn it is to describe media.
// May import: core and its siblings here.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { listen } from '#core/listen.ts';
import type { Participant } from '#core/participant.ts';
import type { IceServerPort, Logger } from '#core/ports.ts';
import { PlainConnection } from './plain-connection.ts';
import { plainParticipant, tellOfOthers } from './plain-notices.ts';
import {
  type ClientMessage,
  type ClientMessageOf,
  closeCodes,
  type OfferReason,
  parseMessage,
  type ServerMessage,
} from './plain-protocol.ts';
import { PlainPublisher } from './plain-publisher.ts';
import { parseSdp } from './sdp-parse.ts';
import type { SessionTimeouts } from './session.ts';

/** A WebSocket as this part sees it; src/signalling hands one over with its first message. */
export interface PlainSocket {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Every text message after the first. */
  onMessage(listener: (text: string) => void): void;
  onClose(listener: () => void): void;
}

export interface PlainSessionOptions {
  readonly socket: PlainSocket;
  readonly participant: Participant;
  readonly ice: IceServerPort;
  readonly timeouts: SessionTimeouts;
  readonly log: Logger;
  readonly isServerClosing: () => boolean;
}

/** What one participant publishes comes track by track; so long it is gathered into one offer. */
const gatherMs = 50;
/** An offer of ours that is not answered in this time is sent again. */
const answerTimeoutMs = 10_000;
const offerTries = 3;
/** Connections in a row that never came up, until the session ends. */
const maxFailedConnections = 3;
/** What a client may have sent before the messages ahead of it have had their turn. */
const maxWaitingMessages = 500;
const maxWaitingCharacters = 1_000_000;

const layerCaps = { low: 0, medium: 1, high: Number.POSITIVE_INFINITY } as const;

const closedMessages: Partial<Record<CloseReason, string>> = {
  ended: 'The meeting has reached its end.',
  kicked: 'A moderator has removed you from the room.',
  parent_closed: 'The room has been closed.',
  timeout: 'No media connection came up, or an offer was not answered.',
};

/**
 * One negotiation at a time. Everything that describes media, from the client or from the room, goes through one queue:
 * ```
 *   stable ──client's offer──▶ answer ──▶ stable
 *   stable ──something is new in the room──▶ our offer ──client's answer──▶ stable
 *   our offer ──client's offer (glare)──▶ ours is taken back, answer ──▶ stable ──▶ our offer again
 * ```
 * The client is the impolite peer of RFC 9429's perfect negotiation: it ignores an offer that meets its own.
 */
export class PlainSession extends Owned {
  readonly participant: Participant;
  readonly #options: PlainSessionOptions;
  readonly #publisher: PlainPublisher;
  readonly #detachers: (() => void)[] = [];
  #connection: PlainConnection | undefined;
  #quality: keyof typeof layerCaps = 'high';
  #queue: Promise<void> = Promise.resolve();
  #waiting = 0;
  #waitingCharacters = 0;
  #gatherTimer: NodeJS.Timeout | undefined;
  #answerTimer: NodeJS.Timeout | undefined;
  #offerId = 0;
  #failedConnections = 0;

  constructor(options: PlainSessionOptions) {
    super();
    this.#options = options;
    this.participant = options.participant;
    this.#publisher = new PlainPublisher(options.participant, options.log);
    this.#listen();
  }

  /** Says what there is and asks for the first offer. */
  start(): void {
    const { participant } = this;
    const { room } = participant;
    this.#send({
      type: 'joined',
      participantId: participant.id,
      roomId: room.id,
      roomName: room.name,
      participants: room.visibleParticipants.filter((other) => other !== participant).map(plainParticipant),
      iceServers: this.#options.ice.iceServersFor(participant.id),
    });
    this.#requestOffer('join');
  }

  /** One message of the client, as text. */
  receive(text: string): void {
    if (this.#waiting >= maxWaitingMessages || this.#waitingCharacters + text.length > maxWaitingCharacters) {
      this.#options.socket.close(closeCodes.tooManyMessages, 'too many messages');
      void this.close('failed');
      return;
    }
    let about: string | undefined;
    this.#waitingCharacters += text.length;
    this.#enqueue(
      async () => {
        this.#waitingCharacters -= text.length;
        const message = parseMessage(text);
        about = message.type;
        await this.#handle(message);
      },
      () => about,
    );
  }

  #enqueue(job: () => Promise<void>, about: () => string | undefined = () => undefined): void {
    this.#waiting += 1;
    this.#queue = this.#queue.then(async () => {
      this.#waiting -= 1;
      if (this.isClosed) return;
      try {
        await job();
      } catch (thrown) {
        this.#sendError(thrown, about());
      }
    });
  }

  async #handle(message: ClientMessage): Promise<void> {
    switch (message.type) {
      case 'join':
        throw new GatewayError('conflict', 'You have joined already.');
      case 'offer':
        return this.#onOffer(message);
      case 'answer':
        return this.#onAnswer(message);
      case 'ice-candidate':
        // A half ICE agent learns addresses from the checks that it gets (RFC 8445 §2.5).
        return;
      case 'start-screen-share':
        this.#publisher.awaitScreen();
        return this.#requestOffer('screen-share');
      case 'stop-screen-share':
        this.#publisher.forgetScreen();
        await this.#connection?.stopScreen();
        // A client that says it in SDP too comes first; one that does not is told to send no more.
        return this.#scheduleOffer();
      case 'update-quality':
        this.#quality = message.quality;
        return this.#connection?.reviewLayers();
      case 'leave':
        void this.close('requested');
        return;
      default:
        message satisfies never;
    }
  }

  async #onOffer({ sdp, sources = {} }: ClientMessageOf<'offer'>): Promise<void> {
    const offer = parseSdp(sdp);
    clearTimeout(this.#answerTimer);
    if (!this.#connection?.isContinuedBy(offer)) {
      const old = this.#connection;
      this.#connection = undefined;
      await old?.close('replaced');
      this.#connection = this.#watch(
        await PlainConnection.create(
          {
            participant: this.participant,
            publisher: this.#publisher,
            timeouts: this.#options.timeouts,
            log: this.#options.log,
            layerCap: () => layerCaps[this.#quality],
            onRefused: (error) => this.#sendError(error, 'offer'),
          },
          offer,
        ),
      );
    }
    const connection = this.#connection;
    this.#send({ type: 'answer', ...(await connection.answer(offer, sources)) });
    connection.resumeAnswered();
    this.#scheduleOffer();
  }

  async #onAnswer({ sdp, offerId }: ClientMessageOf<'answer'>): Promise<void> {
    // The answer to an offer that was taken back or sent twice has nothing to say any more.
    if (offerId !== undefined && offerId !== this.#offerId) return;
    if (!this.#connection?.isProposing) {
      if (offerId !== undefined) return;
      throw new GatewayError(
        'conflict',
        'There is no offer to answer: another of yours has met it. Wait for the next.',
      );
    }
    await this.#connection.settle(sdp);
    clearTimeout(this.#answerTimer);
    this.#scheduleOffer();
  }

  #watch(connection: PlainConnection): PlainConnection {
    this.own(connection);
    void connection.done.then(() => {
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#onConnectionLost(connection);
    });
    return connection;
  }

  #onConnectionLost({ hasConnected }: PlainConnection): void {
    clearTimeout(this.#answerTimer);
    if (this.isClosed) return;
    this.#failedConnections = hasConnected ? 0 : this.#failedConnections + 1;
    if (this.#failedConnections >= maxFailedConnections) void this.close('timeout');
    else if (this.#hasMedia()) this.#requestOffer('connection-lost');
  }

  /** Not while the room's media is being rebuilt: `restart` follows. */
  #hasMedia(): boolean {
    try {
      return !this.participant.room.media.isClosed;
    } catch {
      return false;
    }
  }

  #scheduleOffer(): void {
    if (this.#gatherTimer || this.isClosed) return;
    this.#gatherTimer = setTimeout(() => {
      this.#gatherTimer = undefined;
      this.#enqueue(() => this.#propose());
    }, gatherMs).unref();
  }

  async #propose(): Promise<void> {
    const connection = this.#connection;
    // While one is unanswered the next waits: the answer schedules it.
    if (!connection || connection.isProposing) return;
    const proposal = await connection.propose();
    if (!proposal || connection.isClosed) return;
    this.#offerId += 1;
    this.#sendOffer({ type: 'offer', offerId: this.#offerId, ...proposal }, 1);
  }

  #sendOffer(offer: ServerMessage, attempt: number): void {
    this.#send(offer);
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => {
      if (attempt < offerTries) this.#sendOffer(offer, attempt + 1);
      else void this.close('timeout');
    }, answerTimeoutMs).unref();
  }

  #requestOffer(reason: OfferReason): void {
    this.#send({ type: 'request-offer', reason });
  }

  #listen(): void {
    const { participant } = this;
    this.#detachers.push(
      listen(participant.events, {
        mediaRestarted: () => this.#requestOffer('restart'),
        updated: () => this.#scheduleOffer(),
        closed: (reason) => void this.close(reason),
      }),
      tellOfOthers(participant, {
        send: (message) => this.#send(message),
        streamsChanged: () => this.#scheduleOffer(),
      }),
    );
  }

  #send(message: ServerMessage): void {
    this.#options.socket.send(JSON.stringify(message));
  }

  #sendError(thrown: unknown, about: string | undefined): void {
    const error = toGatewayError(thrown);
    if (error.code === 'internal') this.#options.log.error({ err: thrown, about }, 'message failed');
    else this.#options.log.info({ code: error.code, about, detail: error.message }, 'message refused');
    this.#send({ type: 'error', code: error.code, message: error.message, about });
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#gatherTimer);
    clearTimeout(this.#answerTimer);
    for (const detach of this.#detachers) detach();
    const message = this.#options.isServerClosing() ? undefined : closedMessages[reason];
    if (message) this.#send({ type: 'error', code: reason === 'timeout' ? 'timeout' : 'closed', message });
    const { socket, isServerClosing } = this.#options;
    socket.close(isServerClosing() ? closeCodes.serverClosing : closeCodes.ended, reason);
    this.#options.log.info({ reason }, 'session ended');
    await this.participant.close(reason);
  }
}
