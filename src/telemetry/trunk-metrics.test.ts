import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { TrunkRecord, TrunkStatus } from '#core/trunk.ts';
import { watchTrunks } from './trunk-metrics.ts';

const record = (id: string, name: string): TrunkRecord => ({ id, name, createdAtMs: 1, isEnabled: true });
const status = (state: TrunkStatus['state'], inboundCalls = 0, outboundCalls = 0): TrunkStatus => ({
  ...{ state, sinceMs: 1, lastError: undefined, lastErrorAtMs: undefined, hosts: [], registration: undefined },
  ...{ inboundCalls, outboundCalls },
});

test('each trunk is in one state and has its calls each way, as they are when asked; one that is gone is not told of', async () => {
  const registry = new Registry();
  const trunks = { all: [record('TK_1', 'carrier'), record('TK_2', 'pbx')] };
  const states = new Map([
    ['TK_1', status('up', 3, 2)],
    ['TK_2', status('down')],
  ]);
  const registrar = { book: { onlineCount: 7 } };
  watchTrunks(registry, { trunks, registrar, lines: { statusOf: (id) => states.get(id) } });
  const lines = async () => (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#'));
  expect(await lines()).toEqual(
    expect.arrayContaining([
      'switchyard_sip_accounts_online 7',
      'switchyard_sip_trunk_state{trunk="carrier",state="up"} 1',
      'switchyard_sip_trunk_state{trunk="carrier",state="down"} 0',
      'switchyard_sip_trunk_state{trunk="pbx",state="down"} 1',
      'switchyard_sip_trunk_calls{trunk="carrier",direction="inbound"} 3',
      'switchyard_sip_trunk_calls{trunk="carrier",direction="outbound"} 2',
    ]),
  );
  states.set('TK_1', status('down'));
  trunks.all = trunks.all.slice(0, 1);
  const later = await lines();
  expect(later).toContain('switchyard_sip_trunk_state{trunk="carrier",state="up"} 0');
  expect(later).toContain('switchyard_sip_trunk_calls{trunk="carrier",direction="inbound"} 0');
  expect(later.join()).not.toContain('pbx');
});
