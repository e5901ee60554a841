// Owns: an FLV body, as SRS, nginx-http-flv and IP cameras serve it over HTTP, as streams and units of core. May import:
// core.
import { toGatewayError } from '#core/errors.ts';
import type { SourceSink } from '#core/media-source.ts';
import { AmfEcmaArray, objectOf } from './amf0.ts';
import type { RtmpMessage } from './chunk.ts';
import { FlvReader } from './flv-reader.ts';
import { messageType, parseData } from './messages.ts';
import { TagTranslator } from './translate.ts';

/** Broken bodies in a row that are passed over. */
const maxBrokenInARow = 50;

export class FlvDemuxer {
  readonly #reader = new FlvReader();
  readonly #translator: TagTranslator;
  #brokenInARow = 0;

  constructor(sink: SourceSink) {
    this.#translator = new TagTranslator(sink);
  }

  /** @throws GatewayError `unsupported_media_type` for what is no FLV or an unknown codec, `too_large`, `invalid_request` */
  push(data: Buffer): void {
    this.#reader.push(data, (message) => this.#message(message));
  }

  flush(): void {
    // A tag that is not whole is none.
  }

  #message(message: RtmpMessage): void {
    try {
      if (message.type === messageType.audio || message.type === messageType.video) this.#translator.message(message);
      else if (message.type === messageType.dataAmf0) this.#data(message);
      this.#brokenInARow = 0;
    } catch (thrown) {
      if (toGatewayError(thrown).code !== 'invalid_request' || ++this.#brokenInARow > maxBrokenInARow) throw thrown;
    }
  }

  #data(message: RtmpMessage): void {
    const [name, value] = parseData(message);
    const values = value instanceof AmfEcmaArray ? value.values : objectOf(value);
    if (name === 'onMetaData' && values) this.#translator.metadata(values);
  }
}
