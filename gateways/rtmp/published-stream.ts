// Owns: one accepted publisher as a MediaSource of core. May import: core.
import type { GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink } from '#core/media-source.ts';
import { AmfEcmaArray, type AmfObject, type AmfValue, objectOf } from './amf0.ts';
import type { RtmpMessage } from './chunk.ts';
import type { RtmpConnection } from './connection.ts';
import { TagTranslator } from './translate.ts';

/** Broken bodies in a row that are passed over, before the publisher is taken for something else. */
const maxBrokenInARow = 50;

export class PublishedStream implements MediaSource {
  readonly #connection: RtmpConnection;
  readonly #onClose: (reason: CloseReason) => void;
  readonly #done = Promise.withResolvers<SourceEnd>();
  #translator: TagTranslator | undefined;
  #metadata: AmfObject | undefined;
  #isPaused = false;
  #isOver = false;
  #brokenInARow = 0;

  /**
   * Holds the connection until `start`, so that nothing is lost or piled up in between.
   * @param onClose the owner does not want it any more
   */
  constructor(connection: RtmpConnection, onClose: (reason: CloseReason) => void) {
    this.#connection = connection;
    this.#onClose = onClose;
    connection.hold();
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  start(sink: SourceSink): void {
    if (this.#translator || this.#isOver) return;
    this.#translator = new TagTranslator({
      describe: (stream) => !this.#isOver && sink.describe(stream),
      deliver: (unit) => !this.#isOver && sink.deliver(unit),
    });
    if (this.#metadata) this.#translator.metadata(this.#metadata);
    this.#connection.release();
  }

  /** RTMP has no way to ask. */
  requestKeyFrame(): boolean {
    return false;
  }

  pause(): void {
    if (this.#isPaused || this.#isOver) return;
    this.#isPaused = true;
    this.#connection.hold();
  }

  resume(): void {
    if (!this.#isPaused || this.#isOver) return;
    this.#isPaused = false;
    this.#connection.release();
  }

  close(reason: CloseReason = 'requested'): void {
    if (!this.#isOver) this.#onClose(reason);
  }

  /**
   * One audio or video message of the publisher.
   * @returns why it was passed over; undefined when all is well
   * @throws GatewayError when it makes no sense to go on
   */
  message(message: RtmpMessage): GatewayError | undefined {
    try {
      this.#translator?.message(message);
      this.#brokenInARow = 0;
      return undefined;
    } catch (thrown) {
      const error = thrown as GatewayError;
      if (error.code !== 'invalid_request' || ++this.#brokenInARow > maxBrokenInARow) throw thrown;
      return error;
    }
  }

  /** `@setDataFrame onMetaData {…}`, or without the first word, as some encoders send it. */
  data(values: readonly AmfValue[]): void {
    const [name, ...rest] = values[0] === '@setDataFrame' ? values.slice(1) : values;
    if (name !== 'onMetaData') return;
    const metadata = rest[0] instanceof AmfEcmaArray ? rest[0].values : objectOf(rest[0]);
    if (!metadata) return;
    this.#metadata = metadata;
    this.#translator?.metadata(metadata);
  }

  /** Called by the session, once. */
  end(end: SourceEnd): void {
    if (this.#isOver) return;
    if (this.#isPaused) this.resume();
    this.#isOver = true;
    if (!this.#translator) this.#connection.release();
    this.#done.resolve(end);
  }
}
