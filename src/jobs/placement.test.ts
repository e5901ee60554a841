import { expect, test } from 'vitest';
import { type PlacementWorker, placeJob } from './placement.ts';

const limits = { maxWorkers: 2, capacityMsPerS: 800, maxRssBytes: 1e9 };
const worker = (id: number, over: Partial<PlacementWorker> = {}): PlacementWorker => ({
  id,
  costMsPerS: 0,
  measuredMsPerS: 0,
  rssBytes: 1e8,
  hasRoom: false,
  ...over,
});

test.each([
  ['the first job starts a worker', 30, [], { kind: 'new' }],
  ['a small one joins a worker that is less than half full', 30, [worker(1)], { kind: 'existing', workerId: 1 }],
  [
    'the worker that has its room comes before a less loaded one',
    30,
    [worker(1), worker(2, { costMsPerS: 100, hasRoom: true })],
    { kind: 'existing', workerId: 2 },
  ],
  ['past half, another worker is started', 130, [worker(1, { costMsPerS: 300 })], { kind: 'new' }],
  [
    'with all workers up, the least loaded takes it',
    130,
    [worker(1, { costMsPerS: 500 }), worker(2, { costMsPerS: 450 })],
    { kind: 'existing', workerId: 2 },
  ],
  [
    'measured load counts where it is more than was reckoned',
    130,
    [worker(1, { measuredMsPerS: 790 }), worker(2, { costMsPerS: 600 })],
    { kind: 'existing', workerId: 2 },
  ],
] as const)('%s', (_title, cost, workers, expected) => {
  expect(placeJob(cost, workers, limits)).toEqual(expected);
});

test('a job that fits nowhere is refused with what it needs and what is left', () => {
  const placement = placeJob(130, [worker(1, { costMsPerS: 700 }), worker(2, { costMsPerS: 750 })], limits);
  expect(placement.kind).toBe('refused');
  expect(placement.kind === 'refused' && placement.message).toContain('13 %');
  expect(placement.kind === 'refused' && placement.message).toContain('10 % left');
});

test('a worker out of memory takes nothing, and the refusal says so', () => {
  const placement = placeJob(30, [worker(1, { rssBytes: 2e9 }), worker(2, { rssBytes: 2e9 })], limits);
  expect(placement.kind === 'refused' && placement.message).toContain('2 of them have no memory left');
});

test('a job larger than any worker is refused even when none is started', () => {
  expect(placeJob(900, [], limits).kind).toBe('refused');
});
