// Owns: what Prometheus is told of views. May import: core.
import { Gauge, type Registry } from 'prom-client';
import type { ViewPort } from '#core/view-port.ts';

type Labels = 'room' | 'view';

/** Series of views that run; each scrape asks anew. */
export function watchViews(registry: Registry, views: Pick<ViewPort, 'running'>): void {
  // Before those that it fills: a registry reads one after the other.
  new Gauge({
    name: 'switchyard_views',
    help: 'Views that are composed now.',
    registers: [registry],
    collect() {
      for (const one of all) one.reset();
      let count = 0;
      for (const { room, name, stats } of views.running) {
        count += 1;
        if (!stats) continue;
        const labels = { room: room.name, view: name };
        encoders.set(labels, stats.encoders.length);
        framerate.set(labels, stats.framerateHz);
        tick.set(labels, stats.msPerTick / 1_000);
        skipped.set(labels, stats.ticksSkipped);
        inputs.set(labels, stats.inputsSeen);
      }
      this.set(count);
    },
  });
  const gauge = (name: string, help: string) =>
    new Gauge<Labels>({ name, help, labelNames: ['room', 'view'], registers: [registry] });
  const encoders = gauge('switchyard_view_encoders', 'Encoders of a view; equal requests share one.');
  const framerate = gauge('switchyard_view_framerate_hz', 'Pictures composed in the last second.');
  const tick = gauge('switchyard_view_tick_seconds', 'Composing and encoding one picture, mean of the last second.');
  const skipped = gauge('switchyard_view_ticks_skipped', 'Pictures left out since it was started in its worker.');
  const inputs = gauge('switchyard_view_inputs', 'Inputs that are seen.');
  const all = [encoders, framerate, tick, skipped, inputs];
}
