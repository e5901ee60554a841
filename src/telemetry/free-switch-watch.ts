// Owns: what operators are told of a FreeSWITCH: readiness, metrics, events. May import: core.
import type { EventEmitter } from 'node:events';
import { Gauge, type Registry } from 'prom-client';
import type { FreeSwitchEvents, FreeSwitchStatus } from '#core/free-switch-status.ts';
import type { EventSink } from '#core/gateway-events.ts';
import type { Health } from './health.ts';

export interface WatchedFreeSwitch {
  readonly status: FreeSwitchStatus;
  /** Why calls that need it are refused now. */
  readonly problem: string | undefined;
  readonly events: EventEmitter<FreeSwitchEvents>;
}

export interface FreeSwitchWatchers {
  readonly health: Pick<Health, 'addCheck'>;
  readonly registry: Registry;
  readonly sink: EventSink;
  /** Every call has its media there unless its trunk says otherwise: without it this node is of little use. */
  readonly isDefault: boolean;
}

/** Nothing is there to be told of where none is configured. */
export function watchFreeSwitch(freeSwitch: WatchedFreeSwitch | undefined, watchers: FreeSwitchWatchers): void {
  if (!freeSwitch) return;
  const { health, registry, sink, isDefault } = watchers;
  if (isDefault) health.addCheck('freeswitch', () => (freeSwitch.problem === undefined ? [] : [freeSwitch.problem]));
  for (const state of ['up', 'down'] as const) {
    freeSwitch.events.on(state, ({ host, port, version = null, lastError }) =>
      sink.emit(`freeswitch.${state}`, { host, port, version, reason: state === 'down' ? (lastError ?? null) : null }),
    );
  }
  new Gauge({
    name: 'switchyard_freeswitch_up',
    help: '1 while there is a connection to FreeSWITCH.',
    registers: [registry],
    collect() {
      this.set(freeSwitch.status.state === 'up' ? 1 : 0);
    },
  });
  new Gauge({
    name: 'switchyard_freeswitch_channels',
    help: 'Channels of calls in FreeSWITCH, two for each.',
    registers: [registry],
    collect() {
      this.set(freeSwitch.status.channels);
    },
  });
}
