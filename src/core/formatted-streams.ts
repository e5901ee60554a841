// Owns: what a job makes in formats of their receivers: each is a publication of its own, which can be changed live, and
// follows what it is made of. Equal ones share an encoder in the worker. May import: core only.
import type { EncodedStreams } from './encoded-streams.ts';
import type { Logger } from './ports.ts';
import type { StreamFormat } from './stream-format.ts';
import type { Publication } from './track.ts';
import type { TranscodedStream } from './transcode-port.ts';
import type { EncoderRequest } from './view-messages.ts';

export interface FormattedStreamsOptions {
  readonly streams: EncodedStreams;
  /** @throws GatewayError for what cannot be had of what they are made of now */
  readonly requestFor: (format: StreamFormat) => EncoderRequest;
  readonly log: Logger;
}

export class FormattedStreams {
  readonly #options: FormattedStreamsOptions;
  /** By the id of its publication. */
  readonly #formats = new Map<string, StreamFormat>();

  constructor(options: FormattedStreamsOptions) {
    this.#options = options;
  }

  /** @throws GatewayError as `requestFor()`, and `overloaded`, `media_lost`, `timeout`, `closed` */
  async open(format: StreamFormat): Promise<TranscodedStream> {
    const { streams, requestFor } = this.#options;
    const stream = await streams.open(requestFor(format), false);
    const { id } = stream.publication;
    this.#formats.set(id, format);
    const change = async (next: StreamFormat) => {
      const codec = (next.codec ?? stream.request.codec) as StreamFormat['codec'];
      await streams.change(stream.publication, requestFor({ ...next, codec }));
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

  /** What they are made of is another: parts of it are parts of what it is now. */
  follow(): void {
    for (const { publication, request } of this.#options.streams.tracks()) {
      const format = this.#formats.get(publication.id);
      if (format) this.#follow(publication, { ...format, codec: request.codec as StreamFormat['codec'] });
    }
  }

  #follow(publication: Publication, format: StreamFormat): void {
    const { streams, requestFor, log } = this.#options;
    try {
      streams.follow(publication, requestFor(format));
    } catch (err) {
      // A fixed size that is more than the source has now: it is scaled up until the source is back.
      log.debug({ err }, 'format kept');
    }
  }
}
