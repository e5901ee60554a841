// Owns: which streams of a room are in a view, and how they get to its job. May import: core only.
import { listen } from './listen.ts';
import type { Participant } from './participant.ts';
import type { Logger } from './ports.ts';
import type { Room } from './room.ts';
import type { RtpCapabilities } from './rtp.ts';
import type { CanConsume, Publication, Subscription } from './track.ts';
import type { ViewChoices } from './view-choices.ts';
import type { ViewCommand, ViewInput, ViewPlace } from './view-messages.ts';
import type { AutoMix } from './view-settings.ts';

const orientationUri = 'urn:3gpp:video-orientation';
const decodable = ['vp8', 'vp9', 'h264', 'av1'] as const;
/** A layer with so much of the height of its cell is enough. */
const closeEnough = 0.85;
/** Of the highest layer, until a picture has shown it. */
const likelyHeight = 720;

export interface ViewMember {
  readonly id: number;
  readonly participant: Participant;
  /** Absent for a phone. */
  readonly publication: Publication | undefined;
  subscription: Subscription | undefined;
  /** Where it is seen; absent while it waits. */
  place: ViewPlace | undefined;
  /** Of the highest layer, as far as known. */
  fullHeight: number | undefined;
  /** What its subscription was last asked for: places change more often than this. */
  spatialLayer: number | undefined;
  /** Avatar that its job knows. */
  avatarId: string | undefined;
  readonly ignoreVoice: () => void;
}

export interface ViewInputsOptions {
  readonly room: Room;
  /** Subscribes to them. */
  readonly self: Participant;
  readonly send: (command: ViewCommand) => void;
  /** By hand, whatever the rule says. */
  readonly choices: ViewChoices;
  /** Nobody else is ever in it. */
  readonly only?: ((participant: Participant, publication?: Publication) => boolean) | undefined;
  /** So late are all pictures, whatever voices are; with it they keep their distance from sound that is taken as it comes. */
  readonly delayMs?: number | undefined;
  readonly log: Logger;
}

export class ViewInputs {
  readonly #options: ViewInputsOptions;
  readonly #members = new Map<Publication | Participant, ViewMember>();
  #rule: AutoMix;
  #transport: CanConsume | undefined;
  readonly #taking = new Set<ViewMember>();
  readonly #ignoreChoices: () => void;
  #lastId = 0;

  constructor(rule: AutoMix, options: ViewInputsOptions) {
    this.#rule = rule;
    this.#options = options;
    this.#ignoreChoices = listen(options.choices.events, { changed: () => this.review() });
  }

  get members(): readonly ViewMember[] {
    return [...this.#members.values()];
  }

  find(id: number): ViewMember | undefined {
    return this.members.find((member) => member.id === id);
  }

  /** @param name id of a publication or participant */
  named(name: string): ViewMember | undefined {
    return (
      this.members.find(({ publication }) => publication?.id === name) ??
      this.members.find(({ participant }) => participant.id === name)
    );
  }

  /** The camera before what is shared: that is who speaks. */
  speaking(participantId: string): ViewMember | undefined {
    const own = this.members.filter(({ participant }) => participant.id === participantId);
    return own.find(({ publication }) => publication?.source !== 'screen') ?? own[0];
  }

  setRule(rule: AutoMix): void {
    this.#rule = rule;
    this.review();
  }

  /** A worker that knows nothing yet, or the room's media is new. @param order in which they stood */
  attach(transport: CanConsume, isNewWorker: boolean, order: readonly number[]): void {
    this.#transport = transport;
    if (isNewWorker) {
      const rank = (id: number) => (order.indexOf(id) + order.length + 1) % (order.length + 1);
      for (const member of this.members.toSorted((a, b) => rank(a.id) - rank(b.id))) {
        this.#tell(member);
        member.avatarId = undefined;
        this.#tellFace(member);
      }
    }
    this.review();
    for (const member of this.#members.values()) {
      if (member.publication && !member.subscription) void this.#take(member, member.publication);
    }
  }

  /** Takes in who should be in and lets go who should not. */
  review(): void {
    const { room } = this.#options;
    if (room.isClosed || !this.#transport) return;
    for (const participant of room.visibleParticipants) {
      const videos = [...participant.publications.values()].filter(({ kind }) => kind === 'video');
      for (const publication of videos) {
        if (this.#isWanted(publication)) this.#admit(participant, publication);
        else this.#forget(publication);
      }
      const isFace = participant.kind === 'sip' && videos.length === 0 && this.#options.only?.(participant) !== false;
      if (isFace && (this.#rule === 'all' || this.#rule === 'phones')) this.#admit(participant, undefined);
      else this.#forget(participant);
    }
    for (const [key, { participant, publication }] of this.#members) {
      if (participant.isClosed || publication?.isClosed) this.#forget(key);
    }
  }

  /** A name, or a mute. */
  refresh(participant: Participant): void {
    for (const member of this.members) {
      if (member.participant !== participant) continue;
      this.#tell(member);
      this.#tellFace(member);
    }
  }

  arrange(places: readonly ViewPlace[]): void {
    for (const member of this.members) {
      member.place = places.find(({ inputId }) => inputId === member.id);
      void this.#fitLayers(member);
    }
  }

  noteSize(id: number, height: number): void {
    const member = this.find(id);
    if (!member?.subscription || !member.publication) return;
    const layer = member.subscription.currentLayers?.spatialLayer;
    const highest = layerCountOf(member.subscription) - 1;
    member.fullHeight = layer === undefined ? height : height * 2 ** Math.max(0, highest - layer);
    void this.#fitLayers(member);
  }

  requestKeyFrame(id: number): void {
    const subscription = this.find(id)?.subscription;
    if (!subscription?.isFlowing) return;
    subscription.consumer.requestKeyFrame().catch(() => {
      // It has just ended, and is forgotten in a moment.
    });
  }

  #isWanted(publication: Publication): boolean {
    const { only, choices } = this.#options;
    return only?.(publication.participant, publication) !== false && choices.has(publication, this.#rule);
  }

  #admit(participant: Participant, publication: Publication | undefined): void {
    const key = publication ?? participant;
    if (this.#members.has(key)) return;
    const member: ViewMember = {
      ...{ id: ++this.#lastId, participant, publication },
      ...{ subscription: undefined, place: undefined, fullHeight: undefined },
      ...{ spatialLayer: undefined, avatarId: undefined },
      ignoreVoice: listen(participant.voiceDelay.events, { changed: () => this.#tellDelay(member) }),
    };
    this.#members.set(key, member);
    this.#tell(member);
    this.#tellFace(member);
    if (publication) void this.#take(member, publication);
  }

  async #take(member: ViewMember, publication: Publication): Promise<void> {
    const { self, room, log } = this.#options;
    const transport = this.#transport;
    if (!transport || this.#taking.has(member)) return;
    this.#taking.add(member);
    try {
      const subscription = await self.subscribe(transport, publication, {
        rtpCapabilities: pictureCapabilities(room.media.rtpCapabilities),
      });
      if (this.#members.get(publication) !== member) {
        await subscription.close('requested');
        return;
      }
      member.subscription = subscription;
      member.spatialLayer = undefined;
      subscription.setPinned(true);
      subscription.events.on('closed', () => this.#forget(publication));
      this.#tell(member);
      await this.#fitLayers(member);
    } catch (error) {
      // Shown by its initials: a codec that is not decoded here, or a stream that has just ended.
      if (!publication.isClosed && !self.isClosed) {
        log.warn({ err: error, publication: publication.id }, 'stream not seen in a view');
      }
    } finally {
      this.#taking.delete(member);
    }
    // It came back to the rebuilt room before this did, and was asked for by the way that is gone.
    const isMissing = !member.subscription && this.#members.get(publication) === member && !self.isClosed;
    if (isMissing && this.#transport !== transport) void this.#take(member, publication);
  }

  /** The layer nearest to the cell; nothing at all for who waits. */
  async #fitLayers(member: ViewMember): Promise<void> {
    const { subscription, publication } = member;
    if (!subscription || !publication || subscription.isClosed) return;
    try {
      if (!member.place !== subscription.isPaused) {
        await (member.place ? subscription.resume() : subscription.pause());
      }
      // It may stand elsewhere by now.
      const { place, fullHeight } = member;
      const layerCount = layerCountOf(subscription);
      if (!place || layerCount < 2) return;
      const heightOf = (layer: number) => (fullHeight ?? likelyHeight) / 2 ** (layerCount - 1 - layer);
      let spatialLayer = 0;
      while (spatialLayer < layerCount - 1 && heightOf(spatialLayer) < place.height * closeEnough) spatialLayer += 1;
      if (spatialLayer === member.spatialLayer) return;
      member.spatialLayer = spatialLayer;
      await subscription.consumer.setPreferredLayers({ spatialLayer });
    } catch (error) {
      // It ended while it was told.
      this.#options.log.debug({ err: error, publication: publication.id }, 'layer of a view not chosen');
    }
  }

  /** The view has ended. */
  close(): void {
    this.#ignoreChoices();
    for (const key of [...this.#members.keys()]) this.#forget(key);
  }

  #forget(key: Publication | Participant): void {
    const member = this.#members.get(key);
    if (!member) return;
    this.#members.delete(key);
    member.ignoreVoice();
    this.#options.send({ type: 'dropViewInput', inputId: member.id });
    void member.subscription?.close('requested');
  }

  #tell(member: ViewMember): void {
    this.#options.send({ type: 'putViewInput', input: describe(member) });
    this.#tellDelay(member);
  }

  /** Only where it is another: it may have a hundred kilobytes. */
  #tellFace(member: ViewMember): void {
    const { avatar } = member.participant;
    if (avatar?.id === member.avatarId) return;
    member.avatarId = avatar?.id;
    this.#options.send({ type: 'faceViewInput', inputId: member.id, image: avatar?.data });
  }

  #tellDelay({ id: inputId, participant }: ViewMember): void {
    const delayMs = this.#options.delayMs ?? participant.voiceDelay.ms ?? 0;
    this.#options.send({ type: 'delayViewInput', inputId, delayMs });
  }
}

function describe({ id, participant, publication, subscription }: ViewMember): ViewInput {
  return {
    inputId: id,
    name: participant.displayName.slice(0, 256),
    isShared: publication?.source === 'screen',
    isMuted: publication?.isMuted ?? true,
    stream: subscription && pictureStreamOf(subscription),
  };
}

/** Of simulcast, or within one stream (`L3T3_KEY`, W3C webrtc-svc §5). */
function layerCountOf({ publication, consumer }: Subscription): number {
  const [, spatialLayers] = /^L([1-9])T/.exec(consumer.rtpParameters.encodings?.[0]?.scalabilityMode ?? '') ?? [];
  return consumer.type === 'svc' ? Number(spatialLayers ?? 1) : publication.encodingCount;
}

/** @returns undefined for a codec that is not decoded here */
export function pictureStreamOf({ consumer, publication }: Subscription): ViewInput['stream'] {
  const { codecs, encodings, headerExtensions } = consumer.rtpParameters;
  const [used] = codecs;
  const ssrc = encodings?.[0]?.ssrc;
  const codec = used && decodable.find((name) => used.mimeType.toLowerCase() === `video/${name}`);
  if (!used || !codec || ssrc === undefined) return undefined;
  const orientationExtensionId = headerExtensions?.find(({ uri }) => uri === orientationUri)?.id;
  const { timeline } = publication;
  return { ssrc, payloadType: used.payloadType, codec, orientationExtensionId, timeline };
}

/** What is decoded here, as the room has it, with the camera's orientation. */
export function pictureCapabilities({ codecs = [], headerExtensions = [] }: RtpCapabilities): RtpCapabilities {
  return {
    codecs: codecs.filter(({ mimeType }) => decodable.some((name) => mimeType.toLowerCase() === `video/${name}`)),
    headerExtensions: headerExtensions.filter(({ kind, uri }) => kind === 'video' && uri === orientationUri),
  };
}
