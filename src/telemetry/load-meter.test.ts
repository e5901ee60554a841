import { strict as assert } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, test } from 'vitest';
import { LoadMeter } from './load-meter.ts';

const workers: { pid: number; cpuMs: number }[] = [];
let meter: LoadMeter | undefined;
afterEach(() => meter?.close());

function someMeter(cores: number): LoadMeter {
  meter = new LoadMeter({
    sfu: { describeWorkers: async () => [] },
    media: { describeWorkers: () => workers as never },
    cores,
  });
  return meter;
}

/** Keeps this process busy for so much of its own CPU time. */
function spin(cpuMs: number): void {
  const begun = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(begun);
    if ((user + system) / 1_000 >= cpuMs) return;
  }
}

test('work in this process shows as CPU and as a late event loop, and no longer when it is over', async () => {
  const one = someMeter(1);
  await delay(50);
  await one.read();
  const beganAtMs = performance.now();
  // The histogram measures from tick to tick, and has had none since it was read.
  await delay(50);
  spin(200);
  await delay(30);
  const { cpuShare, eventLoopDelayMs } = await one.read();
  // However little of the machine this test gets, it got its 200 ms of it in that time.
  assert.ok(cpuShare >= (200 / (performance.now() - beganAtMs)) * 0.9, `${cpuShare}`);
  assert.ok(eventLoopDelayMs > 100, `${eventLoopDelayMs}`);
  await delay(300);
  assert.ok((await one.read()).cpuShare < cpuShare);
});

test('workers count by process; one that was replaced does not count backwards', async () => {
  const one = someMeter(1_000);
  workers.push({ pid: -1, cpuMs: 0 });
  await one.read();
  const beganAtMs = performance.now();
  await delay(20);
  workers.splice(0, 1, { pid: -1, cpuMs: 1_000_000 });
  const { cpuShare } = await one.read();
  const expected = 1_000_000 / (performance.now() - beganAtMs) / 1_000;
  assert.ok(cpuShare > expected * 0.5 && cpuShare < 1_000_000, `${cpuShare} of ${expected}`);
  workers.splice(0, 1, { pid: -2, cpuMs: 10 });
  assert.ok((await one.read()).cpuShare < 1);
});
