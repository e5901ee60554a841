import { expect, test } from 'vitest';
import { Owned } from './lifecycle.ts';
import { StartedOnce } from './started-once.ts';

class Thing extends Owned {
  protected override onClose(): void {
    // Nothing of its own.
  }
}

test('who asks at the same time gets the same one, and it is there until it begins to end', async () => {
  const things = new StartedOnce<string, Thing>();
  let begun = 0;
  const start = async () => {
    begun += 1;
    return new Thing();
  };
  const [one, other] = await Promise.all([things.of('a', start), things.of('a', start)]);
  expect(one).toBe(other);
  expect([begun, things.size, things.live.get('a')]).toEqual([1, 1, one]);
  const closing = one.close();
  expect([things.size, things.live.size]).toEqual([0, 0]);
  expect(await things.of('a', start)).not.toBe(one);
  expect(await things.of('b', start)).not.toBe(await things.of('a', start));
  await closing;
});

test('one that never came about is told to who began it, and begun anew for who waited', async () => {
  const things = new StartedOnce<string, Thing>();
  const failed = things.of('a', () => Promise.reject(new Error('no port')));
  const later = things.of('a', async () => new Thing());
  await expect(failed).rejects.toThrow('no port');
  expect((await later).isClosed).toBe(false);
  expect(things.live.get('a')).toBe(await later);
});
