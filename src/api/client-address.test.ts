import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { clientAddress, limitKey, parseProxies } from './client-address.ts';

const proxies = parseProxies(['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8']);

test.each([
  ['no header', '192.0.2.1', undefined, '192.0.2.1'],
  ['a stranger may not say who it is', '192.0.2.1', '198.51.100.7', '192.0.2.1'],
  ['a proxy may', '127.0.0.1', '198.51.100.7', '198.51.100.7'],
  ['as IPv4 in IPv6 too', '::ffff:10.1.2.3', '198.51.100.7', '198.51.100.7'],
  ['what the client made up stands left of it', '10.0.0.1', '1.1.1.1, 198.51.100.7, 10.0.0.2', '198.51.100.7'],
  ['all are proxies', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['with a port', '10.0.0.1', '198.51.100.7:4321', '198.51.100.7'],
  ['IPv6 with a port', 'fd00::1', '[2001:db8::7]:4321', '2001:db8::7'],
  ['nonsense ends the walk', '10.0.0.1', '198.51.100.7, unknown', '10.0.0.1'],
  ['empty', '10.0.0.1', '', '10.0.0.1'],
])('the client’s address: %s', (_name, remote, header, expected) => {
  assert.equal(clientAddress(remote, header, proxies), expected);
});

test('a header of a million hops is read from its end and no further', () => {
  assert.equal(clientAddress('10.0.0.1', '10.0.0.2,'.repeat(100_000).slice(0, -1), proxies), '10.0.0.2');
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:0001:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('the limit of %s is that of %s', (address, key) => {
  assert.equal(limitKey(address), key);
});

test.each(['example.org', '10.0.0.0/33', '10.0.0.0/x', '', '1.2.3'])('"%s" is refused as a proxy', (proxy) => {
  assert.throws(() => parseProxies([proxy]), /http\.trustedProxies/);
});
