// Owns: what a participant publishes and what it receives. May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';
import { newPublicationId, newSubscriptionId, type PublicationId, type SubscriptionId } from './ids.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { Participant } from './participant.ts';
import type {
  ConsumeOptions,
  SfuConsumer,
  SfuDataConsumer,
  SfuDataProducer,
  SfuProducer,
  VideoLayers,
} from './ports.ts';
import type { MediaKind, RtpParameters, StreamTimeline } from './rtp.ts';

export const trackSources = ['microphone', 'camera', 'screen', 'screen_audio', 'other'] as const;
export type TrackSource = (typeof trackSources)[number];

/** Anything that can bring a stream into a room: a WebRTC transport, or a plain one from a media worker. */
export interface CanProduce {
  produce(options: { kind: MediaKind; rtpParameters: RtpParameters; isPaused?: boolean }): Promise<SfuProducer>;
}

/** Anything that can take a stream out of a room. */
export interface CanConsume {
  consume(options: ConsumeOptions): Promise<SfuConsumer>;
}

export interface PublicationOptions {
  readonly kind: MediaKind;
  readonly source: TrackSource;
  readonly rtpParameters: RtpParameters;
  /** Shown where a participant has several streams of a kind (`Camera 2`). */
  readonly label?: string | undefined;
  readonly isMuted?: boolean | undefined;
  /** A moderator had muted what was published in its place before. */
  readonly isMutedByModerator?: boolean | undefined;
  /** Takes up an id of this participant again after its media was lost, so that receivers keep what they know of it. */
  readonly id?: PublicationId | undefined;
  /** Of what is made here; what comes from elsewhere has sender reports. */
  readonly timeline?: StreamTimeline | undefined;
}

export type PublicationEvents = {
  /** Muted or unmuted. */
  updated: [];
  /** How well it arrives has changed. */
  scored: [];
  /** Whether anybody receives it now; nobody watching lets the publisher stop sending. */
  watchedChanged: [isWatched: boolean];
  closed: [reason: CloseReason];
};

/** How long nobody must have watched before the publisher is told, so that a layout change does not stop a camera. */
const unwatchedDelayMs = 2_000;

/** One stream in a room, owned by the participant that sends it. */
export class Publication extends Owned {
  readonly id: PublicationId;
  readonly participant: Participant;
  readonly kind: MediaKind;
  readonly source: TrackSource;
  readonly label: string;
  readonly producer: SfuProducer;
  readonly timeline: StreamTimeline | undefined;
  readonly startedAtMs = Date.now();
  readonly events = new EventEmitter<PublicationEvents>();
  readonly subscriptions = new Set<Subscription>();
  #isMuted: boolean;
  #isMutedByModerator = false;
  #isWatched = true;
  #unwatchedTimer: NodeJS.Timeout | undefined;
  #scores: readonly number[] = [];

  constructor(participant: Participant, producer: SfuProducer, options: PublicationOptions) {
    super();
    this.id = options.id ?? newPublicationId();
    this.participant = participant;
    this.kind = options.kind;
    this.source = options.source;
    this.label = options.label ?? '';
    this.producer = producer;
    this.timeline = options.timeline;
    this.#isMuted = options.isMuted ?? false;
    this.#isMutedByModerator = options.isMutedByModerator ?? false;
    producer.events.on('closed', () => void this.close('failed'));
    producer.events.on('scored', (scores) => {
      this.#scores = scores;
      this.events.emit('scored');
    });
    this.reviewWatched();
  }

  get isMuted(): boolean {
    return this.#isMuted || this.#isMutedByModerator;
  }

  get isMutedByModerator(): boolean {
    return this.#isMutedByModerator;
  }

  get isWatched(): boolean {
    return this.#isWatched;
  }

  /** MIME type of the codec in use, `video/VP8`. */
  get mimeType(): string {
    return this.producer.rtpParameters.codecs[0]?.mimeType ?? this.kind;
  }

  /** Simulcast encodings, lowest first; 1 for anything else. */
  get encodingCount(): number {
    return this.producer.rtpParameters.encodings?.length ?? 1;
  }

  /** 0..10 of the best encoding that arrives; undefined until mediasoup has said so. */
  get score(): number | undefined {
    return this.#scores.length > 0 ? Math.max(...this.#scores) : undefined;
  }

  /**
   * A moderator's mute holds until a moderator lifts it.
   * @throws GatewayError `forbidden` when the owner unmutes what a moderator muted
   */
  async setMuted(isMuted: boolean, by: 'owner' | 'moderator'): Promise<void> {
    if (this.isClosed) throw new GatewayError('closed', 'This publication has ended.');
    if (by === 'moderator') {
      this.#isMutedByModerator = isMuted;
      this.participant.noteModeration(this, isMuted);
      // A moderator's unmute leaves the owner's own choice alone: nobody is heard who did not want to be.
    } else {
      if (!isMuted && this.#isMutedByModerator) {
        throw new GatewayError('forbidden', 'A moderator has muted you. Raise your hand to ask for the word.');
      }
      this.#isMuted = isMuted;
    }
    await (this.isMuted ? this.producer.pause() : this.producer.resume());
    this.events.emit('updated');
  }

  /** Called by subscriptions whenever one starts, stops, pauses or resumes. */
  reviewWatched(): void {
    if (this.isClosed) return;
    const isWatched = [...this.subscriptions].some((subscription) => subscription.isFlowing);
    if (isWatched) {
      clearTimeout(this.#unwatchedTimer);
      this.#unwatchedTimer = undefined;
      this.#setWatched(true);
    } else if (this.#isWatched && !this.#unwatchedTimer) {
      this.#unwatchedTimer = setTimeout(() => {
        this.#unwatchedTimer = undefined;
        this.#setWatched(false);
      }, unwatchedDelayMs).unref();
    }
  }

  #setWatched(isWatched: boolean): void {
    if (this.#isWatched === isWatched) return;
    this.#isWatched = isWatched;
    this.events.emit('watchedChanged', isWatched);
  }

  protected override onClose(reason: CloseReason): void {
    clearTimeout(this.#unwatchedTimer);
    this.producer.close();
    for (const subscription of [...this.subscriptions]) void subscription.close('parent_closed');
    this.events.emit('closed', reason);
  }
}

export type SubscriptionEvents = {
  /** Paused, resumed, held back, layers or score. */
  updated: [];
  closed: [reason: CloseReason];
};

/** One stream on its way to one participant. Starts paused: the receiver resumes it once it can decode. */
export class Subscription extends Owned {
  readonly id: SubscriptionId = newSubscriptionId();
  readonly publication: Publication;
  readonly participant: Participant;
  readonly consumer: SfuConsumer;
  readonly events = new EventEmitter<SubscriptionEvents>();
  #isPaused = true;
  #isHeldBack = false;
  #isPinned = false;
  #score: number | undefined;

  constructor(participant: Participant, publication: Publication, consumer: SfuConsumer) {
    super();
    this.participant = participant;
    this.publication = publication;
    this.consumer = consumer;
    publication.subscriptions.add(this);
    consumer.events.on('closed', () => void this.close('failed'));
    consumer.events.on('layersChanged', () => this.events.emit('updated'));
    consumer.events.on('scored', ({ score }) => {
      this.#score = score;
      this.events.emit('updated');
    });
  }

  /** The receiver's own wish. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Last-N has put it aside for somebody who speaks. */
  get isHeldBack(): boolean {
    return this.#isHeldBack;
  }

  /** Pinned streams are never held back. */
  get isPinned(): boolean {
    return this.#isPinned;
  }

  /** Whether packets go out, if the publication sends any. */
  get isFlowing(): boolean {
    return !this.isClosed && !this.#isPaused && !this.#isHeldBack;
  }

  get currentLayers(): VideoLayers | null {
    return this.consumer.currentLayers;
  }

  /** 0..10. */
  get score(): number | undefined {
    return this.#score;
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#apply();
  }

  async resume(): Promise<void> {
    this.#isPaused = false;
    await this.#apply();
  }

  async setHeldBack(isHeldBack: boolean): Promise<void> {
    if (this.#isHeldBack === isHeldBack) return;
    this.#isHeldBack = isHeldBack;
    await this.#apply();
  }

  setPinned(isPinned: boolean): void {
    this.#isPinned = isPinned;
    this.participant.room.reviewSelection();
  }

  async #apply(): Promise<void> {
    if (this.isClosed) return;
    await (this.isFlowing ? this.consumer.resume() : this.consumer.pause());
    this.publication.reviewWatched();
    this.events.emit('updated');
  }

  protected override onClose(reason: CloseReason): void {
    this.consumer.close();
    this.publication.subscriptions.delete(this);
    this.publication.reviewWatched();
    this.events.emit('closed', reason);
  }
}

/** A data channel that others in the room may read. */
export class DataPublication extends Owned {
  readonly id: PublicationId = newPublicationId();
  readonly participant: Participant;
  readonly dataProducer: SfuDataProducer;

  constructor(participant: Participant, dataProducer: SfuDataProducer) {
    super();
    this.participant = participant;
    this.dataProducer = dataProducer;
    dataProducer.events.on('closed', () => void this.close('failed'));
  }

  get label(): string {
    return this.dataProducer.label;
  }

  protected override onClose(): void {
    this.dataProducer.close();
  }
}

/** One participant's reading end of a data publication. */
export class DataSubscription extends Owned {
  readonly id: SubscriptionId = newSubscriptionId();
  readonly publication: DataPublication;
  readonly dataConsumer: SfuDataConsumer;

  constructor(publication: DataPublication, dataConsumer: SfuDataConsumer) {
    super();
    this.publication = publication;
    this.dataConsumer = dataConsumer;
    dataConsumer.events.on('closed', () => void this.close('failed'));
  }

  protected override onClose(): void {
    this.dataConsumer.close();
  }
}
