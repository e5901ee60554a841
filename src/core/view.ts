// Owns: a view of a room: the job that composes it, who watches it in which encoding, how it looks. May import: core only.
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';
import type { Job, JobHost, JobLink, JobTrack } from './job.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import { listen } from './listen.ts';
import type { Participant } from './participant.ts';
import type { Logger, MediaPort, SfuPlainTransport, SfuRoom } from './ports.ts';
import type { Room } from './room.ts';
import type { Publication } from './track.ts';
import { ViewInputs, type ViewInputsOptions, type ViewMember } from './view-inputs.ts';
import type { EncoderRequest, ViewCommand, ViewEvent, ViewStats } from './view-messages.ts';
import {
  changeView,
  encoderRequestFor,
  type ViewChange,
  type ViewRequest,
  type ViewSettings,
} from './view-settings.ts';

/** A view that nobody watches is kept so long: a page that is loaded again need not wait for it. */
const lingerMs = 5_000;
/** The worker that is to make an encoder may be dying; whoever waits for it is told after this. */
const openTimeoutMs = 10_000;

export interface ViewOptions {
  readonly room: Room;
  readonly media: MediaPort;
  readonly settings: ViewSettings;
  /** Nobody else is ever in it. */
  readonly only?: ViewInputsOptions['only'];
  readonly log: Logger;
}

export type ViewEvents = {
  /** Who stands where, or how it looks. */
  changed: [];
  closed: [reason: CloseReason];
};

/** The view in one encoding, for one who asked. */
export interface ViewStream {
  readonly request: EncoderRequest;
  /** Another one, under the same id, after the room's media was lost. */
  readonly publication: Publication;
  close(): void;
}

interface SharedStream {
  readonly trackId: number;
  readonly key: string;
  readonly request: EncoderRequest;
  readonly ready: PromiseWithResolvers<Publication>;
  publication: Publication | undefined;
  users: number;
}

/**
 * Subscribes to the room's pictures as a hidden participant and publishes what is composed of them, once for each
 * distinct request. Outlives media workers and SFU workers: whatever a new one must know is said again from here.
 */
export class View extends Owned implements JobHost {
  readonly room: Room;
  readonly events = new EventEmitter<ViewEvents>();
  readonly inputs: ViewInputs;
  readonly #options: ViewOptions;
  readonly #log: Logger;
  readonly #self: Participant;
  readonly #streams = new Map<number, SharedStream>();
  #settings: ViewSettings;
  #job: Job | undefined;
  #link: JobLink | undefined;
  #order: readonly number[] = [];
  #pinned: number | undefined;
  #stats: ViewStats | undefined;
  #lastTrackId = 0;
  #lingerTimer: NodeJS.Timeout | undefined;

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `closed` */
  static async start(options: ViewOptions): Promise<View> {
    const view = new View(options);
    try {
      await view.#start();
    } catch (error) {
      await view.close('failed');
      throw error;
    }
    return view;
  }

  private constructor(options: ViewOptions) {
    super();
    const { room, settings } = options;
    this.#options = options;
    this.#settings = settings;
    this.room = room;
    this.events.setMaxListeners(0);
    this.#log = options.log.child({ viewOf: room.name, view: settings.name });
    this.#self = joinHidden(room);
    this.#self.events.on('mediaRestarted', () => void this.#relink());
    void this.#self.done.then((reason) => this.close(reason === 'requested' ? 'parent_closed' : reason));
    const send = (command: ViewCommand) => this.#send(command);
    this.inputs = new ViewInputs(settings.autoMix, {
      ...{ room, self: this.#self, send, log: this.#log },
      only: options.only,
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
    this.#reviewUse();
  }

  get name(): string {
    return this.#settings.name;
  }

  get settings(): ViewSettings {
    return this.#settings;
  }

  get media(): SfuRoom {
    return this.room.media;
  }

  get job(): Job | undefined {
    return this.#job;
  }

  /** Of the last second; undefined before the first. */
  get stats(): ViewStats | undefined {
    return this.#stats;
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
    return publication.participant === this.#self;
  }

  /**
   * The view in an encoding; equal wishes share one. Close it when nobody watches any more.
   * @throws GatewayError `invalid_request`, `overloaded`, `media_lost`, `timeout`, `closed`
   */
  async open(wish: ViewRequest = {}): Promise<ViewStream> {
    if (this.isClosed) throw new GatewayError('closed', 'This view has ended.');
    const request = encoderRequestFor(this.#settings, wish);
    const key = JSON.stringify(request);
    const known = [...this.#streams.values()].find((stream) => stream.key === key);
    const stream = known ?? this.#addStream(key, request);
    stream.users += 1;
    this.#reviewUse();
    try {
      await withTimeout(stream.ready.promise);
    } catch (error) {
      this.#release(stream);
      throw error;
    }
    return this.#handleOf(stream);
  }

  /** Live, for everybody who watches. @throws GatewayError `invalid_request` */
  change(change: ViewChange): void {
    this.apply(changeView(this.#settings, change));
  }

  /** As `change()`, with the whole. Size and rate stay what they were while it runs. */
  apply(settings: ViewSettings): void {
    this.#settings = { ...settings, video: this.#settings.video };
    this.inputs.setRule(settings.autoMix);
    this.#send({ type: 'lookView', look: settings.look });
    this.events.emit('changed');
  }

  /** @param name id of a publication or participant in it. @throws GatewayError `not_found` */
  setPrimary(name: string): void {
    this.#send({ type: 'leadView', inputId: this.#named(name).id });
  }

  /** @param name undefined: nobody. @throws GatewayError `not_found` */
  pin(name: string | undefined): void {
    this.#pinned = name === undefined ? undefined : this.#named(name).id;
    this.#send({ type: 'pinView', inputId: this.#pinned });
    this.events.emit('changed');
  }

  /** @throws GatewayError `not_found` */
  swap(one: string, other: string): void {
    this.#send({ type: 'swapView', inputIds: [this.#named(one).id, this.#named(other).id] });
  }

  /** Those named come first, in this order. @throws GatewayError `not_found` */
  reorder(names: readonly string[]): void {
    this.#send({ type: 'orderView', inputIds: names.map((name) => this.#named(name).id) });
  }

  async publishTrack(transport: SfuPlainTransport, { id, rtpParameters }: JobTrack): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) return;
    const past = stream.publication;
    await past?.close('replaced');
    stream.publication = await this.#self.publish(transport, {
      kind: 'video',
      source: 'other',
      label: `View ${this.name}`,
      rtpParameters,
      id: past?.id,
    });
    stream.ready.resolve(stream.publication);
  }

  unpublishTrack(trackId: number): void {
    void this.#streams.get(trackId)?.publication?.close('requested');
  }

  attached(link: JobLink, isNewWorker: boolean): void {
    this.#link = link;
    if (isNewWorker) this.#send({ type: 'lookView', look: this.#settings.look });
    this.inputs.attach(link.transport, isNewWorker, this.#order);
    if (!isNewWorker) return;
    this.#send({ type: 'orderView', inputIds: this.#order });
    if (this.#pinned !== undefined) this.#send({ type: 'pinView', inputId: this.#pinned });
    this.#tellSpeaker();
    for (const { trackId, request } of this.#streams.values())
      this.#send({ type: 'openViewEncoder', trackId, request });
  }

  received(event: ViewEvent): void {
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
      case 'viewEncoderRefused':
        this.#failStream(event.trackId, event.message);
        return;
      case 'viewMeasured':
        this.#stats = event.stats;
        return;
    }
  }

  async #start(): Promise<void> {
    const { media, settings } = this.#options;
    const { width, height, framerateHz } = settings.video;
    const spec = { kind: 'view', width, height, framerateHz } as const;
    const job = await media.startJob({ spec, host: this, log: this.#log });
    this.#job = this.own(job);
    void job.done.then((reason) => this.close(reason));
  }

  #addStream(key: string, request: EncoderRequest): SharedStream {
    const ready = Promise.withResolvers<Publication>();
    ready.promise.catch(() => undefined);
    const stream = { trackId: ++this.#lastTrackId, key, request, ready, publication: undefined, users: 0 };
    this.#streams.set(stream.trackId, stream);
    this.#send({ type: 'openViewEncoder', trackId: stream.trackId, request });
    return stream;
  }

  #handleOf(stream: SharedStream): ViewStream {
    let isClosed = false;
    return {
      request: stream.request,
      get publication(): Publication {
        if (!stream.publication) throw new GatewayError('media_lost', 'This view is being started again.');
        return stream.publication;
      },
      close: () => {
        if (isClosed) return;
        isClosed = true;
        this.#release(stream);
      },
    };
  }

  #release(stream: SharedStream): void {
    stream.users -= 1;
    if (stream.users > 0 || this.#streams.get(stream.trackId) !== stream) return;
    this.#streams.delete(stream.trackId);
    void stream.publication?.close('requested');
    this.#send({ type: 'closeViewEncoder', trackId: stream.trackId });
    this.#reviewUse();
  }

  #failStream(trackId: number, message: string): void {
    const stream = this.#streams.get(trackId);
    if (!stream) return;
    this.#streams.delete(trackId);
    this.#log.warn({ request: stream.request, detail: message }, 'view not encoded');
    stream.ready.reject(new GatewayError('overloaded', message, { retryAfterMs: 10_000 }));
    void stream.publication?.close('failed');
    this.#reviewUse();
  }

  #named(name: string): ViewMember {
    const member = this.inputs.named(name);
    if (!member) throw new GatewayError('not_found', `"${name.slice(0, 64)}" is not in the view "${this.name}".`);
    return member;
  }

  #tellSpeaker(): void {
    const { activeSpeaker } = this.room;
    const inputId = activeSpeaker === null ? undefined : this.inputs.speaking(activeSpeaker)?.id;
    this.#send({ type: 'speakView', inputId });
  }

  async #relink(): Promise<void> {
    if (!this.#job || this.isClosed) return;
    try {
      await this.#options.media.relinkJob(this.#job);
    } catch (error) {
      this.#log.warn({ err: error }, 'view not plumbed to the new media of its room');
      await this.close('failed');
    }
  }

  #send(command: ViewCommand): void {
    this.#link?.send(command);
  }

  #reviewUse(): void {
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    if (this.isClosed || this.#streams.size > 0) return;
    this.#lingerTimer = setTimeout(() => void this.close('idle'), lingerMs).unref();
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#lingerTimer);
    for (const { ready } of this.#streams.values()) ready.reject(new GatewayError('closed', 'This view has ended.'));
    this.#streams.clear();
    await this.#self.close('requested');
    this.events.emit('closed', reason);
  }
}

function joinHidden(room: Room): Participant {
  const [{ role } = { role: 'presenter' }] = room.record.roles;
  const all = { audio: true, video: true, data: true };
  const self = room.join({ kind: 'bot', user: 'view', displayName: 'View', role, isHidden: true });
  self.setPermissions({ publish: all, subscribe: all, chat: false, moderate: false });
  return self;
}

async function withTimeout<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const error = new GatewayError('timeout', 'The view was not ready in time; try again.', { retryAfterMs: 1_000 });
  const timer = setTimeout(() => reject(error), openTimeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
