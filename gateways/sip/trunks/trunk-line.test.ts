import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TrunkRecord } from '#core/trunk.ts';
import { someRooms } from '#test/support/some-room.ts';
import type { LinkEvents } from '../link.ts';
import { newTrunkMemory, TrunkLine } from './trunk-line.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const hosts = ['a.example', 'b.example:5080', 'c.example'];

function lineOf(trunk: Partial<TrunkRecord>, memory = newTrunkMemory(), headers: Record<string, string> = {}) {
  const answer = { status: 200, reason: 'OK', body: '', header: (name: string) => headers[name] };
  const link = { isUp: true, events: new EventEmitter<LinkEvents>(), request: async () => answer };
  const record: TrunkRecord = { id: 'TK_1', name: 'pbx', createdAtMs: 1, isEnabled: true, ...trunk };
  return new TrunkLine({ trunk: record, password: undefined, link, memory, log: someRooms().log });
}

test('so many calls at once and no more, each way by itself; one that is over makes room, also in a trunk that was changed', async () => {
  const memory = newTrunkMemory();
  const line = lineOf({ inbound: { maxCalls: 2 }, outbound: { hosts, keepAliveSec: 0, maxCalls: 1 } }, memory);
  const first = Promise.withResolvers<void>();
  const never = new Promise(() => undefined);
  line.admit('inbound', first.promise);
  line.admit('inbound', never);
  const full = {
    code: 'overloaded',
    retryAfterMs: 5_000,
    message: expect.stringMatching(/"pbx" has 2 calls, the most/),
  };
  expect(() => line.admit('inbound', never)).toThrow(expect.objectContaining(full));
  line.admit('outbound', never);
  expect(() => line.admit('outbound', never)).toThrow('has 1 calls');
  // A call that failed is over as well.
  first.reject(new Error('failed'));
  await vi.advanceTimersByTimeAsync(0);
  const changed = lineOf({ inbound: { maxCalls: 2 } }, memory);
  expect(changed.status).toMatchObject({ inboundCalls: 1, outboundCalls: 1 });
  changed.admit('inbound', never);
  expect(() => changed.admit('inbound', never)).toThrow('has 2 calls');
});

test('so many calls a second: the next is told when to come, and those that are refused take nothing from it', () => {
  const line = lineOf({ inbound: { callsPerSecond: 2 } });
  const over = Promise.resolve();
  line.admit('inbound', over);
  line.admit('inbound', over);
  for (let i = 0; i < 20; i++) {
    expect(() => line.admit('inbound', over)).toThrow(
      expect.objectContaining({
        code: 'rate_limited',
        retryAfterMs: 1_000,
        message: expect.stringMatching(/2 calls per second/),
      }),
    );
  }
  vi.advanceTimersByTime(500);
  line.admit('inbound', over);
  expect(() => line.admit('inbound', over)).toThrow('2 calls per second');
});

test('hosts that are down are tried last, one failure is no reason, and an answer brings a host back', () => {
  const line = lineOf({ outbound: { hosts, keepAliveSec: 0, transport: 'tcp' } });
  const order = () => line.targetsFor('+49 30#1').map(({ host }) => host);
  line.noteHost('a.example', 'did not answer');
  expect(order()).toEqual(hosts);
  line.noteHost('a.example', 'did not answer');
  expect([order(), line.status.state]).toEqual([['b.example:5080', 'c.example', 'a.example'], 'unknown']);
  expect(line.status.lastError).toBe('a.example: did not answer');
  line.noteHost('a.example', undefined);
  expect([order(), line.status.state]).toEqual([hosts, 'up']);
  expect(line.targetsFor('+49 30#1')[1]?.uri).toBe('sip:+49%2030%231@b.example:5080;transport=tcp');
  for (const host of [...hosts, ...hosts]) line.noteHost(host, 'did not answer');
  expect(line.status.state).toBe('down');
});

test('a trunk that registers is up by that, and its calls go by the Service-Route that the registrar gave', async () => {
  const outbound = { hosts: ['a.example'], username: 'u', keepAliveSec: 0, registration: {} };
  const line = lineOf({ outbound }, newTrunkMemory(), { 'service-route': '<sip:edge.example;lr>', expires: '100' });
  expect(line.targetsFor('1')[0]?.proxy).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(line.status).toMatchObject({ state: 'up', registration: { state: 'registered' } });
  expect(line.targetsFor('1')).toEqual([{ host: 'a.example', uri: 'sip:1@a.example', proxy: 'sip:edge.example;lr' }]);
  await line.close();
});

test('our Contact cannot be guessed, stays when the trunk is changed, and is believed only where we made it', () => {
  const memory = newTrunkMemory();
  const outbound = { hosts: ['a.example'], keepAliveSec: 0, registration: {} };
  const one = lineOf({ outbound }, memory);
  expect(one.contactUser).toMatch(/^t[a-z0-9_-]{20}$/);
  expect([one.isCalledBy(one.contactUser), one.isCalledBy('t123')]).toEqual([true, false]);
  expect(lineOf({ outbound: { ...outbound, domain: 'x' } }, memory).contactUser).toBe(one.contactUser);
  const named = lineOf({ outbound: { ...outbound, registration: { contactUser: '4930123' } } });
  expect([named.contactUser, named.isCalledBy('4930123')]).toEqual(['4930123', false]);
  expect(lineOf({ outbound, isEnabled: false }, memory).isCalledBy(one.contactUser)).toBe(false);
});
