// Owns: TranscodePort: streams in other formats, one job for each source, made with the first who asks.
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';
import type { Logger, MediaPort } from '#core/ports.ts';
import type { StreamFormat } from '#core/stream-format.ts';
import type { Publication } from '#core/track.ts';
import { Transcode } from '#core/transcode.ts';
import type { TranscodedStream, TranscodePort } from '#core/transcode-port.ts';

export interface TranscodesOptions {
  readonly media: MediaPort;
  readonly log: Logger;
}

export class Transcodes extends Owned implements TranscodePort {
  readonly #options: TranscodesOptions;
  /** By the publication that they are made of. */
  readonly #starting = new Map<string, Promise<Transcode>>();
  readonly #live = new Set<Transcode>();
  #isDraining = false;

  constructor(options: TranscodesOptions) {
    super();
    this.#options = options;
  }

  get running(): Iterable<Transcode> {
    return this.#live;
  }

  async open(source: Publication, format: StreamFormat): Promise<TranscodedStream> {
    if (this.isClosed || this.#isDraining) throw new GatewayError('draining', 'This gateway takes no new work.');
    if (source.kind !== 'video') throw new GatewayError('unprocessable', 'Only video comes in other formats.');
    if (source.participant.isHidden) throw new GatewayError('not_found', 'There is no such stream in this room.');
    const transcode = await this.#transcodeOf(source);
    return transcode.open(format);
  }

  drain(): void {
    this.#isDraining = true;
  }

  async #transcodeOf(source: Publication): Promise<Transcode> {
    const known = this.#starting.get(source.id);
    const running = await known?.catch(() => undefined);
    if (running && !running.isClosed) return running;
    // Somebody else was as quick while we waited for the one that has ended.
    if (this.#starting.get(source.id) !== known) return this.#transcodeOf(source);
    const starting = Transcode.start({ source, ...this.#options });
    this.#starting.set(source.id, starting);
    const forget = () => {
      if (this.#starting.get(source.id) === starting) this.#starting.delete(source.id);
    };
    starting.catch(forget);
    const transcode = this.own(await starting);
    this.#live.add(transcode);
    void transcode.done.then(() => {
      this.#live.delete(transcode);
      forget();
    });
    return transcode;
  }

  protected override onClose(): void {
    this.#starting.clear();
    this.#live.clear();
  }
}
