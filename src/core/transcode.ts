// Owns: one stream of a room in other formats: the job that decodes it once, and who takes what is made of it.
// May import: core only.
import { GatewayError } from './errors.ts';
import { FormattedStreams } from './formatted-streams.ts';
import type { JobLink } from './job.ts';
import type { CloseReason } from './lifecycle.ts';
import { listen } from './listen.ts';
import { type PictureEvent, PictureJob } from './picture-job.ts';
import type { Logger, MediaPort } from './ports.ts';
import { requestForFormat, type SourceFacts, type StreamFormat } from './stream-format.ts';
import type { Publication, Subscription } from './track.ts';
import type { TranscodedStream } from './transcode-port.ts';
import { pictureCapabilities, pictureStreamOf } from './view-inputs.ts';

/** Its first picture; a publisher that sends none has nothing to be made otherwise. */
const firstPictureTimeoutMs = 10_000;
/** Nobody takes it: who waits for the first picture is not left, and one who changes his mind need not wait for it. */
const lingerMs = firstPictureTimeoutMs + 2_000;
/** After the room's media was lost publishers come back under their old ids. */
const returnTimeoutMs = 15_000;
const inputId = 1;
const endWords = 'That stream has ended.';

export interface TranscodeOptions {
  readonly source: Publication;
  readonly media: MediaPort;
  readonly log: Logger;
}

/** Takes the stream as a hidden participant, and publishes each format for who asked. */
export class Transcode extends PictureJob {
  readonly #formatted: FormattedStreams;
  readonly #sized = Promise.withResolvers<void>();
  #source: Publication;
  #subscription: Subscription | undefined;
  #facts: SourceFacts | undefined;
  #returnTimer: NodeJS.Timeout | undefined;

  /** @throws GatewayError `overloaded`, `draining`, `media_lost`, `no_common_codec`, `closed` */
  static async start(options: TranscodeOptions): Promise<Transcode> {
    const transcode = new Transcode(options);
    try {
      await transcode.begin({ kind: 'transcode' });
    } catch (error) {
      await transcode.close('failed');
      throw error;
    }
    return transcode;
  }

  private constructor({ source, media, log }: TranscodeOptions) {
    const { room } = source.participant;
    super({
      ...{ room, media, lingerMs, endWords },
      ...{ user: 'transcoder', displayName: 'Transcoder', label: source.label },
      log: log.child({ room: room.name, transcoded: source.id }),
    });
    this.#source = source;
    this.#formatted = new FormattedStreams({
      ...{ streams: this.streams, log: this.log },
      requestFor: (format) => this.#requestFor(format),
    });
    this.#sized.promise.catch(() => undefined);
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

  /** @throws GatewayError `invalid_request`, `forbidden`, `overloaded`, `media_lost`, `timeout`, `closed` */
  async open(format: StreamFormat): Promise<TranscodedStream> {
    await this.#whenSized();
    return this.#formatted.open(format);
  }

  protected override onAttached(_link: JobLink, isNewWorker: boolean): void {
    if (isNewWorker) this.#tell();
    if (!this.#subscription || this.#subscription.isClosed) void this.#subscribe();
  }

  protected override onPictures(event: PictureEvent): void {
    switch (event.type) {
      case 'viewInputSized':
        this.#noteSize(event.width, event.height);
        return;
      case 'viewKeyFrameWanted':
        this.#subscription?.consumer.requestKeyFrame().catch(() => {
          // It has just ended; whoever comes next sends one by itself.
        });
        return;
      case 'viewArranged':
        return;
    }
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
    this.#formatted.follow();
  }

  async #subscribe(): Promise<void> {
    const link = this.link;
    const source = this.#source;
    if (!link || source.isClosed || this.isClosed) return;
    try {
      const rtpCapabilities = pictureCapabilities(this.room.media.rtpCapabilities);
      const subscription = await this.self.subscribe(link.transport, source, { rtpCapabilities });
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
      this.log.warn({ err: error }, 'stream not taken for transcoding');
      this.#sized.reject(error);
      await this.close('failed');
    }
  }

  #tell(): void {
    const subscription = this.#subscription;
    const stream = subscription && !subscription.isClosed ? pictureStreamOf(subscription) : undefined;
    this.send({ type: 'putViewInput', input: { inputId, name: '', isShared: false, isMuted: false, stream } });
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

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#returnTimer);
    this.#sized.reject(new GatewayError('closed', endWords));
    await super.onClose(reason);
    this.log.debug({ reason }, 'transcoding ended');
  }
}
