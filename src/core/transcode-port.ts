// Owns: what the domain offers of streams in another format. src/jobs/transcodes.ts is it. May import: core only.
import type { EncodedStream } from './encoded-streams.ts';
import type { StreamFormat } from './stream-format.ts';
import type { Publication } from './track.ts';
import type { Transcode } from './transcode.ts';

/** Somebody's stream, or a view, in a format of his own, for one who asked; close it when he receives it no more. */
export interface TranscodedStream extends EncodedStream {
  /**
   * Live, under the same publication; when it cannot be had, what was goes on.
   * @throws GatewayError `invalid_request`, `forbidden`, `unprocessable` (another codec), `overloaded`, `conflict`
   */
  change(format: StreamFormat): Promise<void>;
}

export interface TranscodePort {
  /** Whether it is a picture that can be had in other formats: somebody's, or a view. */
  canFormat(source: Publication): boolean;
  /**
   * Equal formats of one stream share an encoder, which is gone with the last.
   * @throws GatewayError `invalid_request`, `forbidden`, `unprocessable` (no video), `overloaded`, `draining`, `timeout`
   */
  open(source: Publication, format: StreamFormat): Promise<TranscodedStream>;
  /** Running now, of all rooms. */
  readonly running: Iterable<Transcode>;
}
