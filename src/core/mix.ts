// Owns: the audio mix of one room: the job that makes it, the legs that hear it, the room's streams that go into it.
// May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';
import { joinHidden } from './hidden-participant.ts';
import type { Job, JobHost, JobLink, JobTrack } from './job.ts';
import { Leg, type LegMix, type LegOptions } from './leg.ts';
import { type LegCodec, legCodecs } from './leg-media.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import {
  firstTapTrackId,
  type MixCommand,
  type MixEvent,
  type MixInput,
  type MixJobSpec,
  mixTrackId,
} from './mix-messages.ts';
import type { Participant } from './participant.ts';
import { PassingMap } from './passing-map.ts';
import type { Logger, MediaPort, SfuPlainTransport, SfuRoom } from './ports.ts';
import type { Room } from './room.ts';
import type { RtpCapabilities } from './rtp.ts';
import type { Publication, Subscription } from './track.ts';
import { firstVideoTrackId } from './video-leg-media.ts';

const levelUri = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
/** A mix that nobody needs is kept so long: the next caller need not wait for its job. */
const lingerMs = 5_000;
/** After the room has closed; longer than any goodbye. */
const farewellMs = 8_000;
/** Of a leg that goes to another mix. */
const maxReleaseMs = 2_000;

export interface MixOptions {
  readonly room: Room;
  readonly media: MediaPort;
  readonly spec: MixJobSpec;
  readonly log: Logger;
}

export type MixEvents = { closed: [reason: CloseReason] };

interface Input {
  readonly id: number;
  readonly publication: Publication;
  subscription: Subscription | undefined;
}

/**
 * Listens to every audio publication of the room but those of its own legs, as a hidden participant, and lets each leg
 * hear all but itself. Outlives media workers and SFU workers.
 */
export class Mix extends Owned implements JobHost, LegMix {
  readonly room: Room;
  readonly events = new EventEmitter<MixEvents>();
  readonly legs = new PassingMap<number, Leg>();
  readonly #options: MixOptions;
  readonly #log: Logger;
  readonly #self: Participant;
  readonly #inputs = new Map<Publication, Input>();
  readonly #opening = new PassingMap<number, PromiseWithResolvers<void>>();
  /** Legs that go to another mix, until their ports are free. */
  readonly #leaving = new PassingMap<number, () => void>();
  #job: Job | undefined;
  #link: JobLink | undefined;
  #lastInputId = 0;
  #stream: { readonly by: Participant; publication: Publication | undefined } | undefined;
  #streamReady: PromiseWithResolvers<Publication> | undefined;
  #lingerTimer: NodeJS.Timeout | undefined;

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `closed` */
  static async start(options: MixOptions): Promise<Mix> {
    const mix = new Mix(options);
    try {
      await mix.#start();
    } catch (error) {
      await mix.close('failed');
      throw error;
    }
    return mix;
  }

  private constructor(options: MixOptions) {
    super();
    const { room } = options;
    this.#options = options;
    this.room = room;
    this.#log = options.log.child({ mixOf: room.name });
    this.#self = joinHidden(room, 'mixer', 'Mixer');
    this.#self.events.on('mediaRestarted', () => void this.#relink());
    void this.#self.done.then((reason) => this.#endWith(reason));
    const { events } = room;
    events.on('publicationAdded', this.#admit);
    events.on('publicationRemoved', this.#forget);
    this.#reviewUse();
  }

  /** Whoever is on the phone is told that the room has closed: their legs say goodbye, then hang up. */
  #endWith(reason: CloseReason): void {
    if (!this.room.signal.aborted || this.legs.size === 0) {
      void this.close(reason === 'requested' ? 'parent_closed' : reason);
      return;
    }
    const end = () => void this.close('parent_closed');
    const timer = setTimeout(end, farewellMs).unref();
    for (const leg of this.legs.values()) {
      void leg.done.then(() => {
        if (this.legs.size > 0) return;
        clearTimeout(timer);
        end();
      });
    }
  }

  get media(): SfuRoom {
    return this.room.media;
  }

  get job(): Job | undefined {
    return this.#job;
  }

  /** @throws GatewayError `conflict` when its port is taken; `media_lost`, `closed` */
  async addLeg(options: LegOptions): Promise<Leg> {
    if (this.isClosed || !this.#job) throw new GatewayError('closed', 'The mix of this room has ended.');
    const leg = new Leg(this, options);
    await this.#open(leg);
    return leg;
  }

  /**
   * Lets go of a leg whose participant has left: another mix takes it over, ports and streams as they stand.
   * @returns once its ports are free
   */
  async release(leg: Leg): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#leaving.set(leg.id, closed.resolve);
    this.disown(leg);
    this.send({ type: 'closeLeg', legId: leg.id, isMoving: true });
    // With a worker that has died the ports are free as well.
    const timer = setTimeout(closed.resolve, maxReleaseMs).unref();
    await Promise.race([closed.promise, this.done]);
    clearTimeout(timer);
    this.#leaving.delete(leg.id);
    this.legs.delete(leg.id);
    this.#reviewUse();
  }

  /** Takes over a leg that another mix has let go of. @throws GatewayError `conflict`, `media_lost`, `closed` */
  async adopt(leg: Leg): Promise<void> {
    // Opened all the same, it would have ports that nobody closes.
    if (leg.isClosed) throw new GatewayError('closed', 'This call leg is over.');
    if (this.isClosed || !this.#job) throw new GatewayError('closed', 'The mix of this room has ended.');
    leg.joinMix(this);
    await this.#open(leg);
  }

  /** Closes it where that cannot be done. */
  async #open(leg: Leg): Promise<void> {
    const opening = Promise.withResolvers<void>();
    this.#opening.set(leg.id, opening);
    this.legs.set(leg.id, leg);
    this.#reviewUse();
    void leg.done.then(() => {
      this.legs.delete(leg.id);
      opening.reject(new GatewayError('closed', 'This call leg is over.'));
      this.#opening.delete(leg.id);
      this.#reviewUse();
    });
    this.own(leg);
    for (const command of leg.describe()) this.send(command);
    leg.video?.describe();
    try {
      await opening.promise;
    } catch (error) {
      await leg.close('failed');
      throw error;
    }
  }

  /**
   * The mix of everybody as a stream of the room, for views, egress and MCU clients.
   * @param by who publishes it; the mix's own hidden participant when absent
   */
  publishStream(by: Participant = this.#self): Promise<Publication> {
    if (this.isClosed) throw new GatewayError('closed', 'The mix of this room has ended.');
    if (this.#streamReady) return this.#streamReady.promise;
    const ready = Promise.withResolvers<Publication>();
    this.#streamReady = ready;
    ready.promise.catch(() => undefined);
    this.#stream = { by, publication: undefined };
    this.send({ type: 'setMixTrack', isOn: true });
    this.#reviewUse();
    return ready.promise;
  }

  unpublishStream(): void {
    const { publication } = this.#stream ?? {};
    this.#stream = undefined;
    this.#streamReady?.reject(new GatewayError('closed', 'The stream of the mix was stopped.'));
    this.#streamReady = undefined;
    void publication?.close('requested');
    this.send({ type: 'setMixTrack', isOn: false });
    this.#reviewUse();
  }

  async publishTrack(transport: SfuPlainTransport, { id, rtpParameters, timeline }: JobTrack): Promise<void> {
    if (id >= firstVideoTrackId) {
      await this.legs.get(id - firstVideoTrackId)?.video?.publish(transport, rtpParameters, timeline);
      return;
    }
    if (id >= firstTapTrackId) {
      await this.legs.get(id - firstTapTrackId)?.publishTap(this.#self, transport, { rtpParameters, timeline });
      return;
    }
    if (id !== mixTrackId) {
      await this.legs.get(id)?.publishVoice(transport, { rtpParameters, timeline });
      return;
    }
    const stream = this.#stream;
    if (!stream) return;
    const past = stream.publication;
    await past?.close('replaced');
    const publication = await stream.by.publish(transport, {
      kind: 'audio',
      source: 'other',
      label: 'Mix',
      rtpParameters,
      timeline,
      id: past?.id,
    });
    // It was stopped and asked for again meanwhile: the worker has closed that track, and announces another.
    if (this.#stream !== stream) {
      await publication.close('replaced');
      return;
    }
    stream.publication = publication;
    this.#streamReady?.resolve(publication);
  }

  unpublishTrack(trackId: number): void {
    if (trackId >= firstVideoTrackId) this.legs.get(trackId - firstVideoTrackId)?.video?.unpublish();
    else if (trackId >= firstTapTrackId) this.legs.get(trackId - firstTapTrackId)?.unpublishTap();
    else this.legs.get(trackId)?.unpublishVoice();
  }

  attached(link: JobLink, isNewWorker: boolean): void {
    this.#link = link;
    if (isNewWorker) {
      for (const leg of this.legs.values()) {
        // Its ports were freed by the death of the worker that had them.
        const noteFree = this.#leaving.get(leg.id);
        if (noteFree) {
          noteFree();
          continue;
        }
        for (const command of leg.describe()) this.send(command);
        leg.video?.describe();
        leg.noteRestart();
      }
      if (this.#stream) this.send({ type: 'setMixTrack', isOn: true });
      for (const input of this.#inputs.values()) this.#describeInput(input);
    }
    for (const publication of this.room.publications()) this.#admit(publication);
    for (const { video } of this.legs.values()) video?.review();
  }

  received(event: MixEvent): void {
    if (event.type === 'mixInputDelayed') {
      this.#noteDelay(event.inputId, event.delayMs);
      return;
    }
    const opening = this.#opening.get(event.legId);
    if (event.type === 'legOpened') {
      opening?.resolve();
    } else if (event.type === 'legClosed') {
      this.#leaving.get(event.legId)?.();
    } else if (event.type === 'legRefused') {
      // A port that was free when it was taken and is not after its worker died cannot be had back.
      if (opening) opening.reject(new GatewayError('conflict', event.message));
      void this.legs.get(event.legId)?.close('failed');
    } else {
      this.legs.get(event.legId)?.receive(event);
    }
  }

  async #start(): Promise<void> {
    const { media, spec } = this.#options;
    const job = await media.startJob({ spec, host: this, log: this.#log });
    this.#job = this.own(job);
    void job.done.then((reason) => this.close(reason));
  }

  readonly #admit = (publication: Publication) => {
    const { participant, kind } = publication;
    if (kind !== 'audio' || participant === this.#self || publication === this.#stream?.publication) return;
    if (participant === this.#stream?.by && publication.source === 'other') return;
    const known = this.#inputs.get(publication);
    if (known || !this.#link) return;
    // A leg's own voice is in the mix already.
    for (const leg of this.legs.values()) if (leg.participant === participant) return;
    const input: Input = { id: ++this.#lastInputId, publication, subscription: undefined };
    this.#inputs.set(publication, input);
    void this.#take(input, this.#link);
  };

  async #take(input: Input, link: JobLink): Promise<void> {
    const { publication } = input;
    try {
      const subscription = await this.#self.subscribe(link.transport, publication, {
        rtpCapabilities: voiceCapabilities(this.room.media.rtpCapabilities),
      });
      input.subscription = subscription;
      subscription.setPinned(true);
      subscription.events.on('closed', () => this.#forget(publication));
      this.#describeInput(input);
      await subscription.resume();
    } catch (error) {
      if (this.#inputs.get(publication) === input) this.#inputs.delete(publication);
      if (publication.isClosed || this.isClosed) return;
      this.#log.warn({ err: error, publication: publication.id }, 'stream not mixed');
      // It came back to the rebuilt room before this did, and was asked for by the way that is gone.
      if (this.#link !== link) this.#admit(publication);
    }
  }

  #describeInput({ id, subscription }: Input): void {
    const input = subscription && describeConsumer(id, subscription);
    if (input) this.send({ type: 'addInput', ...input });
  }

  /** Whose picture is seen is to be seen when he is heard. */
  #noteDelay(inputId: number, delayMs: number): void {
    const input = [...this.#inputs.values()].find(({ id }) => id === inputId);
    if (input && input.publication.source !== 'screen_audio') input.publication.participant.voiceDelay.set(delayMs);
  }

  readonly #forget = (publication: Publication) => {
    const input = this.#inputs.get(publication);
    if (!input) return;
    this.#inputs.delete(publication);
    if (publication.source !== 'screen_audio') publication.participant.voiceDelay.set(undefined);
    this.send({ type: 'removeInput', inputId: input.id });
    void input.subscription?.close('requested');
  };

  async #relink(): Promise<void> {
    if (!this.#job || this.isClosed) return;
    try {
      await this.#options.media.relinkJob(this.#job);
    } catch (error) {
      this.#log.warn({ err: error }, 'mix not plumbed to the new media of its room');
      await this.close('failed');
    }
  }

  get transport(): SfuPlainTransport | undefined {
    return this.#link?.transport;
  }

  send(command: MixCommand): void {
    this.#link?.send(command);
  }

  #reviewUse(): void {
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    if (this.isClosed || this.legs.size > 0 || this.#stream) return;
    this.#lingerTimer = setTimeout(() => void this.close('idle'), lingerMs).unref();
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#lingerTimer);
    const { events } = this.room;
    events.off('publicationAdded', this.#admit);
    events.off('publicationRemoved', this.#forget);
    this.#streamReady?.reject(new GatewayError('closed', 'The mix of this room has ended.'));
    for (const publication of [...this.#inputs.keys()]) this.#forget(publication);
    await this.#self.close('requested');
    this.events.emit('closed', reason);
  }
}

/** Every audio codec as the room has it, and the level that spares decoding the silent. */
function voiceCapabilities({ codecs = [], headerExtensions = [] }: RtpCapabilities): RtpCapabilities {
  return {
    codecs: codecs.filter(
      ({ kind, mimeType }) => kind === 'audio' && legCodecs.some((name) => isCodec(mimeType, name)),
    ),
    headerExtensions: headerExtensions.filter(({ kind, uri }) => kind === 'audio' && uri === levelUri),
  };
}

function isCodec(mimeType: string, codec: LegCodec): boolean {
  return mimeType.toLowerCase() === `audio/${codec}`;
}

function describeConsumer(inputId: number, { consumer, publication }: Subscription): MixInput | undefined {
  const { codecs, encodings, headerExtensions } = consumer.rtpParameters;
  const [used] = codecs;
  const codec = used && legCodecs.find((name) => isCodec(used.mimeType, name));
  const ssrc = encodings?.[0]?.ssrc;
  if (!used || !codec || ssrc === undefined) return undefined;
  const levelExtensionId = headerExtensions?.find(({ uri }) => uri === levelUri)?.id;
  const { timeline } = publication;
  return { inputId, ssrc, payloadType: used.payloadType, codec, levelExtensionId, timeline };
}
