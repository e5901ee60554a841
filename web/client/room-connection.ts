// Owns: one participant in one room, for pages and scripts: what they may do and what they are told.
// May import: its siblings; of the server only types and constants of the signalling protocol.
import type { ParticipantInfo, PublicationInfo, RequestData } from '#signalling/protocol.ts';
import { DataHub, type LocalData, type PublishDataOptions } from './data-hub.ts';
import { Emitter } from './emitter.ts';
import { ClientError, toClientError } from './errors.ts';
import { type EventRoutes, routeEvent } from './event-routes.ts';
import type { LocalPublication, PublishOptions } from './local-publication.ts';
import { MediaKeeper } from './media-keeper.ts';
import { Publisher } from './publisher.ts';
import type { RoomConnectionEvents, RoomConnectionOptions, VideoView } from './room-connection-types.ts';
import { applyEvent, enterRoom, initialState, type RoomState, type SubscriptionView } from './room-state.ts';
import { SessionLink } from './session-link.ts';
import type { ServerEvent } from './signalling-socket.ts';
import { type ConnectionStats, type RawStat, StatsSampler } from './stats.ts';
import { Store } from './store.ts';
import { Subscriber } from './subscriber.ts';
import type { Layers } from './subscription-wishes.ts';
import { ViewFollower } from './view-follower.ts';

/**
 * ```ts
 * const room = new RoomConnection({ room: 'demo', token });
 * room.state.subscribe((state) => render(state));
 * await room.join();
 * const camera = await room.publish(track, { source: 'camera' });
 * ```
 * Lost sockets, changed networks and dead media servers are its own business: what was published and received comes back
 * by itself, under the same ids where the server still knows them. It ends only by `leave()`, a kick, the end of the room
 * or a server that stays away; then `state.phase` is `ended` and `state.end` says why.
 */
export class RoomConnection {
  readonly state = new Store<RoomState>(initialState);
  readonly events = new Emitter<RoomConnectionEvents>();
  readonly #options: RoomConnectionOptions;
  readonly #link: SessionLink;
  readonly #media: MediaKeeper;
  readonly #publisher: Publisher;
  readonly #subscriber: Subscriber;
  readonly #data: DataHub;
  readonly #view: ViewFollower;
  readonly #routes: EventRoutes;
  readonly #sampler = new StatsSampler();
  #displayName: string | undefined;
  #attributes: Record<string, string> | undefined;
  #avatar: string | null = null;

  constructor(options: RoomConnectionOptions) {
    this.#options = options;
    this.#displayName = options.displayName;
    const { token } = options;
    this.#link = new SessionLink({
      url: options.url ?? ownServerUrl(),
      room: options.room,
      token: typeof token === 'function' ? token : () => token,
      displayName: () => this.#displayName,
      hasConsented: () => options.hasConsented ?? false,
      connectTimeoutMs: options.connectTimeoutMs ?? 6_000,
      requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
      maxAttempts: options.maxAttempts ?? 60,
    });
    const requester = this.#link;
    this.#publisher = new Publisher({
      requester,
      onChanged: (local) => this.state.patch({ local }),
      onEnded: (publication) => this.events.emit('publicationEnded', publication.view),
    });
    this.#subscriber = new Subscriber({
      requester,
      wanted: () => this.#wantedPublications(),
      onChanged: (subscriptions, failedSubscriptions) => this.state.patch({ subscriptions, failedSubscriptions }),
      onAdded: (subscription) => this.events.emit('trackAdded', subscription),
      onRemoved: (subscription) => {
        this.#view.removed(subscription.publicationId);
        this.events.emit('trackRemoved', subscription);
      },
    });
    this.#view = new ViewFollower({
      requester,
      view: options.view,
      onChanged: (publication, viewProblem) => {
        this.state.patch({ viewPublicationId: publication?.id, viewProblem });
        this.#subscriber.review();
      },
    });
    this.#data = new DataHub({
      requester,
      publications: () => this.others.flatMap((participant) => participant.dataPublications),
      onMessage: (message) => this.events.emit('data', message),
    });
    this.#media = new MediaKeeper({
      requester,
      isOnline: () => this.#link.isOnline,
      iceTransportPolicy: options.iceTransportPolicy,
      onAttached: (media) => {
        for (const part of [this.#publisher, this.#subscriber, this.#data]) part.attach(media);
        this.#view.attach();
      },
      onDetached: () => {
        for (const part of [this.#view, this.#publisher, this.#subscriber, this.#data]) part.detach();
      },
      onStateChanged: (mediaState) => this.state.patch({ mediaState }),
    });
    const { events } = this;
    this.#routes = {
      events,
      media: this.#media,
      publisher: this.#publisher,
      subscriber: this.#subscriber,
      view: this.#view,
      data: this.#data,
    };
    this.#listen();
  }

  get self(): ParticipantInfo | undefined {
    const { selfId, participants } = this.state.value;
    return selfId === undefined ? undefined : participants.get(selfId);
  }

  get others(): ParticipantInfo[] {
    const { selfId, participants } = this.state.value;
    return [...participants.values()].filter(({ id }) => id !== selfId);
  }

  // ── Coming and going ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Resolves once in the room; media follows by itself.
   * @throws ClientError `unauthorized`, `forbidden`, `not_found`, `room_full`, `disconnected` …
   */
  async join(): Promise<void> {
    if (this.state.value.phase !== 'idle') throw new ClientError('conflict', 'This connection was used before.');
    this.state.patch({ phase: 'joining' });
    await this.#link.join();
  }

  /** Tracks that were published are left running; they belong to whoever made them. */
  async leave(): Promise<void> {
    await this.#link.leave();
  }

  /** For `pagehide`: tells the server if it still can, waits for nothing. */
  abandon(): void {
    this.#link.abandon();
  }

  /** Tries again at once instead of waiting out the back-off; media too, where it had been given up. */
  retryNow(): void {
    this.#link.retryNow();
    if (this.state.value.mediaState === 'failed') this.#media.retry();
  }

  // ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @throws ClientError `forbidden`, `limit_reached`, `no_common_codec`, `closed` */
  publish(track: MediaStreamTrack, options: PublishOptions): Promise<LocalPublication> {
    if (this.state.value.phase === 'ended') return Promise.reject(new ClientError('closed', 'You have left the room.'));
    return this.#publisher.publish(track, options);
  }

  /** @throws ClientError `forbidden`, `limit_reached`, `timeout` */
  publishData(options: PublishDataOptions): Promise<LocalData> {
    return this.#data.publish(options);
  }

  // ── Receiving ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * How large a video is shown: what nobody sees is paused, and no more pixels than fill the tile are asked for.
   * @see spatialLayerFor
   */
  setView(publicationId: string, { isVisible, heightPx }: VideoView): void {
    this.#subscriber.change(publicationId, { isPaused: !isVisible, tilePx: heightPx });
  }

  /** The highest layer wanted, whatever the tile; bandwidth may still give a lower one. `undefined`: by tile again. */
  setPreferredLayers(publicationId: string, layers: Layers | undefined): void {
    this.#subscriber.change(publicationId, { layers });
  }

  /**
   * Somebody's video in another codec, size, rate or bitrate, made for this client; null for what its publisher sends.
   * Live: the subscription stays, its track may become another.
   * @throws ClientError `invalid_request`, `forbidden`, `unprocessable`, `overloaded`, `not_found`: what was goes on
   */
  setFormat(publicationId: string, format: SubscriptionView['format']): Promise<void> {
    return this.#subscriber.setFormat(publicationId, format);
  }

  setPaused(publicationId: string, isPaused: boolean): void {
    this.#subscriber.change(publicationId, { isPaused });
  }

  /** @param priority 1..255; bandwidth goes to the higher ones first */
  setPriority(publicationId: string, priority: number): void {
    this.#subscriber.change(publicationId, { priority });
  }

  /** Pinned videos are not held back by last-N. */
  setPinned(publicationId: string, isPinned: boolean): void {
    this.#subscriber.change(publicationId, { isPinned });
  }

  /** From everybody who publishes data under this label, as `data` events. */
  subscribeData(label: string): void {
    this.#data.subscribe(label);
  }

  unsubscribeData(label: string): void {
    this.#data.unsubscribe(label);
  }

  // ── Talking ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @param to a participant's id for a private message */
  async chat(text: string, to = 'all'): Promise<void> {
    await this.#link.request('chat', { to, text });
  }

  async raiseHand(isRaised: boolean): Promise<void> {
    await this.#link.request('raiseHand', { isRaised });
  }

  async setDisplayName(displayName: string): Promise<void> {
    await this.#link.request('setDisplayName', { displayName });
    this.#displayName = displayName;
  }

  async setAttributes(attributes: Record<string, string>): Promise<void> {
    await this.#link.request('setAttributes', { attributes });
    this.#attributes = attributes;
  }

  /** Shown where there is no video of oneself: PNG or JPEG in base64, up to 128 KiB and 1024 pixels a side; null: none. */
  async setAvatar(image: string | null): Promise<void> {
    await this.#link.request('setAvatar', { image });
    this.#avatar = image;
  }

  // ── Moderating; @throws ClientError `forbidden` for any other role ───────────────────────────────────────────────

  async muteParticipant(participantId: string, isMuted: boolean, source?: PublicationInfo['source']): Promise<void> {
    await this.#link.request('muteParticipant', { participantId, isMuted, ...(source && { source }) });
  }

  async kick(participantId: string): Promise<void> {
    await this.#link.request('kickParticipant', { participantId });
  }

  async setRole(participantId: string, role: string): Promise<void> {
    await this.#link.request('setRole', { participantId, role });
  }

  async lowerHand(participantId: string): Promise<void> {
    await this.#link.request('lowerHand', { participantId });
  }

  /** Moderators: of the view that this client takes, for everybody who watches it. Members by publication or participant. */
  async arrangeView(arrangement: Omit<RequestData<'arrangeView'>, 'view'>): Promise<void> {
    await this.#link.request('arrangeView', { ...arrangement, view: this.#options.view ?? 'common' });
  }

  /** @param waitingId of `state.lobby`; everybody who waits for a moderator's word when it is left out */
  async admit(waitingId?: string): Promise<void> {
    await this.#link.request('admit', { ...(waitingId !== undefined && { waitingId }) });
  }

  async deny(waitingId: string): Promise<void> {
    await this.#link.request('deny', { waitingId });
  }

  /** Locked: nobody comes in but moderators. With a waiting room a moderator has to let in who comes. */
  async setDoor(door: { isLocked?: boolean; hasWaitingRoom?: boolean }): Promise<void> {
    await this.#link.request('setDoor', door);
  }

  // ── Measuring ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Rates are those since the last call; call it every second or two. */
  async sampleStats(): Promise<ConnectionStats> {
    const media = this.#media.media;
    const [sent, received] = await Promise.all([media?.sendTransport?.getStats(), media?.recvTransport?.getStats()]);
    const bySentMid = new Map(
      [...this.#publisher.publications].map(({ producer, publicationId }) => [
        producer?.rtpParameters.mid,
        publicationId,
      ]),
    );
    const byReceivedMid = new Map(
      [...this.#subscriber.subscriptions].map(({ consumer, publication }) => [
        consumer.rtpParameters.mid,
        publication.id,
      ]),
    );
    return this.#sampler.sample(rawStats(sent), rawStats(received), (direction, mid) =>
      (direction === 'sent' ? bySentMid : byReceivedMid).get(mid),
    );
  }

  // ── What happens ─────────────────────────────────────────────────────────────────────────────────────────────────

  #listen(): void {
    const { events } = this.#link;
    events.on('joined', (result, isAgain) => {
      const wasHandRaised = this.self?.isHandRaised ?? false;
      this.state.set(enterRoom(this.state.value, result));
      if (isAgain) this.#publisher.forgetIds();
      void this.#startMedia(result.rtpCapabilities);
      if (isAgain) this.#tellAgain(wasHandRaised);
      this.events.emit('joined', isAgain);
    });
    events.on('resumed', (hasMedia) => {
      this.state.patch({ phase: 'joined', reconnect: undefined });
      if (hasMedia) {
        this.#media.review();
        this.#subscriber.review();
        this.#publisher.resumed(() => this.self);
      } else if (this.self) this.#media.start(this.self.permissions);
      this.events.emit('resumed');
    });
    events.on('waiting', (reconnect) => {
      const wasJoined = this.state.value.phase === 'joined';
      this.state.patch({ phase: this.state.value.phase === 'joining' ? 'joining' : 'reconnecting', reconnect });
      if (wasJoined) this.events.emit('reconnecting');
    });
    events.on('received', (event) => this.#receive(event));
    events.on('ended', (end) => {
      this.#media.stop();
      this.#data.close();
      this.#publisher.close(new ClientError('closed', end.message));
      this.state.patch({ phase: 'ended', end, reconnect: undefined, local: new Map() });
      this.events.emit('ended', end);
    });
  }

  async #startMedia(rtpCapabilities: Parameters<MediaKeeper['load']>[0]): Promise<void> {
    try {
      await this.#media.load(rtpCapabilities);
      if (this.self) this.#media.start(this.self.permissions);
    } catch (thrown) {
      const { code, message } = toClientError(thrown);
      this.state.patch({ mediaState: 'failed' });
      await this.#link.leave();
      this.state.patch({ end: { kind: 'refused', code, message } });
    }
  }

  /** Joined as somebody new: what this participant had said of itself is said again. */
  #tellAgain(wasHandRaised: boolean): void {
    const told = [
      wasHandRaised && this.raiseHand(true),
      this.#attributes && this.setAttributes(this.#attributes),
      this.#avatar !== null && this.setAvatar(this.#avatar),
    ];
    // Nobody waits for these; a role that may not set attributes any more simply has none.
    void Promise.allSettled(told);
  }

  #receive(event: ServerEvent): void {
    const before = this.state.value;
    const after = applyEvent(before, event.event, event.data, Date.now());
    this.state.set(after);
    routeEvent(event, this.#routes, before, after);
  }

  #wantedPublications(): PublicationInfo[] {
    const { autoSubscribe = true } = this.#options;
    const { subscribe } = this.self?.permissions ?? {};
    if (!subscribe || autoSubscribe === false) return [];
    const { publication: view } = this.#view;
    const isComposed = this.#options.view !== undefined;
    return this.others
      .flatMap(({ publications }) => publications)
      .filter(({ kind }) => kind === 'audio' || !isComposed)
      .concat(view ?? [])
      .filter((publication) => subscribe[publication.kind])
      .filter((publication) => autoSubscribe === true || autoSubscribe(publication));
  }
}

function ownServerUrl(): string {
  const { protocol, host } = location;
  return `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws`;
}

function rawStats(report: RTCStatsReport | undefined): RawStat[] {
  const stats: RawStat[] = [];
  report?.forEach((stat: RawStat) => {
    stats.push(stat);
  });
  return stats;
}
