// Owns: one subscription in a format of its receiver's own: what is made for it, and the way there and back.
// May import: core only.
import { GatewayError } from './errors.ts';
import type { Logger } from './ports.ts';
import type { RtpCapabilities } from './rtp.ts';
import { type FormatCodec, formatCodecs, type StreamFormat } from './stream-format.ts';
import type { CanConsume, FormatControl, Publication, Subscription } from './track.ts';
import type { TranscodedStream, TranscodePort } from './transcode-port.ts';

/** One participant can have no more streams made for it. */
const maxStreams = 16;

export interface SubscriptionFormatOptions {
  readonly subscription: Subscription;
  /** Where it is received. */
  readonly transport: CanConsume;
  readonly rtpCapabilities: RtpCapabilities;
  readonly transcodes: TranscodePort;
  readonly log: Logger;
}

/**
 * ```
 *   as published ──set(format)──▶ made for it ──set(format)──▶ the same stream, changed; another one for another codec
 *        ▲                            │
 *        └──set(null), or it ended────┘
 * ```
 * The subscription keeps its id all the way; receivers are told of another consumer by `redirected`.
 */
export class SubscriptionFormat implements FormatControl {
  readonly #options: SubscriptionFormatOptions;
  #made: TranscodedStream | undefined;
  #format: StreamFormat | undefined;
  #isChanging = false;

  constructor(options: SubscriptionFormatOptions) {
    this.#options = options;
    const { subscription } = options;
    subscription.events.on('carrierEnded', () => void this.#fallBack());
    subscription.events.on('closed', () => this.#made?.close());
  }

  get source(): Publication {
    return this.#options.subscription.publication;
  }

  get format(): StreamFormat | undefined {
    return this.#format;
  }

  async set(format: StreamFormat | null): Promise<void> {
    if (this.#isChanging) {
      throw new GatewayError('conflict', 'Another change of this subscription is under way.', { retryAfterMs: 1_000 });
    }
    this.#isChanging = true;
    try {
      if (!format) await this.#showAsPublished(this.#made);
      else await this.#show({ ...format, codec: this.#codecFor(format.codec) });
      this.#format = format ?? undefined;
      this.#options.subscription.events.emit('updated');
    } finally {
      this.#isChanging = false;
    }
  }

  async #show(format: StreamFormat): Promise<void> {
    if (this.#made?.request.codec === format.codec) return this.#made?.change(format);
    const { subscription, transcodes } = this.#options;
    this.#assertMoreAllowed();
    const stream = await transcodes.open(subscription.publication, format);
    try {
      await this.#redirectTo(stream);
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  /** @param made that it is sent now */
  async #showAsPublished(made: TranscodedStream | undefined): Promise<void> {
    if (made) await this.#redirectTo(undefined, made);
  }

  /** @param stream undefined for what its publisher sends */
  async #redirectTo(stream: TranscodedStream | undefined, from = this.#made): Promise<void> {
    const { subscription, transport, rtpCapabilities } = this.#options;
    const carrier = stream?.publication ?? subscription.publication;
    const consumer = await transport.consume({ producer: carrier.producer, rtpCapabilities });
    if (subscription.isClosed || carrier.isClosed) {
      consumer.close();
      throw new GatewayError('closed', 'That subscription has ended.');
    }
    // What it was sent ended meanwhile, or was changed for another: whichever came first holds.
    if (this.#made !== from) {
      consumer.close();
      throw new GatewayError('conflict', 'What this subscription is sent has just become another.', {
        retryAfterMs: 1_000,
      });
    }
    const past = this.#made;
    this.#made = stream;
    // What it was sent is made as long as its consumer is there.
    void subscription.redirect(carrier, consumer).then(() => past?.close());
  }

  /** What was made for it is no more, and its publisher still sends. */
  async #fallBack(): Promise<void> {
    const { subscription, log } = this.#options;
    const ended = this.#made;
    try {
      await this.#showAsPublished(ended);
      this.#format = undefined;
      subscription.events.emit('updated');
      log.info({ subscription: subscription.id }, 'what was made for a receiver has ended; it gets the stream itself');
    } catch (err) {
      if (this.#made !== ended) return;
      log.info({ err, subscription: subscription.id }, 'subscription lost with what was made for it');
      await subscription.close('failed');
    }
  }

  #assertMoreAllowed(): void {
    const { participant } = this.#options.subscription;
    const made = [...participant.subscriptions.values()].filter(({ formats }) => formats?.format !== undefined);
    if (made.length < maxStreams) return;
    throw new GatewayError('limit_reached', `A participant has at most ${maxStreams} streams in other formats.`);
  }

  /** The publisher's own where the receiver has it and nothing else is asked for. @throws GatewayError `no_common_codec` */
  #codecFor(wanted: FormatCodec | undefined): FormatCodec | undefined {
    const { rtpCapabilities, subscription } = this.#options;
    const takes = (name: string) =>
      (rtpCapabilities.codecs ?? []).some(({ mimeType }) => mimeType.toLowerCase() === `video/${name}`);
    if (wanted !== undefined) {
      if (takes(wanted)) return wanted;
      throw new GatewayError('no_common_codec', `The receiver has no ${wanted}.`);
    }
    const own = subscription.publication.mimeType.replace(/^.*\//, '').toLowerCase();
    return [own, ...formatCodecs].find(
      (name): name is FormatCodec => formatCodecs.some((one) => one === name) && takes(name),
    );
  }
}
