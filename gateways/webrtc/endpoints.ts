// Owns: who may publish by WHIP or play by WHEP, and the sessions that there are. May import: core and its siblings here.
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError } from '#core/errors.ts';
import { type JoinGrant, partyOf } from '#core/grants.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Arrival, Meetings } from '#core/meetings.ts';
import type { OnDemandMedia } from '#core/on-demand.ts';
import type { AuthPort, Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import type { StreamFormat } from '#core/stream-format.ts';
import type { TranscodePort } from '#core/transcode-port.ts';
import type { ViewPort } from '#core/view-port.ts';
import type { HttpSession } from './http-session.ts';
import { FormattedPlay } from './play-format.ts';
import { nothingToPlay, type PlaySource, RoomPlay } from './play-source.ts';
import { parseSdp } from './sdp-parse.ts';
import type { Endpoint, OpenRequest } from './server.ts';
import { ViewPlay } from './view-play.ts';
import { WhepSession, type WhepTimeouts } from './whep-session.ts';
import type { PlayTarget } from './whep-target.ts';
import { WhipSession } from './whip-session.ts';

export interface EndpointOptions {
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly auth: AuthPort;
  /** Without it there are no views to play. */
  readonly views?: ViewPort | undefined;
  /** Without it streams are played as they are. */
  readonly transcodes?: TranscodePort | undefined;
  readonly timeouts: WhepTimeouts;
  readonly maxSessions: number;
  readonly log: Logger;
  /** What is brought into rooms only while somebody wants it. */
  readonly onDemand?: OnDemandMedia | undefined;
}

/** Whoever gave the token to an encoder or player has answered for it; it is told to come again, as it cannot wait. */
function arrivalOf({ room }: OpenRequest, grant: JoinGrant): Arrival {
  return { room, mayCreate: grant.mayCreateRoom, party: { kind: 'webrtc', ...partyOf(grant) }, hasConsented: true };
}

abstract class SessionEndpoint extends Owned implements Endpoint {
  abstract readonly protocol: 'whip' | 'whep';
  protected readonly options: EndpointOptions;
  readonly #sessions = new Map<string, HttpSession>();
  #opening = 0;

  constructor(options: EndpointOptions) {
    super();
    this.options = options;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  find(sessionId: string): HttpSession | undefined {
    return this.#sessions.get(sessionId);
  }

  async open(request: OpenRequest): Promise<HttpSession> {
    if (this.#sessions.size + this.#opening >= this.options.maxSessions) {
      throw new GatewayError('overloaded', `This server holds ${this.options.maxSessions} such sessions already.`, {
        retryAfterMs: 10_000,
      });
    }
    this.#opening += 1;
    try {
      const session = await this.start(request);
      if (this.isClosed) await session.close('parent_closed');
      if (session.isClosed) throw new GatewayError('closed', 'The session ended while it was set up.');
      this.#sessions.set(session.id, session);
      this.own(session);
      // At once when it begins to end: DELETE twice answers 404 the second time.
      session.signal.addEventListener('abort', () => this.#sessions.delete(session.id), { once: true });
      return session;
    } finally {
      this.#opening -= 1;
    }
  }

  protected abstract start(request: OpenRequest): Promise<HttpSession>;

  protected override onClose(_reason: CloseReason): void {
    this.#sessions.clear();
  }
}

export class WhipEndpoint extends SessionEndpoint {
  override readonly protocol = 'whip';

  protected override async start(request: OpenRequest): Promise<WhipSession> {
    const { meetings, auth, timeouts, log } = this.options;
    const grant = await auth.authorizeJoin(request.credential, request.room, request.address);
    const offer = parseSdp(await request.readOffer());
    const { room, role } = await meetings.enter(arrivalOf(request, grant));
    const join = () => room.join({ kind: 'webrtc', ...partyOf(grant), role });
    return WhipSession.create(room, join, offer, timeouts, log);
  }
}

export class WhepEndpoint extends SessionEndpoint {
  override readonly protocol = 'whep';

  protected override async start(request: OpenRequest): Promise<WhepSession> {
    const { rooms, meetings, auth, timeouts, log, onDemand } = this.options;
    const grant = await auth.authorizeJoin(request.credential, request.room, request.address);
    const target: PlayTarget =
      request.stream === undefined ? { kind: 'room' } : { kind: 'named', name: request.stream };
    const offer = parseSdp(await request.readOffer());
    const { record } = await rooms.get(request.room);
    const demand = onDemand?.want(record.id);
    try {
      // A room that is not open has nothing to play, and is not opened for players that wait for publishers.
      if (!rooms.live(record.id) && !demand) throw nothingToPlay(record.name, target);
      const { room, role } = await meetings.enter(arrivalOf(request, { ...grant, mayCreateRoom: false }));
      const source = this.#sourceFor(room, request, target);
      if (demand) {
        const isOver = delay(timeouts.onDemandWaitMs, undefined, { ref: false });
        await source.becomesPlayable(Promise.race([demand.settled, isOver]));
      }
      const join = () => room.join({ kind: 'webrtc', ...partyOf(grant), role, isHidden: true });
      return await WhepSession.create(room, join, offer, source, timeouts, log);
    } finally {
      // The player itself counts as somebody from now on.
      demand?.release();
    }
  }

  #formatted(source: PlaySource, format: StreamFormat | undefined): PlaySource {
    const { transcodes, log } = this.options;
    if (!format) return source;
    if (!transcodes) throw new GatewayError('not_found', 'This server transcodes nothing.');
    return new FormattedPlay(source, format, transcodes, log);
  }

  #sourceFor(room: Room, { view, format }: OpenRequest, target: PlayTarget): PlaySource {
    if (view === undefined) return this.#formatted(new RoomPlay(room, target), format);
    const { views } = this.options;
    if (!views) throw new GatewayError('not_found', 'This server composes no views.');
    return new ViewPlay(room, views, view, format);
  }
}
