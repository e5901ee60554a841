// Owns: the streams that one browser takes in another format. May import: core.
import { GatewayError } from '#core/errors.ts';
import type { PublicationId } from '#core/ids.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger } from '#core/ports.ts';
import type { RtpCapabilities } from '#core/rtp.ts';
import type { StreamFormat } from '#core/stream-format.ts';
import { SubscriptionFormat } from '#core/subscription-format.ts';
import type { CanConsume, Publication, Subscription } from '#core/track.ts';
import type { TranscodedStream, TranscodePort } from '#core/transcode-port.ts';

const maxStreams = 16;

export class TranscodeWatch {
  readonly #transcodes: TranscodePort | undefined;
  /** By the publication that the browser subscribes to. */
  readonly #opened = new Map<string, TranscodedStream>();
  #opening = 0;
  readonly #log: Logger;
  #isClosed = false;

  constructor(transcodes: TranscodePort | undefined, log: Logger) {
    this.#transcodes = transcodes;
    this.#log = log;
  }

  /** Lets a subscription of this browser have a format of its own; it is told of other consumers. */
  admit(subscription: Subscription, transport: CanConsume, rtpCapabilities: RtpCapabilities): void {
    const [transcodes, log] = [this.#transcodes, this.#log];
    if (!transcodes?.canFormat(subscription.publication)) return;
    subscription.formats = new SubscriptionFormat({ subscription, transport, rtpCapabilities, transcodes, log });
  }

  /** @throws GatewayError `forbidden`, `not_found`, `limit_reached`, and as `TranscodePort.open()` */
  async open(participant: Participant, sourceId: string, format: StreamFormat): Promise<Publication> {
    if (!this.#transcodes) throw new GatewayError('not_found', 'This server transcodes nothing.');
    if (!participant.permissions.subscribe.video) {
      throw new GatewayError('forbidden', `Your role "${participant.role}" may not receive video.`);
    }
    const source = participant.room.findPublication(sourceId as PublicationId);
    if (!source) throw new GatewayError('not_found', 'There is no such publication in this room.');
    if (this.#opened.size + this.#opening >= maxStreams) {
      throw new GatewayError('limit_reached', `A participant has at most ${maxStreams} streams in other formats.`);
    }
    this.#opening += 1;
    try {
      const stream = await this.#transcodes.open(source, format);
      const { publication } = stream;
      this.#opened.set(publication.id, stream);
      // The browser left while it was made.
      if (this.#isClosed) this.closeAll();
      return publication;
    } finally {
      this.#opening -= 1;
    }
  }

  /** @throws GatewayError `not_found`, and as `TranscodedStream.change()` */
  async change(publicationId: string, format: StreamFormat): Promise<void> {
    const stream = this.#opened.get(publicationId);
    if (!stream) throw new GatewayError('not_found', 'You have no such stream in another format.');
    await stream.change(format);
  }

  close(publicationId: string): void {
    this.#opened.get(publicationId)?.close();
    this.#opened.delete(publicationId);
  }

  closeAll(): void {
    this.#isClosed = true;
    for (const id of [...this.#opened.keys()]) this.close(id);
  }
}
