import { expect, test } from 'vitest';
import { type ActiveSubscription, defaultWish, difference, toldAtStart, type Wish } from './subscription-wishes.ts';

function active(wish: Partial<Wish>, change: Partial<ActiveSubscription> = {}): ActiveSubscription {
  return {
    subscriptionId: 'SU_1',
    layerCount: 3,
    fullPx: 720,
    wish: { ...defaultWish, ...wish },
    told: { ...toldAtStart },
    ...change,
  };
}

const nothing = { resume: [], pause: [], layers: [], priority: [], pinned: [] };

test('a new subscription is resumed and nothing else', () => {
  expect(difference([active({})])).toEqual({ ...nothing, resume: ['SU_1'] });
});

test('what is wanted as it is asks for nothing', () => {
  expect(difference([active({ isPaused: true })])).toEqual(nothing);
});

test('a small tile asks for the lowest layer', () => {
  expect(difference([active({ tilePx: 150 })]).layers).toEqual([
    { subscriptionId: 'SU_1', layers: { spatialLayer: 0 } },
  ]);
});

test('layers asked for by name count more than the tile', () => {
  const { layers } = difference([active({ tilePx: 150, layers: { spatialLayer: 2, temporalLayer: 0 } })]);
  expect(layers).toEqual([{ subscriptionId: 'SU_1', layers: { spatialLayer: 2, temporalLayer: 0 } }]);
});

test('layers are not asked of a stream that has one, nor of one that is not seen', () => {
  expect(difference([active({ tilePx: 150 }, { layerCount: 1 })]).layers).toEqual([]);
  expect(difference([active({ tilePx: 150, isPaused: true })]).layers).toEqual([]);
});

test('what is not known to be told is told again', () => {
  const told = { isPaused: undefined, isPinned: undefined, priority: undefined, layers: undefined };
  expect(difference([active({ isPaused: true, priority: 7, isPinned: true }, { told })])).toEqual({
    ...nothing,
    pause: ['SU_1'],
    priority: [{ subscriptionId: 'SU_1', priority: 7 }],
    pinned: [{ subscriptionId: 'SU_1', isPinned: true }],
  });
});
