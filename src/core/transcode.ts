// Owns: one stream of a room in other formats: the job that decodes it once, and who takes what is made of it.
// May import: core only.
import { EncodedStreams } from './encoded-streams.ts';
import { GatewayError } from './errors.ts';
import { joinHidden } from './hidden-participant.ts';
import type { Job, JobHost, JobLink, JobTrack } from './job.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import { listen } from './listen.ts';
import type { Participant } from './participant.ts';
import type { Logger, MediaPort, SfuPlainTransport, SfuRoom } from './ports.ts';
import type { Room } from './room.ts';
import { requestForFormat, type SourceFacts, type StreamFormat } from './stream-format.ts';
import type { Publication, Subscription } from './track.ts';
import type { TranscodedStream } from './transcode-port.ts';
import { pictureCapabilities, pictureStreamOf } from './view-inputs.ts';
import type { ViewCommand, ViewEvent, ViewStats } from './view-messages.ts';

/** Nobody takes it: one who changes his mind need not wait for it. */
const lingerMs = 2_000;
/** Its first picture; a publisher that sends none has nothing to be made otherwise. */
const firstPictureTimeoutMs = 10_000;
/** After the room's media was lost publishers come back under their old ids. */
const returnTimeoutMs = 15_000;
const inputId = 1;

export interface TranscodeOptions {
  readonly source: Publication;
  readonly media: MediaPort;
  readonly log: Logger;
}

/** Takes the stream as a hidden participant, and publishes each format for who asked. */
export class Transcode extends Owned implements JobHost {
  readonly room: Room;
  readonly #options: TranscodeOptions;
  readonly #log: Logger;
  readonly #self: Participant;
  readonly #streams: EncodedStreams;
  readonly #formats = new Map<string, StreamFormat>();
  readonly #sized = Promise.withResolvers<void>();
  #source: Publication;
  #subscription: Subscription | undefined;
  #link: JobLink | undefined;
  #job: Job | undefined;
  #facts: SourceFacts | undefined;
  #stats: ViewStats | undefined;
  #lingerTimer: NodeJS.Timeout | undefined;
  #returnTimer: NodeJS.Timeout | undefined;

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `no_common_codec`, `closed` */
  static async start(options: TranscodeOptions): Promise<Transcode> {
    const transcode = new Transcode(options);
    try {
      await transcode.#start();
    } catch (error) {
      await transcode.close('failed');
      throw error;
    }
    return transcode;
  }

  private constructor(options: TranscodeOptions) {
    super();
    const { source } = options;
    const { room } = source.participant;
    this.#options = options;
    this.#source = source;
    this.room = room;
    this.#log = options.log.child({ room: room.name, transcoded: source.id });
    this.#self = joinHidden(room, 'transcoder', 'Transcoder');
    this.#sized.promise.catch(() => undefined);
    this.#self.events.on('mediaRestarted', () => void this.#relink());
    void this.#self.done.then((reason) => this.close(reason === 'requested' ? 'parent_closed' : reason));
    this.#streams = new EncodedStreams({
      ...{ self: this.#self, label: source.label, isShared: false, log: this.#log },
      send: (command) => this.#send(command),
      onUse: () => this.#reviewUse(),
    });
    const unlisten = listen(room.events, {
      publicationAdded: (publication) => {
        if (publication.id === source.id) this.#takeUp(publication);
      },
      publicationRemoved: (publication, reason) => {
        if (publication === this.#source) this.#lose(reason);
      },
    });
    this.signal.addEventListener('abort', unlisten, { once: true });
  }

  get sourceId(): string {
    return this.#source.id;
  }

  get media(): SfuRoom {
    return this.room.media;
  }

  /** Of the last second. */
  get stats(): ViewStats | undefined {
    return this.#stats;
  }

  get job(): Job | undefined {
    return this.#job;
  }

  /** @throws GatewayError `invalid_request`, `forbidden`, `overloaded`, `media_lost`, `timeout`, `closed` */
  async open(format: StreamFormat): Promise<TranscodedStream> {
    await this.#whenSized();
    const stream = await this.#streams.open(this.#requestFor(format));
    const { id } = stream.publication;
    this.#formats.set(id, format);
    const change = async (next: StreamFormat) => {
      const codec = next.codec ?? stream.request.codec;
      await this.#streams.change(
        stream.publication,
        this.#requestFor({ ...next, codec: codec as StreamFormat['codec'] }),
      );
      this.#formats.set(id, next);
    };
    return {
      get request() {
        return stream.request;
      },
      get publication() {
        return stream.publication;
      },
      change,
      close: () => {
        this.#formats.delete(id);
        stream.close();
      },
    };
  }

  async publishTrack(transport: SfuPlainTransport, track: JobTrack): Promise<void> {
    await this.#streams.publish(transport, track);
  }

  unpublishTrack(trackId: number): void {
    this.#streams.unpublish(trackId);
  }

  attached(link: JobLink, isNewWorker: boolean): void {
    this.#link = link;
    if (isNewWorker) this.#tell();
    if (!this.#subscription || this.#subscription.isClosed) void this.#subscribe();
    if (isNewWorker) this.#streams.resend();
  }

  received(event: ViewEvent): void {
    switch (event.type) {
      case 'viewInputSized':
        this.#noteSize(event.width, event.height);
        return;
      case 'viewKeyFrameWanted':
        this.#subscription?.consumer.requestKeyFrame().catch(() => {
          // It has just ended; whoever comes next sends one by itself.
        });
        return;
      case 'viewEncoderRefused':
        this.#streams.fail(event.trackId, event.message);
        return;
      case 'viewEncoderChanged':
        this.#streams.noteChanged(event.trackId, event.message);
        return;
      case 'viewMeasured':
        this.#stats = event.stats;
        return;
      case 'viewArranged':
        return;
    }
  }

  async #start(): Promise<void> {
    const job = await this.#options.media.startJob({ spec: { kind: 'transcode' }, host: this, log: this.#log });
    this.#job = this.own(job);
    void job.done.then((reason) => this.close(reason));
    this.#reviewUse();
  }

  async #whenSized(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new GatewayError('timeout', 'That stream sends no picture.', { retryAfterMs: 2_000 })),
      firstPictureTimeoutMs,
    );
    try {
      await Promise.race([this.#sized.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #requestFor(format: StreamFormat) {
    if (!this.#facts) throw new GatewayError('media_lost', 'That stream is being started again.');
    return requestForFormat(format, this.#facts, this.room.record);
  }

  #noteSize(width: number, height: number): void {
    const codec = this.#source.mimeType.replace(/^.*\//, '').toLowerCase();
    this.#facts = { codec, width, height };
    this.#sized.resolve();
    // Parts of a source that has become another are parts of what it is now.
    for (const { publication } of this.#streams.tracks()) {
      const format = this.#formats.get(publication.id);
      if (format) this.#follow(publication, format);
    }
  }

  #follow(publication: Publication, format: StreamFormat): void {
    const track = [...this.#streams.tracks()].find((one) => one.publication === publication);
    if (!track) return;
    try {
      const codec = track.request.codec as StreamFormat['codec'];
      const request = this.#requestFor({ ...format, codec });
      this.#streams.change(publication, request).catch((err: unknown) => {
        this.#log.warn({ err, request }, 'stream not brought to the new size of its source');
      });
    } catch (err) {
      // A fixed size that is more than the source has now: it is scaled up until the source is back.
      this.#log.debug({ err }, 'format kept');
    }
  }

  async #subscribe(): Promise<void> {
    const link = this.#link;
    const source = this.#source;
    if (!link || source.isClosed || this.isClosed) return;
    try {
      const rtpCapabilities = pictureCapabilities(this.room.media.rtpCapabilities);
      const subscription = await this.#self.subscribe(link.transport, source, { rtpCapabilities });
      if (this.isClosed || source !== this.#source) return void subscription.close('requested');
      this.#subscription = subscription;
      subscription.setPinned(true);
      this.#tell();
      if (source.encodingCount > 1) {
        await subscription.consumer.setPreferredLayers({ spatialLayer: source.encodingCount - 1 });
      }
      await subscription.resume();
    } catch (error) {
      if (source.isClosed || this.isClosed) return;
      this.#log.warn({ err: error }, 'stream not taken for transcoding');
      this.#sized.reject(error);
      await this.close('failed');
    }
  }

  #tell(): void {
    const subscription = this.#subscription;
    const stream = subscription && !subscription.isClosed ? pictureStreamOf(subscription) : undefined;
    this.#send({ type: 'putViewInput', input: { inputId, name: '', isShared: false, isMuted: false, stream } });
  }

  #takeUp(publication: Publication): void {
    clearTimeout(this.#returnTimer);
    this.#source = publication;
    void this.#subscription?.close('replaced');
    void this.#subscribe();
  }

  #lose(reason: CloseReason): void {
    if (reason !== 'failed') {
      void this.close('parent_closed');
      return;
    }
    clearTimeout(this.#returnTimer);
    this.#returnTimer = setTimeout(() => void this.close('parent_closed'), returnTimeoutMs).unref();
  }

  async #relink(): Promise<void> {
    if (!this.#job || this.isClosed) return;
    try {
      await this.#options.media.relinkJob(this.#job);
    } catch (error) {
      this.#log.warn({ err: error }, 'transcoding not plumbed to the new media of its room');
      await this.close('failed');
    }
  }

  #send(command: ViewCommand): void {
    this.#link?.send(command);
  }

  #reviewUse(): void {
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    if (this.isClosed || !this.#job || this.#streams.size > 0) return;
    this.#lingerTimer = setTimeout(() => void this.close('idle'), lingerMs + firstPictureTimeoutMs).unref();
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#lingerTimer);
    clearTimeout(this.#returnTimer);
    const error = new GatewayError('closed', 'That stream has ended.');
    this.#sized.reject(error);
    this.#streams.close(error.message);
    await this.#self.close('requested');
    this.#log.debug({ reason }, 'transcoding ended');
  }
}
