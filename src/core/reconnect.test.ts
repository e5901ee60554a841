import { expect, test } from 'vitest';
import { defaultReconnect, ReconnectPolicy } from './reconnect.ts';

const middle = () => 0.5;

test('delays grow to the last one and stay there', () => {
  const policy = new ReconnectPolicy(defaultReconnect, middle);
  const delays = Array.from({ length: 7 }, () => policy.failed(0));
  expect(delays).toEqual([1_000, 2_000, 5_000, 10_000, 30_000, 30_000, 30_000]);
});

test('media that flowed long enough begins them anew, a short flash does not', () => {
  const policy = new ReconnectPolicy(defaultReconnect, middle);
  policy.failed(0);
  policy.failed(0);
  expect(policy.failed(9_999)).toBe(5_000);
  expect(policy.failed(10_000)).toBe(1_000);
});

test('jitter stays within its share', () => {
  for (const random of [0, 0.25, 0.999]) {
    const delay = new ReconnectPolicy(defaultReconnect, () => random).failed(0) as number;
    expect(delay).toBeGreaterThanOrEqual(800);
    expect(delay).toBeLessThanOrEqual(1_200);
  }
});

test('it gives up after so many failures in a row, and not before', () => {
  const policy = new ReconnectPolicy({ ...defaultReconnect, maxAttempts: 2 }, middle);
  expect([policy.failed(0), policy.failed(0), policy.failed(0)]).toEqual([1_000, 2_000, undefined]);
  expect(policy.failures).toBe(3);
});
