import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { GatewayError } from './errors.ts';
import { LoadBreaker, type LoadReading } from './load-breaker.ts';

const settings = { cpuPercent: 90, eventLoopDelayMs: 200, stepAfterMs: 10_000, recoverAfterMs: 30_000 };
const busy: LoadReading = { cpuShare: 0.97, eventLoopDelayMs: 20 };
const late: LoadReading = { cpuShare: 0.1, eventLoopDelayMs: 350 };
const nearly: LoadReading = { cpuShare: 0.8, eventLoopDelayMs: 20 };
const calm: LoadReading = { cpuShare: 0.3, eventLoopDelayMs: 2 };

/** A breaker whose clock moves a second with every reading. */
function someBreaker() {
  const breaker = new LoadBreaker(settings);
  const told: string[] = [];
  breaker.events.on('stepped', ({ shedding }) => told.push(`+${shedding.join()}`));
  breaker.events.on('recovered', ({ shedding }) => told.push(`-${shedding.join()}`));
  let nowMs = 0;
  const pass = (seconds: number, reading: LoadReading) => {
    for (let i = 0; i < seconds; i++) {
      breaker.note(reading, nowMs);
      nowMs += 1_000;
    }
  };
  return { breaker, told, pass };
}

test('load is shed in order, a step at a time, and taken again in the opposite order', () => {
  const { breaker, told, pass } = someBreaker();
  pass(10, busy);
  assert.deepEqual(told, []);
  pass(21, busy);
  assert.deepEqual(told, ['+jobs', '+jobs,joins', '+jobs,joins,layers']);
  pass(60, busy);
  assert.equal(told.length, 3);
  assert.deepEqual(breaker.state.shedding, ['jobs', 'joins', 'layers']);
  pass(91, calm);
  assert.deepEqual(told.slice(3), ['-jobs,joins', '-jobs', '-']);
  assert.deepEqual(breaker.state.shedding, []);
});

test('a late event loop is overload too, and the reason says what was measured and allowed', () => {
  const { breaker, pass } = someBreaker();
  pass(11, late);
  assert.deepEqual(breaker.state, {
    shedding: ['jobs'],
    reason: 'CPU 10 % of its cores (limit 90 %), event loop 350 ms late (limit 200 ms)',
  });
  assert.equal(breaker.pressure, 1.75);
});

test('short peaks do nothing, nor does load between the marks in either direction', () => {
  const { told, pass } = someBreaker();
  for (let i = 0; i < 5; i++) {
    pass(9, busy);
    pass(1, calm);
  }
  assert.deepEqual(told, []);
  pass(11, busy);
  assert.deepEqual(told, ['+jobs']);
  pass(300, nearly);
  assert.deepEqual(told, ['+jobs']);
  pass(29, calm);
  pass(1, nearly);
  pass(30, calm);
  assert.deepEqual(told, ['+jobs']);
  pass(1, calm);
  assert.deepEqual(told, ['+jobs', '-']);
});

test('what is shed is refused with when to come again; what comes later in the order is still taken', () => {
  const { breaker, pass } = someBreaker();
  const refused: string[] = [];
  breaker.events.on('refused', (step) => refused.push(step));
  breaker.assertTakes('jobs');
  pass(11, busy);
  breaker.assertTakes('joins');
  const isOverload = (retryAfterMs: number) => (error: unknown) =>
    error instanceof GatewayError && error.code === 'overloaded' && error.retryAfterMs === retryAfterMs;
  assert.throws(() => breaker.assertTakes('jobs'), isOverload(30_000));
  pass(20, busy);
  assert.throws(() => breaker.assertTakes('joins'), isOverload(60_000));
  assert.throws(() => breaker.assertTakes('jobs'), isOverload(90_000));
  assert.deepEqual(refused, ['jobs', 'joins', 'jobs']);
});
