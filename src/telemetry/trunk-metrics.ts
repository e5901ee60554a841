// Owns: what Prometheus is told of trunks and of phones that registered. May import: core.
import { Gauge, type Registry } from 'prom-client';
import type { TrunkRecord, TrunkStatus } from '#core/trunk.ts';

export interface WatchedTrunks {
  readonly trunks: { readonly all: readonly TrunkRecord[] };
  readonly registrar: { readonly book: { readonly onlineCount: number } };
  readonly lines: { statusOf(trunk: string): TrunkStatus | undefined };
}

/** Each scrape asks anew. */
export function watchTrunks(registry: Registry, { trunks, lines, registrar }: WatchedTrunks): void {
  new Gauge({
    name: 'switchyard_sip_accounts_online',
    help: 'Accounts with a phone that is registered now.',
    registers: [registry],
    collect() {
      this.set(registrar.book.onlineCount);
    },
  });
  // Before those that it fills: a registry reads one after the other.
  new Gauge<'trunk' | 'state'>({
    name: 'switchyard_sip_trunk_state',
    help: '1 for the state that a trunk is in.',
    labelNames: ['trunk', 'state'],
    registers: [registry],
    collect() {
      this.reset();
      calls.reset();
      for (const { id, name } of trunks.all) {
        const status = lines.statusOf(id);
        if (!status) continue;
        for (const state of ['disabled', 'unknown', 'up', 'down'] as const) {
          this.set({ trunk: name, state }, status.state === state ? 1 : 0);
        }
        calls.set({ trunk: name, direction: 'inbound' }, status.inboundCalls);
        calls.set({ trunk: name, direction: 'outbound' }, status.outboundCalls);
      }
    },
  });
  const calls = new Gauge<'trunk' | 'direction'>({
    name: 'switchyard_sip_trunk_calls',
    help: 'Calls that go through a trunk now.',
    labelNames: ['trunk', 'direction'],
    registers: [registry],
  });
}
