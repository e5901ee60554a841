import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { Unacknowledged } from './unacknowledged.ts';

const from = (address: string) => ({ source: { address, port: 5060, protocol: 'udp' }, callId: 'c' });
const carrier = { trunk: { id: 'TK_1', name: 'carrier' } };

function someCalls() {
  const offences: string[] = [];
  const defence = {
    note: (offence: string, { source }: { source: { address: string } }) =>
      void offences.push(`${offence} ${source.address}`),
  };
  const limits = { unacknowledgedPerAddress: 2, unacknowledgedPerTrunk: 3, exemptNetworks: ['192.0.2.9/32'] };
  const calls = new Unacknowledged({ ...limits, defence });
  const answer = (address: string, line?: typeof carrier) => {
    calls.assertMayCall(from(address), line);
    const events = new EventEmitter();
    calls.watch(from(address), line, { events });
    return events;
  };
  return { answer, offences };
}

test('so many at once, then 503 with the reason; an ACK, a BYE and the end each give one back, once', () => {
  const { answer, offences } = someCalls();
  const first = answer('192.0.2.1');
  const second = answer('192.0.2.1');
  answer('192.0.2.2');
  expect(() => answer('192.0.2.1')).toThrow(/2 calls of this address .* wait for their ACK/);
  first.emit('acknowledged', '');
  first.emit('ended', 'peer', '');
  const third = answer('192.0.2.1');
  expect(() => answer('192.0.2.1')).toThrow(expect.objectContaining({ code: 'rate_limited', retryAfterMs: 5_000 }));
  second.emit('ended', 'peer', '');
  third.emit('ended', 'server', 'ACK timeout');
  expect(offences).toEqual(['flood 192.0.2.1', 'flood 192.0.2.1', 'no_ack 192.0.2.1']);
  answer('192.0.2.1');
  answer('192.0.2.1');
});

test('a trunk has a limit of its own, over all its addresses, and its address is not held against it', () => {
  const { answer, offences } = someCalls();
  answer('198.51.100.1', carrier).emit('ended', 'server', 'ACK timeout');
  for (const host of [1, 2, 3]) answer(`198.51.100.${host}`, carrier);
  expect(() => answer('198.51.100.4', carrier)).toThrow(/3 calls of the trunk "carrier"/);
  for (let i = 0; i < 5; i++) answer('192.0.2.9');
  expect(offences).toEqual([]);
});
