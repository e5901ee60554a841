import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OwnAddresses } from './own-addresses.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

test('other addresses are told of once, when they have stayed; none at all and those that come and go are not', async () => {
  let now = '192.0.2.4';
  let told = 0;
  const addresses = new OwnAddresses(() => now);
  addresses.events.on('changed', () => (told += 1));
  const look = (): number => {
    vi.advanceTimersByTime(15_000);
    return told;
  };
  expect([look(), look()]).toEqual([0, 0]);
  now = '192.0.2.9';
  expect([look(), look(), look()]).toEqual([0, 1, 1]);
  // The cable is out, and in again.
  now = '';
  expect([look(), look()]).toEqual([1, 1]);
  now = '192.0.2.9';
  expect([look(), look()]).toEqual([1, 1]);
  now = '192.0.2.7';
  look();
  now = '192.0.2.9';
  expect([look(), look()]).toEqual([1, 1]);
  await addresses.close();
  now = '192.0.2.1';
  expect([look(), look()]).toEqual([1, 1]);
});
