import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { listenInfosFor, localAddresses, loopbackPortRange } from './listen-addresses.ts';

const ip = (address: string, internal = false): NetworkInterfaceInfo => {
  const common = { address, netmask: '', mac: '', internal, cidr: null };
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' };
};

test('addresses are offered public before loopback, IPv4 before IPv6, link-local never, each once', () => {
  const interfaces = {
    lo: [ip('127.0.0.1', true), ip('::1', true)],
    eth0: [ip('fe80::1'), ip('2001:db8::1'), ip('192.0.2.1')],
    docker0: [ip('172.17.0.1'), ip('192.0.2.1')],
    gone: undefined,
  };
  expect(localAddresses(interfaces)).toEqual(['192.0.2.1', '172.17.0.1', '2001:db8::1', '127.0.0.1', '::1']);
});

test('every address gets UDP and TCP on the same port, UDP of all first', () => {
  const addresses = [{ ip: '192.0.2.1', announcedAddress: 'media.example.org' }, { ip: '127.0.0.1' }];
  expect(listenInfosFor(addresses, 44_400, { hasUdp: true, hasTcp: true })).toEqual([
    { protocol: 'udp', ip: '192.0.2.1', announcedAddress: 'media.example.org', port: 44_400 },
    { protocol: 'udp', ip: '127.0.0.1', port: 44_400 },
    { protocol: 'tcp', ip: '192.0.2.1', announcedAddress: 'media.example.org', port: 44_400 },
    { protocol: 'tcp', ip: '127.0.0.1', port: 44_400 },
  ]);
  expect(listenInfosFor([{ ip: '127.0.0.1' }], 0, { hasUdp: false, hasTcp: true })).toEqual([
    { protocol: 'tcp', ip: '127.0.0.1' },
  ]);
});

test.each([
  [44_400, 2, 45_000],
  [18_010, 2, 45_000],
  [44_999, 2, 30_000],
  [50_000, 256, 30_000],
])('with the first port %i, %i workers find loopback ports from %i', (firstPort, workers, min) => {
  const range = loopbackPortRange(firstPort, workers);
  expect(range.min).toBe(min);
  expect(firstPort > range.max || firstPort + workers <= range.min).toBe(true);
});
