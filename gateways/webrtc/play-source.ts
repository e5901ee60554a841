// Owns: what a WHEP player gets to see and hear: somebody's streams here, views beside. May import: core and siblings.
import { GatewayError } from '#core/errors.ts';
import { listen } from '#core/listen.ts';
import type { Room } from '#core/room.ts';
import type { MediaKind, RtpCapabilities } from '#core/rtp.ts';
import type { FormatControl, Publication } from '#core/track.ts';
import { choosePlay, type PlayCandidate, type PlayMemory, type PlayTarget } from './whep-target.ts';

export type Played = Readonly<Partial<Record<MediaKind, Publication>>>;

export interface PlaySource {
  /** @throws GatewayError `not_found`, to be tried again: players start before publishers */
  assertPlayable(): void;
  /** Waits until there is something, or `isOver` says that there will not be. */
  becomesPlayable(isOver: Promise<unknown>): Promise<void>;
  /**
   * Called once, with what the player can decode.
   * @throws GatewayError `no_common_codec`, `not_found`, `overloaded`, `media_lost`
   */
  prepare(kinds: ReadonlySet<MediaKind>, capabilities: RtpCapabilities): Promise<void>;
  /** Asked again after every change in the room. @param without streams that the player cannot decode */
  choose(without: WeakSet<Publication>): Played;
  /** Of the picture that is played. Absent: it comes as it is. */
  readonly formats?: FormatControl;
  /** Set by who plays it: something else is to be chosen, although nothing has come or gone in the room. */
  onChanged?: () => void;
  /** Set by who plays it: there will be nothing more. */
  onEnded?: () => void;
  close(): void;
}

interface Candidate extends PlayCandidate {
  readonly publication: Publication;
}

/** One participant's streams: whom the player named, or who speaks. */
export class RoomPlay implements PlaySource {
  readonly #room: Room;
  readonly #target: PlayTarget;
  #memory: PlayMemory | undefined;

  constructor(room: Room, target: PlayTarget) {
    this.#room = room;
    this.#target = target;
  }

  assertPlayable(): void {
    const { audio, video } = this.#chosen(new WeakSet());
    if (!audio && !video) throw nothingToPlay(this.#room.name, this.#target);
  }

  async becomesPlayable(isOver: Promise<unknown>): Promise<void> {
    const found = Promise.withResolvers<void>();
    const look = () => {
      const { audio, video } = this.#chosen(new WeakSet());
      if (audio || video) found.resolve();
    };
    const unlisten = listen(this.#room.events, { publicationAdded: look, closed: () => found.resolve() });
    look();
    await Promise.race([found.promise, isOver]);
    unlisten();
  }

  async prepare(): Promise<void> {
    // Streams are taken as they are.
  }

  choose(without: WeakSet<Publication>): Played {
    const { audio, video, memory } = this.#chosen(without);
    this.#memory = memory;
    return { ...(audio && { audio: audio.publication }), ...(video && { video: video.publication }) };
  }

  close(): void {
    // Nothing was made for it.
  }

  #chosen(without: WeakSet<Publication>) {
    const candidates = candidatesOf(this.#room, without);
    return choosePlay(this.#target, candidates, this.#room.activeSpeaker, this.#memory);
  }
}

function candidatesOf(room: Room, without: WeakSet<Publication>): Candidate[] {
  return [...room.publications()]
    .filter((publication) => !without.has(publication) && !publication.isClosed && !publication.participant.isHidden)
    .map((publication) => ({
      publication,
      publicationId: publication.id,
      participantId: publication.participant.id,
      user: publication.participant.user,
      kind: publication.kind,
      source: publication.source,
      startedAtMs: publication.startedAtMs,
    }));
}

export function nothingToPlay(roomName: string, target: PlayTarget): GatewayError {
  const what = target.kind === 'named' ? `"${target.name.slice(0, 64)}" publishes nothing` : 'Nobody publishes';
  return new GatewayError('not_found', `${what} in the room "${roomName}" at the moment; try again later.`, {
    retryAfterMs: 2_000,
  });
}
