import { expect, test } from 'vitest';
import { reachingAddress } from './reaching-address.ts';

const of = (address: string, prefix: number, internal = false) => ({
  address,
  netmask: '',
  mac: '',
  internal,
  ...(address.includes(':')
    ? { family: 'IPv6' as const, scopeid: 0, cidr: `${address}/${prefix}` }
    : { family: 'IPv4' as const, cidr: `${address}/${prefix}` }),
});
const interfaces = {
  lo: [of('127.0.0.1', 8, true), of('::1', 128, true)],
  eth0: [of('192.0.2.10', 24), of('2001:db8::10', 64)],
  eth1: [of('10.1.2.3', 16)],
};

test.each([
  ['10.1.99.7', '10.1.2.3'],
  ['127.0.0.9', '127.0.0.1'],
  ['203.0.113.5', '192.0.2.10'],
  ['2001:db8::77', '2001:db8::10'],
  ['::1', '::1'],
])('a peer at %s is told %s', (remote, own) => {
  expect(reachingAddress(remote, interfaces)?.address).toBe(own);
});
