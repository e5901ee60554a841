import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { PassingMap, PassingSet } from './passing-map.ts';

describe('PassingMap', () => {
  test('has what was put in and not what was taken out, in the order of coming', () => {
    const map = new PassingMap<string, number | undefined>();
    map.set('a', 1).set('b', 2).set('c', undefined).set('a', 4);
    expect([...map]).toEqual([
      ['a', 4],
      ['b', 2],
      ['c', undefined],
    ]);
    expect(map.delete('b')).toBe(true);
    expect(map.delete('b')).toBe(false);
    expect(map.get('b')).toBeUndefined();
    expect([map.has('b'), map.has('c'), map.size]).toEqual([false, true, 2]);
    expect([...map.keys()]).toEqual(['a', 'c']);
    expect([...map.values()]).toEqual([4, undefined]);
    map.clear();
    expect([map.size, map.get('a'), [...map.entries()]]).toEqual([0, undefined, []]);
  });

  test('bears that entries come and go while it is gone through', () => {
    const map = new PassingMap<number, string>();
    map.set(1, 'one').set(2, 'two').set(3, 'three');
    const seen: string[] = [];
    map.forEach((value, key) => {
      seen.push(value);
      map.delete(key + 1);
      if (key === 3) map.set(4, 'four');
    });
    expect(seen).toEqual(['one', 'three', 'four']);
  });

  test('lets go of what was taken out before everything is collected', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
    const map = new PassingMap<string, number[]>();
    const come = (count: number): void => {
      for (let i = 0; i < count; i++) {
        map.set(`k${i}`, new Array<number>(500).fill(i));
        map.delete(`k${i - 10}`);
      }
    };
    come(3_000);
    collect();
    const before = oldBytes();
    // 40 MB come and go, of which a Map keeps 16.
    come(10_000);
    collect({ type: 'minor' });
    collect({ type: 'minor' });
    expect(oldBytes() - before).toBeLessThan(5e6);
  });
});

test('PassingSet gives back how each is taken out, the same twice too', () => {
  const set = new PassingSet<string>();
  const takeFirst = set.add('a');
  set.add('a');
  set.add('b');
  takeFirst();
  takeFirst();
  expect([...set]).toEqual(['a', 'b']);
  set.clear();
  expect(set.size).toBe(0);
});

function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name }) => space_name === 'old_space' || space_name === 'large_object_space')
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}
