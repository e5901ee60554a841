// Owns: what a participant publishes and what it receives. May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';
import { newPublicationId, newSubscriptionId, type PublicationId, type SubscriptionId } from './ids.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { Participant } from './participant.ts';
import type { ConsumeOptions, SfuConsumer, SfuProducer, VideoLayers } from './ports.ts';
import type { MediaKind, RtpParameters, StreamTimeline } from './rtp.ts';
import type { StreamFormat } from './stream-format.ts';

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
  /** Whether anything of it is sent to anybody; those who have it in another format are not sent it. */
  sentChanged: [isSent: boolean];
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
  #isSent = true;
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

  get isSent(): boolean {
    return this.#isSent;
  }

  /** Called by subscriptions whenever one comes, goes, or is sent something else. One that nobody has taken yet counts as sent. */
  reviewSent(): void {
    if (this.isClosed) return;
    const isSent = this.subscriptions.size === 0 || [...this.subscriptions].some((one) => one.isSent(this));
    if (isSent === this.#isSent) return;
    this.#isSent = isSent;
    this.events.emit('sentChanged', isSent);
  }

  #setWatched(isWatched: boolean): void {
    if (this.#isWatched === isWatched) return;
    this.#isWatched = isWatched;
    this.events.emit('watchedChanged', isWatched);
  }

  protected override onClose(reason: CloseReason): void {
    clearTimeout(this.#unwatchedTimer);
    this.producer.close();
    for (const subscription of [...this.subscriptions]) subscription.noteEnded(this);
    this.events.emit('closed', reason);
  }
}

export type SubscriptionEvents = {
  /** Paused, resumed, held back, layers or score. */
  updated: [];
  /** It goes on with another consumer, which is paused until its receiver resumes it. */
  redirected: [];
  /** What was made of its publication for it has ended, and the publication has not. */
  carrierEnded: [];
  closed: [reason: CloseReason];
};

/** The picture in another format, where whoever receives can be given one. */
export interface FormatControl {
  /** What it is made of. */
  readonly source: Publication | undefined;
  /** undefined: as its publisher sends it. */
  readonly format: StreamFormat | undefined;
  /**
   * Live; what was goes on when it cannot be had.
   * @param format null for the picture as its publisher sends it
   * @throws GatewayError `invalid_request`, `forbidden`, `unprocessable`, `no_common_codec`, `overloaded`, `conflict`, `timeout`
   */
  set(format: StreamFormat | null): Promise<void>;
}

/** How long the past consumer goes on beside the new one: until the first picture of that is there, and for receivers who never take it. */
const overlapMs = { afterResume: 1_000, atMost: 5_000 } as const;

/** One stream on its way to one participant. Starts paused: the receiver resumes it once it can decode. */
export class Subscription extends Owned {
  readonly id: SubscriptionId = newSubscriptionId();
  readonly publication: Publication;
  readonly participant: Participant;
  readonly events = new EventEmitter<SubscriptionEvents>();
  /** Set by whoever made it for a receiver that can be given other formats. */
  formats: FormatControl | undefined;
  #consumer: SfuConsumer;
  /** What its packets really are of: its publication, or what is made of that for it. */
  #carrier: Publication;
  #past: { readonly carrier: Publication; readonly end: () => void; timer: NodeJS.Timeout } | undefined;
  #isCarrierLost = false;
  #isPaused = true;
  #isHeldBack = false;
  #isPinned = false;
  #score: number | undefined;

  constructor(participant: Participant, publication: Publication, consumer: SfuConsumer) {
    super();
    this.participant = participant;
    this.publication = publication;
    this.#consumer = consumer;
    this.#carrier = publication;
    publication.subscriptions.add(this);
    publication.reviewSent();
    this.#watch(consumer);
  }

  get consumer(): SfuConsumer {
    return this.#consumer;
  }

  /** What it is sent: its publication, or another one that is made of it. */
  get carrier(): Publication {
    return this.#carrier;
  }

  /** Whether packets of it go out to the receiver, or have until the first of another stream are there. */
  isSent(publication: Publication): boolean {
    return this.#carrier === publication || this.#past?.carrier === publication;
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

  /**
   * From now on it is sent another stream, under its id. What it was sent goes on until the receiver has the new one.
   * @returns settles once the past consumer is gone
   */
  redirect(carrier: Publication, consumer: SfuConsumer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const [pastConsumer, pastCarrier] = [this.#consumer, this.#carrier];
    this.#past?.end();
    const end = () => {
      clearTimeout(this.#past?.timer);
      this.#past = undefined;
      pastConsumer.close();
      this.publication.reviewSent();
      resolve();
    };
    this.#consumer = consumer;
    this.#carrier = carrier;
    this.#isCarrierLost = false;
    this.#watch(consumer);
    if (pastCarrier !== this.publication) pastCarrier.subscriptions.delete(this);
    carrier.subscriptions.add(this);
    this.#past = { carrier: pastCarrier, end, timer: setTimeout(end, overlapMs.atMost).unref() };
    this.#isPaused = true;
    this.#score = undefined;
    this.publication.reviewSent();
    this.events.emit('redirected');
    return promise;
  }

  /** Called by a publication that it is of, or is sent. */
  noteEnded(publication: Publication): void {
    publication.subscriptions.delete(this);
    if (publication === this.publication) void this.close('parent_closed');
    else if (publication === this.#carrier) this.#loseCarrier();
  }

  #watch(consumer: SfuConsumer): void {
    consumer.events.on('closed', () => {
      if (consumer !== this.#consumer) return;
      if (this.#carrier === this.publication) void this.close('failed');
      else this.#loseCarrier();
    });
    consumer.events.on('layersChanged', () => {
      if (consumer === this.#consumer) this.events.emit('updated');
    });
    consumer.events.on('scored', ({ score }) => {
      if (consumer !== this.#consumer) return;
      this.#score = score;
      this.events.emit('updated');
    });
  }

  #loseCarrier(): void {
    // Its publication and its consumer both say so.
    if (this.isClosed || this.#isCarrierLost) return;
    this.#isCarrierLost = true;
    if (!this.events.emit('carrierEnded')) void this.close('failed');
  }

  async #apply(): Promise<void> {
    if (this.isClosed) return;
    await (this.isFlowing ? this.#consumer.resume() : this.#consumer.pause());
    if (this.#past && this.isFlowing) {
      clearTimeout(this.#past.timer);
      this.#past.timer = setTimeout(this.#past.end, overlapMs.afterResume).unref();
    }
    for (const publication of new Set([this.publication, this.#carrier])) publication.reviewWatched();
    this.events.emit('updated');
  }

  protected override onClose(reason: CloseReason): void {
    this.#past?.end();
    this.#consumer.close();
    for (const publication of [this.publication, this.#carrier]) {
      publication.subscriptions.delete(this);
      publication.reviewWatched();
      publication.reviewSent();
    }
    this.events.emit('closed', reason);
  }
}
