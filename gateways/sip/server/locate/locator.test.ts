import assert from 'node:assert/strict';
import { afterEach, describe, test, vi } from 'vitest';
import { type DnsRecord, DnsServer } from '#test/support/dns-server.ts';
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

describe('by DNS', () => {
  const opened: DnsServer[] = [];
  afterEach(() => {
    for (const dns of opened.splice(0)) dns.close();
  });

  const srv = (priority: number, port: number, target: string): DnsRecord => {
    return { type: 'SRV', priority, weight: 1, port, target };
  };

  async function locatorWith(records: Record<string, DnsRecord[]>) {
    const dns = await DnsServer.create(records);
    opened.push(dns);
    const locator = new Locator({ ...defaultLocatorOptions, dnsServers: [dns.address] }, () => true);
    const locate = async (text: string) => {
      const uri = parseUri(text);
      assert.ok(uri);
      return locator.locate(uri);
    };
    const where = async (text: string) =>
      (await locate(text)).map(({ protocol, address, port }) => `${protocol} ${address} ${port}`);
    return { dns, locator, locate, where };
  }

  test('sips is found by _sips._tcp alone, and its certificate is to be for the domain that was asked for', async () => {
    const { dns, locate } = await locatorWith({
      '_sips._tcp.example.test': [srv(1, 5061, 'edge.host.test')],
      '_sip._udp.example.test': [srv(1, 5060, 'edge.host.test')],
      'edge.host.test': [{ type: 'A', address: '192.0.2.7' }],
    });
    const [target, ...others] = await locate('sips:example.test');
    assert.deepEqual(
      [target?.protocol, target?.address, target?.port, target?.serverName, others],
      ['tls', '192.0.2.7', 5061, 'example.test', []],
    );
    assert.ok(!dns.asked.some((each) => each.includes('_udp')));
  });

  test('a name has all its addresses, of both families, behind the port that SRV says', async () => {
    const { where } = await locatorWith({
      '_sip._tcp.example.test': [srv(1, 5070, 'edge.test')],
      'edge.test': [
        { type: 'A', address: '192.0.2.7' },
        { type: 'AAAA', address: '2001:db8:0:0:0:0:0:7' },
      ],
    });
    assert.deepEqual(await where('sip:example.test;transport=tcp'), ['tcp 192.0.2.7 5070', 'tcp 2001:db8::7 5070']);
  });

  test('addresses are kept as long as DNS says, within bounds, services for half a minute, failures for three seconds', async () => {
    const address = (ttlSec: number): DnsRecord => ({ type: 'A', address: '192.0.2.7', ttlSec });
    const { dns, where } = await locatorWith({
      'host.test': [address(20), address(90)],
      'moving.test': [address(0)],
      'steady.test': [address(86_400)],
      '_sip._tcp.served.test': [srv(1, 5070, 'steady.test')],
    });
    let nowMs = 1_000;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    try {
      const names = [
        'host.test:5060',
        'moving.test:5060',
        'steady.test:5060',
        'gone.test:5060',
        'served.test;transport=tcp',
      ];
      const asked = async () => {
        const before = dns.asked.length;
        for (const name of names) await where(`sip:${name}`);
        return dns.asked.slice(before).filter((each) => /^(A|SRV) /.test(each));
      };
      await asked();
      assert.deepEqual(await asked(), []);
      nowMs += 3_001;
      assert.deepEqual(await asked(), ['A gone.test']);
      nowMs += 2_000;
      assert.deepEqual(await asked(), ['A moving.test']);
      nowMs += 15_000;
      assert.deepEqual(await asked(), ['A host.test', 'A moving.test', 'A gone.test']);
      nowMs += 10_000;
      assert.deepEqual(await asked(), ['A moving.test', 'A gone.test', 'SRV _sip._tcp.served.test']);
      nowMs += 270_000;
      assert.equal((await asked()).filter((each) => each === 'A steady.test').length, 1);
    } finally {
      clock.mockRestore();
    }
  });

  test('a target that failed is tried after its siblings, and in its place again later', async () => {
    const { locator, locate, where } = await locatorWith({
      'host.test': [
        { type: 'A', address: '192.0.2.7' },
        { type: 'A', address: '192.0.2.8' },
      ],
    });
    const [first, second] = await locate('sip:host.test:5060');
    assert.ok(first && second);
    locator.markFailed(first);
    assert.deepEqual(await locate('sip:host.test:5060'), [second, first]);
    const later = performance.now() + 31_000;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => later);
    assert.deepEqual((await where('sip:host.test:5060'))[0], `udp ${first.address} 5060`);
    clock.mockRestore();
  });
});
