// Owns: sockets of plain SDP clients from their first message on: who may join, and the sessions that there are.
// May import: core and its siblings here.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { partyOf } from '#core/grants.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { type Meetings, waitMessages } from '#core/meetings.ts';
import type { AuthPort, IceServerPort, Logger, RateLimiter } from '#core/ports.ts';
import type { WaitNews } from '#core/waiting.ts';
import { closeCodes, parseMessage, type ServerMessage } from './plain-protocol.ts';
import { PlainSession, type PlainSocket } from './plain-session.ts';
import type { SessionTimeouts } from './session.ts';

export interface PlainSdpOptions {
  readonly meetings: Meetings;
  readonly auth: AuthPort;
  readonly ice: IceServerPort;
  readonly limiter: RateLimiter;
  readonly timeouts: SessionTimeouts;
  readonly log: Logger;
}

/** Messages that may come before the answer to `join`. */
const maxEarlyMessages = 20;

export class PlainSdp extends Owned {
  readonly #options: PlainSdpOptions;
  readonly #sessions = new Set<PlainSession>();
  #isDraining = false;

  constructor(options: PlainSdpOptions) {
    super();
    this.#options = options;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  /** Takes a socket over; its first message has to be `join`. */
  handle(socket: PlainSocket, firstMessage: string, peer: { readonly address: string }): void {
    const early: string[] = [];
    let session: PlainSession | undefined;
    let isGone = false;
    socket.onMessage((text) => {
      if (session) session.receive(text);
      else if (early.length < maxEarlyMessages) early.push(text);
    });
    const left = new AbortController();
    socket.onClose(() => {
      isGone = true;
      left.abort();
      void session?.close('peer_left');
    });
    const log = this.#options.log.child({ address: peer.address });
    this.#join(socket, firstMessage, peer.address, log, { isGone: () => isGone, signal: left.signal }).then(
      (joined) => {
        session = joined;
        for (const text of early) joined.receive(text);
      },
      (thrown: unknown) => refuse(socket, thrown, log),
    );
  }

  async #join(
    socket: PlainSocket,
    firstMessage: string,
    address: string,
    log: Logger,
    { isGone, signal }: { isGone: () => boolean; signal: AbortSignal },
  ): Promise<PlainSession> {
    const { meetings, auth, ice, limiter, timeouts } = this.#options;
    const message = parseMessage(firstMessage);
    if (message.type !== 'join') throw new GatewayError('unauthorized', 'The first message has to be a join.');
    if (this.#isDraining || this.isClosed) {
      throw new GatewayError('draining', 'This server is being drained and takes no new participants.');
    }
    limiter.consume(address);
    const grant = await auth.authorizeJoin(message.token, message.roomId, address);
    const party = { ...partyOf(grant), displayName: message.name ?? grant.displayName };
    const { room, role } = await meetings.enter({
      ...{ room: message.roomId, mayCreate: grant.mayCreateRoom, party: { kind: 'webrtc', ...party } },
      hasConsented: message.hasConsented ?? false,
      wait: { signal, tell: (news) => tellWaiting(socket, news) },
    });
    auth.assertNotRevoked(grant);
    if (isGone() || this.isClosed) throw new GatewayError('closed', 'The socket closed while joining.');
    const participant = room.join({
      kind: 'webrtc',
      ...party,
      role,
    });
    const sessionLog = log.child({ room: room.name, participant: participant.id });
    const session = this.own(
      new PlainSession({ socket, participant, ice, timeouts, log: sessionLog, isServerClosing: () => this.isClosed }),
    );
    this.#sessions.add(session);
    void session.done.then(() => this.#sessions.delete(session));
    session.start();
    return session;
  }

  protected override onClose(_reason: CloseReason): void {
    this.#sessions.clear();
  }
}

function tellWaiting(socket: PlainSocket, { reason, position, count }: WaitNews): void {
  const message: ServerMessage = { type: 'waiting', reason, message: waitMessages[reason], position, count };
  socket.send(JSON.stringify(message));
}

function refuse(socket: PlainSocket, thrown: unknown, log: Logger): void {
  const error = toGatewayError(thrown);
  if (error.code === 'internal') log.error({ err: thrown }, 'join failed');
  else log.info({ code: error.code, detail: error.message }, 'join refused');
  const message: ServerMessage = { type: 'error', code: error.code, message: error.message, about: 'join' };
  socket.send(JSON.stringify(message));
  socket.close(closeCodes.notJoined, error.code);
}
