// Owns: TranscodePort: streams in other formats, one job for each source, made with the first who asks.
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Logger, MediaPort } from '#core/ports.ts';
import { StartedOnce } from '#core/started-once.ts';
import type { StreamFormat } from '#core/stream-format.ts';
import type { Publication } from '#core/track.ts';
import { Transcode } from '#core/transcode.ts';
import type { TranscodedStream, TranscodePort } from '#core/transcode-port.ts';
import type { View } from '#core/view.ts';

export interface TranscodesOptions {
  readonly media: MediaPort;
  /** Whose publication it is, where it is one of a view: that makes other formats of it itself. */
  readonly viewMaking: (publication: Publication) => View | undefined;
  readonly log: Logger;
}

export class Transcodes extends Owned implements TranscodePort {
  readonly #options: TranscodesOptions;
  /** By the publication that they are made of. */
  readonly #running = new StartedOnce<string, Transcode>();
  #isDraining = false;

  constructor(options: TranscodesOptions) {
    super();
    this.#options = options;
  }

  get running(): Iterable<Transcode> {
    return this.#running.live.values();
  }

  canFormat(source: Publication): boolean {
    const isMeant = !source.participant.isHidden || this.#options.viewMaking(source) !== undefined;
    return source.kind === 'video' && isMeant;
  }

  async open(source: Publication, format: StreamFormat): Promise<TranscodedStream> {
    if (this.isClosed || this.#isDraining) throw new GatewayError('draining', 'This gateway takes no new work.');
    if (source.kind !== 'video') throw new GatewayError('unprocessable', 'Only video comes in other formats.');
    const view = this.#options.viewMaking(source);
    if (view) return view.openFormat(format);
    if (source.participant.isHidden) throw new GatewayError('not_found', 'There is no such stream in this room.');
    const transcode = await this.#transcodeOf(source);
    return transcode.open(format);
  }

  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  #transcodeOf(source: Publication): Promise<Transcode> {
    return this.#running.of(source.id, async () => this.own(await Transcode.start({ source, ...this.#options })));
  }

  protected override onClose(): void {
    // What ran were children, and have gone.
  }
}
