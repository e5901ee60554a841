import { expect, test } from 'vitest';
import { QueueMeter } from './queue-meter.ts';

/** Looks every 100 ms, and reads each ping so much later. */
function run(
  meter: QueueMeter,
  { fromMs, rounds, lateMs }: { fromMs: number; rounds: number; lateMs: number },
): boolean[] {
  const waiting: { data: Buffer; readMs: number }[] = [];
  return Array.from({ length: rounds }, (_, round) => {
    const nowMs = fromMs + round * 100;
    while (waiting[0] && waiting[0].readMs <= nowMs) meter.read(waiting.shift()?.data ?? Buffer.alloc(0), nowMs);
    waiting.push({ data: meter.look(nowMs), readMs: nowMs + lateMs });
    return meter.isBehind;
  });
}

test('a queue that is read at once is not behind', () => {
  expect(run(new QueueMeter(), { fromMs: 0, rounds: 50, lateMs: 20 })).not.toContain(true);
});

test('one in which packets wait for a second is, after some looks, and no more once one is read at once', () => {
  const meter = new QueueMeter();
  const told = run(meter, { fromMs: 0, rounds: 30, lateMs: 1_000 });
  expect(told.indexOf(true)).toBeGreaterThan(4);
  expect(told.indexOf(true)).toBeLessThan(10);
  expect(told.at(-1)).toBe(true);
  const ping = meter.look(3_000);
  meter.read(ping, 3_010);
  expect(meter.isBehind).toBe(false);
});

test('one that is full is: its pings are lost', () => {
  const meter = new QueueMeter();
  for (let nowMs = 0; nowMs < 20_000; nowMs += 100) meter.look(nowMs);
  expect(meter.isBehind).toBe(true);
});

test('a loop that was held for two seconds once has read everything before it looks often enough', () => {
  const meter = new QueueMeter();
  const ping = meter.look(0);
  const next = meter.look(2_000);
  meter.read(ping, 2_001);
  meter.read(next, 2_001);
  expect(run(meter, { fromMs: 2_100, rounds: 10, lateMs: 5 })).not.toContain(true);
});

test('what is no ping of ours says nothing', () => {
  const meter = new QueueMeter();
  const stranger = new QueueMeter();
  stranger.look(0);
  run(meter, { fromMs: 0, rounds: 20, lateMs: 5_000 });
  for (const data of [
    Buffer.alloc(0),
    Buffer.alloc(8),
    Buffer.from('pingpong!'),
    Buffer.from('ping\xff\xff\xff\xff', 'latin1'),
  ]) {
    meter.read(data, 2_001);
  }
  expect(meter.isBehind).toBe(true);
});
