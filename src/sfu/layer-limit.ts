// Owns: the highest video layer that anybody is sent while the node has too much to do. May import: core.
import type { VideoLayers } from '#core/ports.ts';

/** What wants to hear of changes. */
export interface LimitedStream {
  applyLimit(): void;
}

/** One for all rooms of the SFU. What receivers asked for is kept, and holds again when the limit is gone. */
export class LayerLimit {
  readonly #streams = new Set<LimitedStream>();
  #spatialLayer: number | undefined;

  set(spatialLayer: number | undefined): void {
    if (spatialLayer === this.#spatialLayer) return;
    this.#spatialLayer = spatialLayer;
    for (const stream of this.#streams) stream.applyLimit();
  }

  /** @returns what is to be preferred; undefined: the highest there is */
  within(wanted: VideoLayers | undefined): VideoLayers | undefined {
    if (this.#spatialLayer === undefined) return wanted;
    const spatialLayer = Math.min(this.#spatialLayer, wanted?.spatialLayer ?? this.#spatialLayer);
    return { spatialLayer, ...(wanted?.temporalLayer !== undefined && { temporalLayer: wanted.temporalLayer }) };
  }

  /** @returns ends it */
  follow(stream: LimitedStream): () => void {
    this.#streams.add(stream);
    return () => this.#streams.delete(stream);
  }
}
