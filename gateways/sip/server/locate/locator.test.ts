import assert from 'node:assert/strict';
import { test } from 'vitest';
import { parseUri } from '../message/uri.ts';
import { defaultLocatorOptions, Locator, orderBySrv } from './locator.ts';

test('SRV records go by priority, and within one by a draw of their weights', () => {
  const record = (name: string, priority: number, weight: number) => ({ name, port: 1, priority, weight });
  const records = [record('c', 2, 0), record('a', 1, 10), record('b', 1, 90)];
  assert.deepEqual(
    orderBySrv(records, () => 0.5).map(({ name }) => name),
    ['b', 'a', 'c'],
  );
  assert.deepEqual(
    orderBySrv(records, () => 0).map(({ name }) => name),
    ['a', 'b', 'c'],
  );
});

test.each([
  ['sip:192.0.2.1', 'udp 192.0.2.1 5060'],
  ['sip:192.0.2.1:5070;transport=tcp', 'tcp 192.0.2.1 5070'],
  ['sips:192.0.2.1', 'tls 192.0.2.1 5061'],
  ['sip:192.0.2.1;transport=tls', 'tls 192.0.2.1 5061'],
  ['sips:192.0.2.1;transport=tcp', 'tls 192.0.2.1 5061'],
  ['sip:[2001:db8::1]', 'udp 2001:db8::1 5060'],
  ['sip:x@192.0.2.1;transport=sctp', 'udp 192.0.2.1 5060'],
])('%s is at %s without asking anybody', (text, expected) => {
  const locator = new Locator(defaultLocatorOptions, () => true);
  const uri = parseUri(text);
  assert.ok(uri);
  const [target] = locator.locateNow(uri) ?? [];
  assert.equal(`${target?.protocol} ${target?.address} ${target?.port}`, expected);
});

test('what we have no socket for is no target', () => {
  const locator = new Locator(defaultLocatorOptions, (protocol) => protocol !== 'tls');
  const uri = parseUri('sips:192.0.2.1');
  assert.ok(uri);
  assert.deepEqual(locator.locateNow(uri), []);
});
