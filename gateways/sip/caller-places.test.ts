import { expect, test } from 'vitest';
import { CallerPlaces } from './caller-places.ts';

const from = (address: string) => ({ source: { address, port: 5060, protocol: 'udp' }, callId: 'c' });

test('an address, an account and a trunk have places of their own, and each is given back once', () => {
  const offences: string[] = [];
  const defence = { note: (offence: string) => void offences.push(offence) };
  const places = new CallerPlaces({
    perAddress: 1,
    perTrunk: 2,
    exemptNetworks: ['192.0.2.9/32'],
    defence,
    what: 'wait',
  });
  const line = { trunk: { id: 'TK_1', name: 'carrier' } };
  const account = { username: 'alice' };
  const take = (address: string, owner = {}) => {
    places.assertFree(from(address), owner);
    return places.take(from(address), owner);
  };
  const give = take('192.0.2.1');
  take('192.0.2.1', { account });
  for (const host of [2, 3]) take(`192.0.2.${host}`, { line });
  expect(() => take('192.0.2.1')).toThrow('1 calls of this address wait, which is the most.');
  expect(() => take('192.0.2.7', { account })).toThrow('1 calls of "alice" wait, which is the most.');
  expect(() => take('192.0.2.8', { line })).toThrow('2 calls of the trunk "carrier" wait, which is the most.');
  // Held against who is not known by more than his address.
  expect(offences).toEqual(['flood']);
  give();
  give();
  take('192.0.2.1');
  expect(() => take('192.0.2.1')).toThrow(/which is the most/);
  for (let i = 0; i < 3; i++) take('192.0.2.9');
  // IPv6 customers have a /64 each.
  take('2001:db8::1');
  expect(() => take('2001:db8::2')).toThrow(/this address/);
});
