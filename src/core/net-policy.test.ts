import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressGroup, NetPolicy } from './net-policy.ts';

const policy = new NetPolicy({ schemes: ['rtsp', 'rtsps'] });

test.each([
  '127.0.0.1',
  '127.9.9.9',
  '0.0.0.0',
  '169.254.169.254',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '::',
  'fe80::1%eth0',
  'ff02::1',
  'fd00:ec2::254',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::127.0.0.1',
  '64:ff9b::169.254.169.254',
  '2002:7f00:1::',
  '2001:0:4136:e378::1',
  '100.100.100.200',
])('%s is refused unless allowed', (address) => {
  expect(policy.addressProblem(address)).toBeDefined();
});

test.each(['192.168.1.20', '10.0.0.9', '8.8.8.8', '2a00:1450:4001::1', 'fd12:3456::1', '64:ff9b::8.8.8.8'])(
  '%s may be reached',
  (address) => {
    expect(policy.addressProblem(address)).toBeUndefined();
  },
);

test.each(['localhost', '127.1', '0177.0.0.1', '2130706433', '1.2.3.4.5', '1::2::3', 'g::', '', '1.2.3.256'])(
  '"%s" is no address',
  (address) => {
    expect(policy.addressProblem(address)).toContain('no IP address');
  },
);

describe('rules', () => {
  test('allow lets loopback through, deny goes before allow', () => {
    const rules = { schemes: ['rtsp'], allow: ['127.0.0.0/8', '::1'], deny: ['127.0.0.2', '10.0.0.0/8'] };
    const { addressProblem } = bound(new NetPolicy(rules));
    expect(addressProblem('127.0.0.1')).toBeUndefined();
    expect(addressProblem('::1')).toBeUndefined();
    expect(addressProblem('127.0.0.2')).toContain('denied');
    expect(addressProblem('::ffff:10.1.2.3')).toContain('denied');
  });

  test('an IPv4 range does not open the IPv6 address that hides one of it', () => {
    const { addressProblem } = bound(new NetPolicy({ schemes: ['rtsp'], allow: ['127.0.0.0/8'] }));
    expect(addressProblem('64:ff9b::127.0.0.1')).toContain('loopback');
  });

  test('otherwise deny leaves only what is allowed', () => {
    const { addressProblem } = bound(new NetPolicy({ schemes: [], allow: ['10.0.0.0/8'], otherwise: 'deny' }));
    expect(addressProblem('10.1.1.1')).toBeUndefined();
    expect(addressProblem('8.8.8.8')).toContain('not among');
  });

  test.each(['10.0.0.0/33', 'fd00::/129', 'home', '10.0.0/8', '10.0.0.0/'])('the range %s is refused', (range) => {
    expect(() => new NetPolicy({ schemes: [], deny: [range] })).toThrow('no address range');
  });
});

describe('targets', () => {
  const target = { scheme: 'rtsp', host: 'camera.example', port: 554 };

  test('a name is resolved once, to the first address that is allowed', async () => {
    const lookup = async () => ['127.0.0.1', '192.0.2.7'];
    expect(await policy.resolve(target, lookup)).toBe('192.0.2.7');
  });

  test('an address is not looked up, in brackets or without', async () => {
    const lookup = () => Promise.reject(new Error('not to be called'));
    expect(await policy.resolve({ ...target, host: '[2a00::1]' }, lookup)).toBe('2a00::1');
    await expect(policy.resolve({ ...target, host: '[::1]' }, lookup)).rejects.toThrow('loopback');
  });

  test('a name that leads only to loopback, nowhere, or fails is refused with its reason', async () => {
    await expect(policy.resolve(target, async () => ['127.0.0.1'])).rejects.toThrow('loopback');
    await expect(policy.resolve(target, async () => [])).rejects.toThrow('no address');
    await expect(policy.resolve(target, () => Promise.reject(new Error('ENOTFOUND')))).rejects.toThrow('resolved');
  });

  test('schemes and ports are those of the rules', () => {
    expect(() => policy.assertTarget({ ...target, scheme: 'file' })).toThrow('file: are not allowed');
    const strict = new NetPolicy({ schemes: ['RTSP'], ports: [554] });
    expect(() => strict.assertTarget({ ...target, port: 22 })).toThrow('Port 22');
    expect(strict.assertTarget(target)).toBeUndefined();
  });
});

test('limits per address take one IPv6 network for one', () => {
  expect(addressGroup('2001:db8::1')).toBe(addressGroup('2001:db8:0:0:ffff::2'));
  expect(addressGroup('2001:db8::1')).not.toBe(addressGroup('2001:db8:0:1::1'));
  expect(addressGroup('::ffff:192.0.2.1')).toBe(addressGroup('192.0.2.1'));
});

test('no text makes it throw, and every IPv4 address reads the same in IPv6', () => {
  fc.assert(fc.property(fc.string(), (text) => void policy.addressProblem(text)));
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(policy.addressProblem(`::ffff:${address}`)).toBe(policy.addressProblem(address));
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      expect(policy.addressProblem(address) ?? '').not.toContain('no IP');
    }),
  );
});

function bound(subject: NetPolicy): { addressProblem(address: string): string | undefined } {
  return { addressProblem: (address) => subject.addressProblem(address) };
}
