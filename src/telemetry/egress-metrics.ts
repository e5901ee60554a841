// Owns: what Prometheus is told of streams that leave rooms. May import: core.
import { Gauge, type Registry } from 'prom-client';
import type { StreamingOuts } from '#core/streaming-outs.ts';

/** Series of streaming-outs and their targets; each scrape asks anew. */
export function watchStreamingOuts(registry: Registry, streamingOuts: Pick<StreamingOuts, 'all'>): void {
  // Before those that it fills: a registry reads one after the other.
  new Gauge({
    name: 'switchyard_streaming_outs',
    help: 'Streams that are to leave rooms, by whether they do.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      this.reset();
      targets.reset();
      bytes.reset();
      for (const one of streamingOuts.all) {
        this.inc({ state: one.status.state });
        for (const { target, state, bytesOut } of one.targets) {
          targets.inc({ state });
          bytes.set({ streaming_out: one.record.id, target: target.id }, bytesOut);
        }
      }
    },
  });
  const targets = new Gauge<'state'>({
    name: 'switchyard_egress_targets',
    help: 'Targets that rooms are pushed to, by state.',
    labelNames: ['state'],
    registers: [registry],
  });
  const bytes = new Gauge<'streaming_out' | 'target'>({
    name: 'switchyard_egress_target_bytes',
    help: 'Sent to a target since the streaming-out was started here.',
    labelNames: ['streaming_out', 'target'],
    registers: [registry],
  });
}
