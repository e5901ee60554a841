import { expect, test } from 'vitest';
import { BitrateFollower } from './bitrate-follower.ts';

const asked = 2_000_000;

/** Seconds of estimates, one a second, and what comes of each. */
function follow(
  follower: BitrateFollower,
  firstS: number,
  count: number,
  estimates: Record<string, number>,
  spentBps = Number.POSITIVE_INFINITY,
) {
  const changes: [number, number][] = [];
  for (let second = firstS; second < firstS + count; second++) {
    const bps = follower.fit(new Map(Object.entries(estimates)), spentBps, second * 1_000);
    if (bps !== undefined) changes.push([second, bps]);
  }
  return changes;
}

test('what is asked for is spent while everybody can take it', () => {
  expect(follow(new BitrateFollower(asked), 0, 30, { a: 5_000_000, b: 2_500_000 })).toEqual([]);
  expect(follow(new BitrateFollower(asked), 0, 30, {})).toEqual([]);
});

test('the receiver with the least sets the pace, but not in its first seconds', () => {
  expect(follow(new BitrateFollower(asked), 0, 30, { a: 5_000_000, b: 1_000_000 })).toEqual([[6, 850_000]]);
});

test('one that can take next to nothing does not take the picture from the others', () => {
  expect(follow(new BitrateFollower(asked), 0, 30, { a: 5_000_000, b: 20_000 })).toEqual([[6, 500_000]]);
});

test('who asked for little is left what an encoder takes at the least', () => {
  expect(follow(new BitrateFollower(20_000), 0, 30, { a: 1_000 })).toEqual([[6, 10_000]]);
});

test('it comes back when the slow one has left or recovered, and small waves are let go by', () => {
  const follower = new BitrateFollower(asked);
  expect(follow(follower, 0, 10, { a: 5_000_000, b: 1_000_000 })).toEqual([[6, 850_000]]);
  expect(follow(follower, 10, 10, { a: 5_000_000, b: 1_050_000 })).toEqual([]);
  expect(follow(follower, 20, 10, { a: 5_000_000, b: 1_500_000 })).toEqual([[20, 1_275_000]]);
  expect(follow(follower, 30, 10, { a: 5_000_000 })).toEqual([[30, asked]]);
});

test('a falling estimate is followed at most every two seconds', () => {
  const follower = new BitrateFollower(asked);
  follow(follower, 0, 10, { a: 5_000_000 });
  const changes = [1_800_000, 1_500_000, 1_200_000, 900_000].map((bps, index) =>
    follower.fit(new Map([['a', bps]]), asked, 10_000 + index * 1_000),
  );
  expect(changes).toEqual([1_530_000, undefined, 1_020_000, undefined]);
});

test('a picture that takes little makes estimates low: it keeps what it may spend, and gets it back in steps', () => {
  const follower = new BitrateFollower(asked);
  expect(follow(follower, 0, 20, { a: 400_000 }, 100_000)).toEqual([]);
  expect(follow(follower, 20, 1, { a: 400_000 })).toEqual([[20, 500_000]]);
  expect(follow(follower, 21, 20, { a: 675_000 }, 100_000)).toEqual([
    [24, 750_000],
    [28, 1_125_000],
    [32, 1_687_500],
    [36, asked],
  ]);
});
