// Owns: what Prometheus is told of load and of what is refused for it. May import: core.
import { Counter, Gauge, type Registry } from 'prom-client';
import { type LoadBreaker, loadSteps } from '#core/load-breaker.ts';

export function watchLoad(registry: Registry, breaker: LoadBreaker): void {
  const registers = [registry];
  new Gauge({
    name: 'switchyard_load_pressure',
    help: 'CPU or event loop delay, whichever is nearer to its limit (overload.*), as a share of it: 1 is too much.',
    registers,
    collect() {
      this.set(breaker.pressure);
    },
  });
  new Gauge({
    name: 'switchyard_load_shedding',
    help: '1 for what is given up now, in this order: jobs, joins, layers.',
    labelNames: ['step'],
    registers,
    collect() {
      for (const step of loadSteps) this.set({ step }, Number(breaker.isShedding(step)));
    },
  });
  const refusals = new Counter({
    name: 'switchyard_load_refusals_total',
    help: 'Jobs and joins refused because there was too much to do.',
    labelNames: ['step'],
    registers,
  });
  for (const step of ['jobs', 'joins']) refusals.inc({ step }, 0);
  breaker.events.on('refused', (step) => refusals.inc({ step }));
}
