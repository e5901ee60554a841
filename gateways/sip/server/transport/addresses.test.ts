import { expect, test } from 'vitest';
import { Advertiser } from './addresses.ts';

const options = { externalAddress: '203.0.113.5', localNetworks: ['10.0.0.0/8', 'fd00::/8'] };

test.each([
  ['a peer from outside is told the public address', '198.51.100.7', '10.0.0.4', '203.0.113.5'],
  ['also where the socket is bound to any', '198.51.100.7', '0.0.0.0', '203.0.113.5'],
  ['a peer of our own network is told the one that it reaches', '10.1.2.3', '10.0.0.4', '10.0.0.4'],
  ['a public address of the other family is none for it', 'fd00::7', 'fd00::4', 'fd00::4'],
])('%s', (_title, remote, bound, told) => {
  const advertiser = new Advertiser(options);
  expect([advertiser.addressFor(remote, bound), advertiser.addressFor(remote, bound)]).toEqual([told, told]);
});

test('without a public address the one that is bound is told, and requests to the public one are known as our own', () => {
  expect(new Advertiser({ localNetworks: [] }).addressFor('198.51.100.7', '192.0.2.4')).toBe('192.0.2.4');
  expect(new Advertiser(options).ownAddresses()).toContain('203.0.113.5');
  expect(new Advertiser({ localNetworks: [] }).ownAddresses()).not.toContain('203.0.113.5');
});
