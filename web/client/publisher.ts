// Owns: all that this client sends. May import: its siblings.
import type { EventMap, ParticipantInfo, PublicationInfo } from '#signalling/protocol.ts';
import type { ClientError } from './errors.ts';
import { LocalPublication, type LocalPublicationHost, type PublishOptions } from './local-publication.ts';
import type { MediaSession } from './media-session.ts';
import type { LocalPublicationView } from './room-state.ts';
import type { Requester } from './signalling-socket.ts';

export interface PublisherOptions {
  readonly requester: Requester;
  readonly onChanged: (views: ReadonlyMap<string, LocalPublicationView>) => void;
  /** Not by `unpublish()`: the server, a moderator or a refusal ended it. */
  readonly onEnded: (publication: LocalPublication) => void;
}

/** A stream that the server dropped without a `restart` to follow is sent again after this. */
const republishDelayMs = 2_000;
/** Events that a resume replays are in by then. */
const reconcileDelayMs = 500;

export class Publisher implements LocalPublicationHost {
  readonly #options: PublisherOptions;
  readonly #publications = new Map<string, LocalPublication>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #media: MediaSession | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  get media(): MediaSession | undefined {
    return this.#media;
  }

  get publications(): Iterable<LocalPublication> {
    return this.#publications.values();
  }

  get request(): Requester['request'] {
    return (method, data) => this.#options.requester.request(method, data);
  }

  /** @throws ClientError `forbidden`, `limit_reached`, `no_common_codec` … the server's refusal of the first publish */
  async publish(track: MediaStreamTrack, options: PublishOptions): Promise<LocalPublication> {
    const publication = new LocalPublication(this, track, options);
    this.#publications.set(publication.key, publication);
    void publication.sync();
    await publication.published;
    return publication;
  }

  /** New transports: everything is sent again, under the ids it had. */
  attach(media: MediaSession): void {
    this.#media = media;
    for (const publication of this.#publications.values()) void publication.sync();
  }

  detach(): void {
    this.#media = undefined;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const publication of this.#publications.values()) publication.detach();
  }

  /** Joined as somebody new. */
  forgetIds(): void {
    for (const publication of this.#publications.values()) publication.forgetId();
  }

  /** After `resume`, once the events that were missed, which may speak of our own streams, are in. */
  resumed(self: () => ParticipantInfo | undefined): void {
    this.#later(reconcileDelayMs, () => this.#reconcile(self));
  }

  /**
   * Requests may have been done whose answers were lost. What the room has of ours and we do not know
   * is withdrawn, and what we want and the room lacks is sent.
   */
  #reconcile(self: () => ParticipantInfo | undefined): void {
    // One that is being published now is not known by its id yet, and no stray.
    if ([...this.#publications.values()].some(({ isAnnouncing }) => isAnnouncing)) {
      this.#later(reconcileDelayMs, () => this.#reconcile(self));
      return;
    }
    const known = new Set([...this.#publications.values()].map(({ publicationId }) => publicationId));
    for (const { id } of self()?.publications ?? []) {
      if (!known.has(id)) void this.request('unpublish', { publicationId: id }).catch(ignoreGone);
    }
    for (const publication of this.#publications.values()) void publication.sync();
  }

  reflect(info: PublicationInfo): void {
    this.#byId(info.id)?.reflect(info);
  }

  setWatched({ publicationId, isWatched }: EventMap['publicationWatched']): void {
    this.#byId(publicationId)?.setWatched(isWatched);
  }

  /** The server has ended a stream of ours. */
  removed({ publicationId, reason }: EventMap['publicationRemoved']): void {
    const publication = this.#byId(publicationId);
    if (!publication) return;
    if (reason === 'kicked' || reason === 'requested') {
      publication.end();
      this.#options.onEnded(publication);
      return;
    }
    publication.detach();
    // Usually `restart` comes next and brings new transports; if it does not, the stream alone was lost.
    this.#later(republishDelayMs, () => void publication.sync());
  }

  close(why: ClientError): void {
    this.detach();
    for (const publication of [...this.#publications.values()]) publication.end(why);
  }

  publicationChanged(publication: LocalPublication): void {
    if (!publication.isEnded) this.#tell();
  }

  publicationEnded(publication: LocalPublication): void {
    this.#publications.delete(publication.key);
    this.#tell();
  }

  publicationRefused(publication: LocalPublication): void {
    this.#options.onEnded(publication);
  }

  #later(delayMs: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }

  #byId(id: string): LocalPublication | undefined {
    return [...this.#publications.values()].find((publication) => publication.publicationId === id);
  }

  #tell(): void {
    this.#options.onChanged(new Map([...this.#publications].map(([key, publication]) => [key, publication.view])));
  }
}

/** A stray stream that is gone by itself is what was wanted. */
function ignoreGone(): undefined {
  return undefined;
}
