// Owns: what takes media out of rooms, joined with who is told of it. May import: everything, like app.ts, which uses it.
import { tapAnalyses } from '#api/analysis-view.ts';
import { tapStreamingOuts } from '#api/streaming-out-view.ts';
import type { Config } from '#config/schema.ts';
import { Analyses } from '#core/analyses.ts';
import type { EventSink } from '#core/gateway-events.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger, MediaPort } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { StorePort } from '#core/store-port.ts';
import type { Pusher } from '#core/streaming-out.ts';
import { StreamingOuts } from '#core/streaming-outs.ts';
import type { ViewPort } from '#core/view-port.ts';
import { watchStreamingOuts } from '#telemetry/egress-metrics.ts';
import type { Metrics } from '#telemetry/metrics.ts';

export interface EgressPartsOptions {
  readonly config: Pick<Config, 'egress'>;
  readonly store: StorePort;
  readonly rooms: Rooms;
  readonly media: MediaPort;
  readonly views: ViewPort;
  readonly pushers: readonly Pusher[];
  readonly eventLog: EventSink;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly log: Logger;
}

export class EgressParts extends Owned {
  readonly streamingOuts: StreamingOuts;
  readonly analyses: Analyses;

  static async create(options: EgressPartsOptions): Promise<EgressParts> {
    const { config, store, rooms, media, views, pushers, eventLog, metrics, log } = options;
    const { maxPerRoom, maxAnalysesPerRoom } = config.egress;
    const streamingOuts = await StreamingOuts.create({ store, rooms, media, views, pushers, log, maxPerRoom });
    tapStreamingOuts(streamingOuts, rooms, eventLog);
    watchStreamingOuts(metrics.registry, streamingOuts);
    const analyses = await Analyses.create({ store, rooms, media, views, log, maxPerRoom: maxAnalysesPerRoom });
    tapAnalyses(analyses, rooms, eventLog);
    return new EgressParts(streamingOuts, analyses);
  }

  private constructor(streamingOuts: StreamingOuts, analyses: Analyses) {
    super();
    this.streamingOuts = this.own(streamingOuts);
    this.analyses = this.own(analyses);
  }

  /** What the API is built from. */
  get forApi() {
    return { streamingOuts: this.streamingOuts, analyses: this.analyses };
  }

  drain(): void {
    this.streamingOuts.drain();
    this.analyses.drain();
  }

  undrain(): void {
    this.streamingOuts.undrain();
    this.analyses.undrain();
  }

  protected override onClose(_reason: CloseReason): void {
    // Its children are all that it has.
  }
}
