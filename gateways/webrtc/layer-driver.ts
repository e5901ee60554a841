// Owns: applying layer-control.ts to one subscription. May import: core and its siblings here.
import type { Logger } from '#core/ports.ts';
import type { Subscription } from '#core/track.ts';
import { initialLayers, type LayerState, nextLayers } from './layer-control.ts';

/** Receiver reports come about once a second. */
const intervalMs = 2_000;
/** More than any encoder has: the SFU takes it as "all of them". */
const allTemporalLayers = 2;

/** Does nothing for streams of one layer, which cannot be made smaller here. Ends with the subscription. */
export class LayerDriver {
  readonly #subscription: Subscription;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout | undefined;
  #cap: number;
  #state: LayerState;
  #applied: number | undefined;

  /** @param cap highest spatial layer that the receiver wants, 0 for the smallest */
  constructor(subscription: Subscription, cap: number, log: Logger) {
    this.#subscription = subscription;
    this.#log = log;
    this.#cap = cap;
    this.#state = initialLayers(this.#highest, Date.now());
    if (!this.#hasLayers) return;
    this.#timer = setInterval(() => void this.#review(), intervalMs).unref();
    void subscription.done.then(() => clearInterval(this.#timer));
    void this.#apply();
  }

  setCap(cap: number): void {
    const isRaised = cap > this.#cap;
    this.#cap = cap;
    // Who asks for more is to see it now, not after the patience of the line.
    if (isRaised) this.#state = initialLayers(this.#highest, Date.now());
    void this.#apply();
  }

  get #hasLayers(): boolean {
    const { kind, encodingCount } = this.#subscription.publication;
    return kind === 'video' && encodingCount > 1;
  }

  get #highest(): number {
    return Math.max(0, Math.min(this.#cap, this.#subscription.publication.encodingCount - 1));
  }

  async #review(): Promise<void> {
    if (!this.#subscription.isFlowing) return;
    try {
      const [stats] = await this.#subscription.consumer.getStats();
      if (!stats || this.#subscription.isClosed) return;
      this.#state = nextLayers(this.#state, stats, this.#highest, Date.now());
      await this.#apply();
      await this.#nudge();
    } catch (cause) {
      // The consumer went while it was asked; its subscription ends with it.
      this.#log.debug({ err: cause }, 'layer not reviewed');
    }
  }

  /**
   * Without bandwidth estimation the SFU looks at a publisher's layers only when one starts, and passes over those that
   * are younger than two seconds, for good: a publisher that begins small stays small. Other wishes make it look again.
   */
  async #nudge(): Promise<void> {
    const { consumer, currentLayers } = this.#subscription;
    if (this.#applied === undefined || !currentLayers || currentLayers.spatialLayer >= this.#applied) return;
    const spatialLayer = this.#applied;
    await consumer.setPreferredLayers({ spatialLayer, temporalLayer: allTemporalLayers - 1 });
    await consumer.setPreferredLayers({ spatialLayer, temporalLayer: allTemporalLayers });
  }

  async #apply(): Promise<void> {
    const spatialLayer = Math.min(this.#state.layer, this.#highest);
    if (!this.#hasLayers || spatialLayer === this.#applied || this.#subscription.isClosed) return;
    this.#applied = spatialLayer;
    try {
      await this.#subscription.consumer.setPreferredLayers({ spatialLayer, temporalLayer: allTemporalLayers });
      this.#log.debug({ subscription: this.#subscription.id, spatialLayer }, 'layer chosen');
    } catch (cause) {
      this.#log.debug({ err: cause }, 'layer not set');
    }
  }
}
