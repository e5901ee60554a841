import { expect, test } from 'vitest';
import { AddressLimiter, limiterKey } from './address-limiter.ts';
import type { GatewayError } from './errors.ts';

function refusal(action: () => void): GatewayError | undefined {
  try {
    action();
  } catch (thrown) {
    return thrown as GatewayError;
  }
  return undefined;
}

test('a minute’s worth is free, then the answer says when to come back, and coming back then works', () => {
  let nowMs = 0;
  const limiter = new AddressLimiter(60, () => nowMs);
  for (let i = 0; i < 60; i++) limiter.consume('192.0.2.1');
  const refused = refusal(() => limiter.consume('192.0.2.1'));
  expect(refused?.code).toBe('rate_limited');
  expect(refused?.retryAfterMs).toBe(1_000);
  for (let i = 0; i < 100; i++) refusal(() => limiter.consume('192.0.2.1'));
  nowMs = 1_000;
  expect(refusal(() => limiter.consume('192.0.2.1'))).toBeUndefined();
});

test('one address does not pay for another', () => {
  const limiter = new AddressLimiter(1, () => 0);
  limiter.consume('192.0.2.1');
  expect(refusal(() => limiter.consume('192.0.2.2'))).toBeUndefined();
  expect(refusal(() => limiter.consume('::ffff:192.0.2.1'))?.code).toBe('rate_limited');
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:0db8:0001:0002::1', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
])('%s counts as %s', (address, key) => {
  expect(limiterKey(address)).toBe(key);
});
