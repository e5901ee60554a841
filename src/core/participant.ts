// Owns: one party in a room, whatever protocol brought it. May import: core only.
import { EventEmitter } from 'node:events';
import { type Avatar, avatarOf } from './avatar.ts';
import { DataPublication, DataSubscription } from './data-track.ts';
import { GatewayError } from './errors.ts';
import { type GrantLimits, limited, permissionsOf, type RolePermissions } from './grants.ts';
import { newParticipantId, type ParticipantId, type PublicationId, type SubscriptionId } from './ids.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { SfuDataProducer, SfuWebRtcTransport, VideoLayers, WebRtcTransportOptions } from './ports.ts';
import type { Room } from './room.ts';
import { assertMayPublish } from './room-media.ts';
import type { RtpCapabilities, SctpStreamParameters } from './rtp.ts';
import { type CanConsume, type CanProduce, Publication, type PublicationOptions, Subscription } from './track.ts';
import { VoiceDelay } from './voice-delay.ts';

/** `bridge`: another room, as one hears and sees it. */
export type ParticipantKind = 'webrtc' | 'sip' | 'ingress' | 'egress' | 'bot' | 'bridge';
export type ConnectionQuality = 'good' | 'fair' | 'poor' | 'lost';

export interface ParticipantOptions {
  readonly kind: ParticipantKind;
  /** The application's name for the user; need not be unique. */
  readonly user: string;
  readonly displayName: string;
  readonly role: string;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Where its avatar is, if its application says so. */
  readonly avatarUrl?: string | undefined;
  /** Egress and bots that nobody is to see in lists. */
  readonly isHidden?: boolean | undefined;
  /** One that leaves as soon as this one is in: a full room has that place for it. */
  readonly takesPlaceOf?: ParticipantId | undefined;
  /** Of the token that it joined with. */
  readonly tokenId?: string | undefined;
  /** That token opens once. */
  readonly isOneTime?: boolean | undefined;
  readonly limits?: GrantLimits | undefined;
}

export type ParticipantEvents = {
  /** Name, role, hand, attributes, avatar, presence or quality. */
  updated: [];
  /** The SFU worker died and the room has a new one: transports, publications and subscriptions must be made again. */
  mediaRestarted: [];
  /** What the SFU believes it can receive. */
  bandwidthEstimated: [availableOutgoingBps: number];
  subscribed: [subscription: Subscription];
  dataSubscriptionEnded: [subscription: DataSubscription];
  closed: [reason: CloseReason];
};

/** At most so many of each, whatever the room allows: a client that leaks them is stopped here. */
const maxTransports = 8;
const maxPublications = 64;
const maxSubscriptions = 2_000;

export class Participant extends Owned {
  readonly id: ParticipantId = newParticipantId();
  readonly room: Room;
  readonly kind: ParticipantKind;
  readonly user: string;
  readonly isHidden: boolean;
  readonly avatarUrl: string | undefined;
  readonly tokenId: string | undefined;
  readonly isOneTime: boolean;
  readonly joinedAtMs = Date.now();
  readonly events = new EventEmitter<ParticipantEvents>();
  readonly voiceDelay = new VoiceDelay();
  readonly publications = new Map<PublicationId, Publication>();
  readonly subscriptions = new Map<SubscriptionId, Subscription>();
  readonly dataPublications = new Map<PublicationId, DataPublication>();
  readonly dataSubscriptions = new Map<SubscriptionId, DataSubscription>();
  readonly transports = new Map<string, SfuWebRtcTransport>();
  readonly #pastPublicationIds = new Set<PublicationId>();
  /** What a moderator has muted: publishing it anew does not lift that. */
  readonly #moderated = new Set<string>();
  readonly #limits: GrantLimits | undefined;
  /** Set by whoever removes it and does not mind if it comes back with the same token. */
  mayReturn = false;
  #displayName: string;
  #role: string;
  /** Given to it alone: the role's do not touch it. */
  #hasOwnPermissions = false;
  #permissions: RolePermissions;
  #attributes: Readonly<Record<string, string>>;
  #avatar: Avatar | undefined;
  #isAvatarChosen = false;
  #isHandRaised = false;
  #isConnected = true;
  #quality: ConnectionQuality = 'good';
  #availableOutgoingBps: number | undefined;

  /** Made by `room.join()`, which has checked the limits. */
  constructor(room: Room, options: ParticipantOptions) {
    super();
    this.room = room;
    this.kind = options.kind;
    this.user = options.user;
    this.isHidden = options.isHidden ?? false;
    this.avatarUrl = options.avatarUrl;
    this.#displayName = options.displayName;
    this.#role = options.role;
    this.tokenId = options.tokenId;
    this.isOneTime = options.isOneTime ?? false;
    this.#limits = options.limits;
    this.#permissions = limited(permissionsOf(room.record.roles, options.role), options.limits);
    this.#attributes = options.attributes ?? {};
  }

  get displayName(): string {
    return this.#displayName;
  }
  get role(): string {
    return this.#role;
  }
  get permissions(): RolePermissions {
    return this.#permissions;
  }
  get attributes(): Readonly<Record<string, string>> {
    return this.#attributes;
  }
  /** Shown while there is no video of it. */
  get avatar(): Avatar | undefined {
    return this.#avatar;
  }
  /** It was given or taken away here, which counts for more than what he came with. */
  get isAvatarChosen(): boolean {
    return this.#isAvatarChosen;
  }
  get isHandRaised(): boolean {
    return this.#isHandRaised;
  }
  /** False while its signalling is away and its place is kept. */
  get isConnected(): boolean {
    return this.#isConnected;
  }
  get quality(): ConnectionQuality {
    return this.#isConnected ? this.#quality : 'lost';
  }
  /** bit/s that the SFU believes it can receive; undefined for who has no such estimate. */
  get availableOutgoingBps(): number | undefined {
    return this.#availableOutgoingBps;
  }

  update(change: {
    displayName?: string | undefined;
    role?: string | undefined;
    attributes?: Readonly<Record<string, string>> | undefined;
    isHandRaised?: boolean | undefined;
    isConnected?: boolean | undefined;
  }): void {
    this.#assertOpen();
    if (change.role !== undefined && change.role !== this.#role) {
      this.#permissions = limited(permissionsOf(this.room.record.roles, change.role), this.#limits);
      this.#role = change.role;
      this.#hasOwnPermissions = false;
      this.#endWhatIsNoLongerAllowed();
    }
    if (change.displayName !== undefined) this.#displayName = change.displayName;
    if (change.attributes !== undefined) this.#attributes = change.attributes;
    if (change.isHandRaised !== undefined) this.#isHandRaised = change.isHandRaised;
    if (change.isConnected !== undefined) this.#isConnected = change.isConnected;
    this.events.emit('updated');
  }

  /** @param image PNG or JPEG; undefined: initials again @throws GatewayError `invalid_request`, `closed` */
  setAvatar(image: Uint8Array | undefined): void {
    this.#assertOpen();
    this.#avatar = image && avatarOf(image);
    this.#isAvatarChosen = true;
    this.events.emit('updated');
  }

  noteBandwidth(availableOutgoingBps: number): void {
    this.#availableOutgoingBps = availableOutgoingBps;
    this.events.emit('bandwidthEstimated', availableOutgoingBps);
  }

  /** @param permissions replaces what the role gives, for this participant alone */
  setPermissions(permissions: RolePermissions): void {
    this.#assertOpen();
    this.#permissions = permissions;
    this.#hasOwnPermissions = true;
    this.#endWhatIsNoLongerAllowed();
    this.events.emit('updated');
  }

  /** The room's roles have changed. Who has a role that is gone keeps what it gave. */
  reviewRole(): void {
    const found = this.room.record.roles.find(({ role }) => role === this.#role);
    if (!found || this.#hasOwnPermissions || this.isClosed) return;
    const next = limited(permissionsOf([found], found.role), this.#limits);
    if (JSON.stringify(next) === JSON.stringify(this.#permissions)) return;
    this.#permissions = next;
    this.#endWhatIsNoLongerAllowed();
    this.events.emit('updated');
  }

  /** @throws GatewayError `limit_reached`, `media_lost` */
  async createTransport(options?: WebRtcTransportOptions): Promise<SfuWebRtcTransport> {
    this.#assertOpen();
    this.#assertBelow(this.transports.size, maxTransports, 'transports');
    const transport = await this.room.media.createWebRtcTransport(options);
    if (this.isClosed) {
      transport.close();
      throw new GatewayError('closed', 'You have left the room.');
    }
    this.transports.set(transport.id, transport);
    transport.events.on('closed', () => this.transports.delete(transport.id));
    return transport;
  }

  /** @throws GatewayError `forbidden`, `limit_reached`, `no_common_codec`, `media_lost` */
  async publish(transport: CanProduce, options: PublicationOptions): Promise<Publication> {
    this.#assertOpen();
    if (!this.#permissions.publish[options.kind]) {
      throw new GatewayError('forbidden', `Your role "${this.#role}" may not publish ${options.kind}.`);
    }
    this.#assertBelow(this.publications.size, maxPublications, 'publications');
    this.room.assertInputAllowed();
    // What is made here of a room's streams follows its own rules.
    if (!this.isHidden) assertMayPublish(this.room.record, options.kind, options.rtpParameters.codecs);
    const { id } = options;
    if (id !== undefined && !(this.#pastPublicationIds.has(id) && !this.publications.has(id))) {
      throw new GatewayError('conflict', 'That publication id is not yours to take up again.');
    }
    const producer = await transport.produce({
      kind: options.kind,
      rtpParameters: options.rtpParameters,
      isPaused: options.isMuted ?? false,
    });
    const isMutedByModerator = this.#moderated.has(moderationKey(options));
    if (isMutedByModerator) await producer.pause();
    if (this.isClosed) {
      producer.close();
      throw new GatewayError('closed', 'You have left the room.');
    }
    const publication = this.own(new Publication(this, producer, { ...options, isMutedByModerator }));
    this.publications.set(publication.id, publication);
    this.#pastPublicationIds.add(publication.id);
    publication.events.on('scored', () => this.#reviewQuality());
    publication.events.on('closed', () => {
      this.publications.delete(publication.id);
      this.#reviewQuality();
    });
    this.room.admitPublication(publication);
    return publication;
  }

  /** Called by a publication that a moderator mutes or unmutes. */
  noteModeration(publication: Publication, isMuted: boolean): void {
    const key = moderationKey(publication);
    if (isMuted) this.#moderated.add(key);
    else this.#moderated.delete(key);
  }

  /** @throws GatewayError `forbidden`, `closed`, `no_common_codec`, `media_lost` */
  async subscribe(
    transport: CanConsume,
    publication: Publication,
    options: { rtpCapabilities: RtpCapabilities; preferredLayers?: VideoLayers | undefined; mid?: string | undefined },
  ): Promise<Subscription> {
    this.#assertOpen();
    if (!this.#permissions.subscribe[publication.kind]) {
      throw new GatewayError('forbidden', `Your role "${this.#role}" may not receive ${publication.kind}.`);
    }
    this.#assertBelow(this.subscriptions.size, maxSubscriptions, 'subscriptions');
    if (publication.isClosed) throw new GatewayError('closed', 'That publication has ended.');
    const consumer = await transport.consume({ producer: publication.producer, ...options });
    if (this.isClosed || publication.isClosed) {
      consumer.close();
      throw new GatewayError('closed', 'That publication has ended.');
    }
    const subscription = this.own(new Subscription(this, publication, consumer));
    this.subscriptions.set(subscription.id, subscription);
    subscription.events.on('updated', () => this.#reviewQuality());
    subscription.events.on('closed', () => {
      this.subscriptions.delete(subscription.id);
      this.#reviewQuality();
    });
    this.events.emit('subscribed', subscription);
    this.room.reviewSelection();
    return subscription;
  }

  /** @throws GatewayError `forbidden`, `limit_reached` */
  async publishData(
    transport: SfuWebRtcTransport,
    options: { sctpStreamParameters: SctpStreamParameters; label: string; protocol: string },
  ): Promise<DataPublication> {
    this.#assertOpen();
    if (!this.#permissions.publish.data) {
      throw new GatewayError('forbidden', `Your role "${this.#role}" may not publish data.`);
    }
    this.#assertBelow(this.dataPublications.size, maxPublications, 'data publications');
    const dataProducer: SfuDataProducer = await transport.produceData(options);
    if (this.isClosed) {
      dataProducer.close();
      throw new GatewayError('closed', 'You have left the room.');
    }
    const publication = this.own(new DataPublication(this, dataProducer));
    this.dataPublications.set(publication.id, publication);
    void publication.done.then(() => this.dataPublications.delete(publication.id));
    this.room.admitDataPublication(publication);
    return publication;
  }

  /** @throws GatewayError `forbidden`, `limit_reached`, `closed` */
  async subscribeData(transport: SfuWebRtcTransport, publication: DataPublication): Promise<DataSubscription> {
    this.#assertOpen();
    if (!this.#permissions.subscribe.data) {
      throw new GatewayError('forbidden', `Your role "${this.#role}" may not receive data.`);
    }
    this.#assertBelow(this.dataSubscriptions.size, maxSubscriptions, 'data subscriptions');
    if (publication.isClosed) throw new GatewayError('closed', 'That data publication has ended.');
    const dataConsumer = await transport.consumeData({ dataProducer: publication.dataProducer });
    if (this.isClosed || publication.isClosed) {
      dataConsumer.close();
      throw new GatewayError('closed', 'That data publication has ended.');
    }
    const subscription = this.own(new DataSubscription(publication, dataConsumer));
    this.dataSubscriptions.set(subscription.id, subscription);
    void subscription.done.then(() => {
      this.dataSubscriptions.delete(subscription.id);
      this.events.emit('dataSubscriptionEnded', subscription);
    });
    return subscription;
  }

  /** Ends all media but keeps the participant, for a room whose SFU worker died. */
  async dropMedia(): Promise<void> {
    for (const transport of [...this.transports.values()]) transport.close();
    this.transports.clear();
    await Promise.all(
      [
        ...this.publications.values(),
        ...this.subscriptions.values(),
        ...this.dataPublications.values(),
        ...this.dataSubscriptions.values(),
      ].map((track) => track.close('failed')),
    );
  }

  #endWhatIsNoLongerAllowed(): void {
    const { publish, subscribe } = this.#permissions;
    for (const publication of this.publications.values()) {
      if (!publish[publication.kind]) void publication.close('kicked');
    }
    for (const subscription of this.subscriptions.values()) {
      if (!subscribe[subscription.publication.kind]) void subscription.close('kicked');
    }
    for (const publication of this.dataPublications.values()) {
      if (!publish.data) void publication.close('kicked');
    }
    for (const subscription of this.dataSubscriptions.values()) {
      if (!subscribe.data) void subscription.close('kicked');
    }
  }

  /** The worst of what arrives from it and what it gets: scores of mediasoup, 0..10. */
  #reviewQuality(): void {
    const scores: number[] = [];
    for (const publication of this.publications.values()) {
      // What is muted or unwatched sends nothing, and its score says nothing about the line.
      if (publication.score !== undefined && !publication.isMuted && publication.isWatched)
        scores.push(publication.score);
    }
    for (const subscription of this.subscriptions.values()) {
      if (subscription.score !== undefined && subscription.isFlowing) scores.push(subscription.score);
    }
    const worst = scores.length > 0 ? Math.min(...scores) : 10;
    const quality: ConnectionQuality = worst >= 7 ? 'good' : worst >= 4 ? 'fair' : 'poor';
    if (quality === this.#quality || this.isClosed) return;
    this.#quality = quality;
    this.events.emit('updated');
  }

  #assertOpen(): void {
    if (this.isClosed) throw new GatewayError('closed', 'You have left the room.');
  }

  #assertBelow(count: number, limit: number, what: string): void {
    if (count >= limit) throw new GatewayError('limit_reached', `A participant has at most ${limit} ${what}.`);
  }

  protected override onClose(reason: CloseReason): void {
    for (const transport of [...this.transports.values()]) transport.close();
    this.transports.clear();
    this.events.emit('closed', reason);
  }
}

/** One microphone, camera or screen is as good as the next; of other streams there may be several at once. */
function moderationKey({ source, id }: Pick<PublicationOptions, 'source' | 'id'>): string {
  return source === 'other' ? `other ${id}` : source;
}
