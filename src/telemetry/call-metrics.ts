// Owns: phone calls as Prometheus sees them: how many are in which state, and how each ended or why it was refused. May import: core.
import type { EventEmitter } from 'node:events';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Call, CallEvents, CallState } from '#core/call.ts';
import { errorTable } from '#core/errors.ts';

interface WatchedCalls {
  readonly live: Iterable<Call>;
  readonly events: EventEmitter<CallEvents>;
  readonly serverStats: { readonly shed: number } | undefined;
}

const states = ['dialing', 'ringing', 'asking', 'waiting', 'connected', 'parked'] as const satisfies CallState[];

/** The reasons are those of the records: a fixed set, and none of it what a peer says. */
export function watchCalls(registry: Registry, calls: WatchedCalls): void {
  new Gauge<'state'>({
    name: 'switchyard_sip_calls',
    help: 'Calls that are on, by state.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const state of states) this.set({ state }, 0);
      for (const { info } of calls.live) if (info.state !== 'ended') this.inc({ state: info.state });
    },
  });
  new Counter({
    name: 'switchyard_sip_calls_shed_total',
    help: 'Calls of a flood, or past what there is room for, and other requests of one, refused with 503 before anything was made of them.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(calls.serverStats?.shed ?? 0);
    },
  });
  const ended = new Counter<'direction' | 'reason' | 'blame'>({
    name: 'switchyard_sip_calls_ended_total',
    help: 'Calls that have ended or were refused, by the reason that their record has, and whose fault it was.',
    labelNames: ['direction', 'reason', 'blame'],
    registers: [registry],
  });
  ended.inc({ direction: 'inbound', reason: 'hung_up', blame: 'none' }, 0);
  calls.events.on('ended', ({ direction, end }) => {
    const blame = end?.code === undefined ? 'none' : errorTable[end.code].blame;
    ended.inc({ direction, reason: end?.reason ?? 'unknown', blame });
  });
}
