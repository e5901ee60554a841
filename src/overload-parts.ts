// Owns: shedding load: what is measured, who refuses what, and who is told. May import: everything, like app.ts, which
// uses it.
import { availableParallelism } from 'node:os';
import type { Config } from '#config/schema.ts';
import type { EventSink } from '#core/gateway-events.ts';
import { Owned } from '#core/lifecycle.ts';
import type { LoadBreaker, LoadState } from '#core/load-breaker.ts';
import type { Logger, MediaPort } from '#core/ports.ts';
import type { Sfu } from '#sfu/index.ts';
import { watchLoad } from '#telemetry/breaker-metrics.ts';
import { LoadMeter } from '#telemetry/load-meter.ts';
import type { Metrics } from '#telemetry/metrics.ts';

export interface OverloadPartsOptions {
  readonly config: Pick<Config, 'overload'>;
  readonly breaker: LoadBreaker;
  readonly sfu: Pick<Sfu, 'describeWorkers' | 'limitLayers'>;
  readonly media: Pick<MediaPort, 'describeWorkers'>;
  readonly eventLog: EventSink;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly log: Logger;
}

/** Measures again and again, and does what the breaker says. */
export class OverloadParts extends Owned {
  readonly #options: OverloadPartsOptions;
  readonly #meter: LoadMeter | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #isReading = false;

  constructor(options: OverloadPartsOptions) {
    super();
    this.#options = options;
    const { config, breaker, sfu, media, metrics } = options;
    watchLoad(metrics.registry, breaker);
    breaker.events.on('stepped', (state) => this.#tell('node.overloaded', state));
    breaker.events.on('recovered', (state) => this.#tell('node.recovered', state));
    if (!config.overload.isEnabled) return;
    const meter = new LoadMeter({ sfu, media, cores: availableParallelism() });
    this.#meter = meter;
    this.#timer = setInterval(() => void this.#check(meter), config.overload.checkIntervalMs).unref();
  }

  async #check(meter: LoadMeter): Promise<void> {
    // Workers that are slow to answer are measured when they do.
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const reading = await meter.read();
      if (!this.signal.aborted) this.#options.breaker.note(reading, performance.now());
    } catch (err) {
      this.#options.log.warn({ err }, 'load not measured');
    } finally {
      this.#isReading = false;
    }
  }

  #tell(type: 'node.overloaded' | 'node.recovered', state: LoadState): void {
    const { eventLog, sfu, log } = this.#options;
    const { shedding, reason } = state;
    log.warn({ shedding, reason }, type === 'node.overloaded' ? 'too much to do: load is shed' : 'load is taken again');
    sfu.limitLayers(shedding.includes('layers') ? 0 : undefined);
    eventLog.emit(type, { shedding: [...shedding], reason });
  }

  protected override onClose(): void {
    clearInterval(this.#timer);
    this.#meter?.close();
  }
}
