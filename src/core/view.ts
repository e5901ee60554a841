// Owns: a view of a room: the job that composes it, who watches it in which encoding, how it looks. May import: core only.
import { EventEmitter } from 'node:events';
import type { EncodedStream } from './encoded-streams.ts';
import { GatewayError } from './errors.ts';
import { FormattedStreams } from './formatted-streams.ts';
import type { JobLink } from './job.ts';
import type { CloseReason } from './lifecycle.ts';
import { listen } from './listen.ts';
import { type PictureEvent, PictureJob } from './picture-job.ts';
import type { Logger, MediaPort } from './ports.ts';
import type { Room } from './room.ts';
import { usualMedia } from './room-media.ts';
import { factsOfView, requestForFormat, type StreamFormat } from './stream-format.ts';
import type { Publication } from './track.ts';
import type { TranscodedStream } from './transcode-port.ts';
import type { ViewChoices } from './view-choices.ts';
import { ViewInputs, type ViewInputsOptions, type ViewMember } from './view-inputs.ts';
import { encoderRequestFor, type ViewRequest, type ViewSettings } from './view-settings.ts';

/** A view that nobody watches is kept so long: a page that is loaded again need not wait for it. */
const lingerMs = 5_000;

export interface ViewOptions {
  readonly room: Room;
  readonly media: MediaPort;
  readonly settings: ViewSettings;
  readonly choices: ViewChoices;
  /** Nobody else is ever in it. */
  readonly only?: ViewInputsOptions['only'];
  /** So late are all its pictures, rather than as late as the voices in the mix. */
  readonly delayMs?: number | undefined;
  readonly log: Logger;
}

export type ViewEvents = {
  /** Who stands where, or how it looks. */
  changed: [];
  closed: [reason: CloseReason];
};

/** The view in one encoding, for one who asked. */
export type ViewStream = EncodedStream;

/**
 * Subscribes to the room's pictures as a hidden participant and publishes what is composed of them, once for each
 * distinct request.
 */
export class View extends PictureJob {
  readonly events = new EventEmitter<ViewEvents>();
  readonly inputs: ViewInputs;
  readonly #formatted: FormattedStreams;
  #settings: ViewSettings;
  #order: readonly number[] = [];
  #pinned: number | undefined;

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `closed` */
  static async start(options: ViewOptions): Promise<View> {
    const view = new View(options);
    try {
      const { width, height, framerateHz } = options.settings.video;
      await view.begin({ kind: 'view', width, height, framerateHz });
    } catch (error) {
      await view.close('failed');
      throw error;
    }
    return view;
  }

  private constructor({ room, media, settings, choices, only, delayMs, log }: ViewOptions) {
    super({
      ...{ room, media, lingerMs, endWords: 'This view has ended.' },
      ...{ user: 'view', displayName: 'View', label: `View ${settings.name}` },
      log: log.child({ viewOf: room.name, view: settings.name }),
    });
    this.#settings = settings;
    this.#formatted = new FormattedStreams({
      ...{ streams: this.streams, log: this.log },
      requestFor: (format) => requestForFormat(format, factsOfView(this.#settings), this.room.record),
    });
    this.events.setMaxListeners(0);
    this.inputs = new ViewInputs(settings.autoMix, {
      ...{ room, self: this.self, send: (command) => this.send(command), log: this.log },
      ...{ choices, only, delayMs },
    });
    const unlisten = listen(room.events, {
      publicationAdded: () => this.inputs.review(),
      publicationRemoved: () => this.inputs.review(),
      participantJoined: () => this.inputs.review(),
      participantLeft: () => this.inputs.review(),
      participantUpdated: (participant) => this.inputs.refresh(participant),
      publicationUpdated: ({ participant }) => this.inputs.refresh(participant),
      activeSpeakerChanged: () => this.#tellSpeaker(),
    });
    this.signal.addEventListener('abort', unlisten, { once: true });
  }

  get name(): string {
    return this.#settings.name;
  }

  get settings(): ViewSettings {
    return this.#settings;
  }

  get pinned(): ViewMember | undefined {
    return this.#pinned === undefined ? undefined : this.inputs.find(this.#pinned);
  }

  /** Everybody, primary first, those who wait last. */
  get order(): readonly ViewMember[] {
    return this.#order.flatMap((id) => this.inputs.find(id) ?? []);
  }

  /** Its publications are no inputs of anybody. */
  isOwn(publication: Publication): boolean {
    return publication.participant === this.self;
  }

  /**
   * The view in an encoding; equal wishes share one. Close it when nobody watches any more.
   * @throws GatewayError `invalid_request`, `overloaded`, `media_lost`, `timeout`, `closed`
   */
  async open(wish: ViewRequest = {}): Promise<ViewStream> {
    if (this.isClosed) throw new GatewayError('closed', 'This view has ended.');
    const request = encoderRequestFor(this.#settings, wish);
    const { format } = (this.room.record.mediaOut ?? usualMedia.mediaOut).video;
    if (!format.includes(request.codec)) {
      throw new GatewayError(
        'invalid_request',
        `This room gives no ${request.codec}; its mediaOut is ${format.join(', ')}.`,
      );
    }
    return this.streams.open(request, true);
  }

  /**
   * The view as one receiver wants it, under a publication of its own; `x1/2` stays half of what the view is.
   * @throws GatewayError `invalid_request`, `forbidden`, `overloaded`, `media_lost`, `timeout`, `closed`
   */
  async openFormat(format: StreamFormat): Promise<TranscodedStream> {
    if (this.isClosed) throw new GatewayError('closed', 'This view has ended.');
    return this.#formatted.open(format);
  }

  /** Live, for everybody who watches; who asked for the view's own size or rate gets the new one. */
  apply(settings: ViewSettings): void {
    const past = this.#settings;
    this.#settings = settings;
    this.inputs.setRule(settings.autoMix);
    if (JSON.stringify(past.video) !== JSON.stringify(settings.video)) this.#resize(past);
    this.#sendLook(past);
    this.events.emit('changed');
  }

  /** @param name id of a publication or participant in it. @throws GatewayError `not_found` */
  setPrimary(name: string): void {
    const { id } = this.#named(name);
    this.#unpinFor(id);
    this.send({ type: 'leadView', inputId: id });
  }

  /** @param name undefined: nobody. @throws GatewayError `not_found` */
  pin(name: string | undefined): void {
    this.#pinned = name === undefined ? undefined : this.#named(name).id;
    this.send({ type: 'pinView', inputId: this.#pinned });
    this.events.emit('changed');
  }

  /** @throws GatewayError `not_found` */
  swap(one: string, other: string): void {
    const [first, second] = [this.#named(one).id, this.#named(other).id];
    if (first === this.#pinned) this.#unpinFor(second);
    if (second === this.#pinned) this.#unpinFor(first);
    this.send({ type: 'swapView', inputIds: [first, second] });
  }

  /** Those named come first, in this order. @throws GatewayError `not_found` */
  reorder(names: readonly string[]): void {
    const inputIds = names.map((name) => this.#named(name).id);
    const [first] = inputIds;
    if (first !== undefined) this.#unpinFor(first);
    this.send({ type: 'orderView', inputIds });
  }

  protected override onAttached(link: JobLink, isNewWorker: boolean): void {
    if (isNewWorker) {
      this.#sendSize();
      this.send({ type: 'lookView', look: this.#settings.look });
    }
    this.inputs.attach(link.transport, isNewWorker, this.#order);
    if (!isNewWorker) return;
    this.send({ type: 'orderView', inputIds: this.#order });
    if (this.#pinned !== undefined) this.send({ type: 'pinView', inputId: this.#pinned });
    this.#tellSpeaker();
  }

  protected override onPictures(event: PictureEvent): void {
    switch (event.type) {
      case 'viewArranged':
        this.#order = event.order;
        this.inputs.arrange(event.places);
        this.events.emit('changed');
        return;
      case 'viewInputSized':
        this.inputs.noteSize(event.inputId, event.height);
        return;
      case 'viewKeyFrameWanted':
        this.inputs.requestKeyFrame(event.inputId);
        return;
    }
  }

  /** Encoders of the view's own size, rate or bitrate become those of the new one; other wishes stay what they were. */
  #resize(past: ViewSettings): void {
    this.#sendSize();
    this.streams.review((request) => {
      const own = encoderRequestFor(past, { codec: request.codec, profile: request.profile });
      const now = encoderRequestFor(this.#settings, { codec: request.codec, profile: request.profile });
      const kept = Object.entries(request).filter(([key, value]) => value !== own[key as keyof typeof own]);
      return { ...now, ...Object.fromEntries(kept) };
    });
    this.#formatted.follow();
  }

  /** @param past what was said before: whatever else of the room is changed, nothing is painted anew */
  #sendLook(past: ViewSettings): void {
    const { backgroundImage, ...look } = this.#settings.look;
    const { backgroundImage: pastImage, ...pastLook } = past.look;
    if (backgroundImage !== pastImage) this.send({ type: 'lookView', look: this.#settings.look });
    else if (JSON.stringify(look) !== JSON.stringify(pastLook)) this.send({ type: 'lookView', look, keepsImage: true });
  }

  #sendSize(): void {
    const { width, height, framerateHz } = this.#settings.video;
    this.send({ type: 'resizeView', width, height, framerateHz });
  }

  /** Somebody is put first by hand: whoever was pinned there is so no more. @param primary id of an input */
  #unpinFor(primary: number): void {
    if (this.#pinned !== undefined && this.#pinned !== primary) this.pin(undefined);
  }

  #named(name: string): ViewMember {
    const member = this.inputs.named(name);
    if (!member) throw new GatewayError('not_found', `"${name.slice(0, 64)}" is not in the view "${this.name}".`);
    return member;
  }

  #tellSpeaker(): void {
    const { activeSpeaker } = this.room;
    const inputId = activeSpeaker === null ? undefined : this.inputs.speaking(activeSpeaker)?.id;
    this.send({ type: 'speakView', inputId });
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    this.inputs.close();
    await super.onClose(reason);
    this.events.emit('closed', reason);
  }
}
