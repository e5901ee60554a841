// Owns: what SRT carries as streams and units of core: MPEG-TS, read as it comes. May import: core, wire.
import { GatewayError } from '#core/errors.ts';
import type { SourceSink } from '#core/media-source.ts';
import { TsDemuxer } from '#wire/mpegts/demuxer.ts';

/** So much without one packet of a transport stream, and it is none. */
const maxStrayBytes = 262_144;

export class PayloadTranslator {
  readonly #demuxer: TsDemuxer;
  readonly #onHopeless: (error: GatewayError) => void;
  #bytes = 0;

  /** @param onHopeless what comes is no transport stream; told once */
  constructor(sink: SourceSink, onHopeless: (error: GatewayError) => void) {
    this.#demuxer = new TsDemuxer(sink);
    this.#onHopeless = onHopeless;
  }

  push(payload: Buffer): void {
    this.#demuxer.push(payload);
    if (this.#bytes > maxStrayBytes) return;
    this.#bytes += payload.length;
    if (this.#bytes > maxStrayBytes && this.#demuxer.facts.packets === 0) {
      this.#onHopeless(
        new GatewayError(
          'unsupported_media_type',
          'What comes by SRT is no MPEG transport stream; set that as format.',
        ),
      );
    }
  }

  /** The last units, which wait for a next one to end them. */
  flush(): void {
    this.#demuxer.flush();
  }
}
