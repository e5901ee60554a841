import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { LoadBreaker } from '#core/load-breaker.ts';
import type { SfuWorkerInfo } from '#core/ports.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { OverloadParts } from './overload-parts.ts';

class NotingBreaker extends LoadBreaker {
  notes = 0;

  override note(): void {
    this.notes++;
  }
}

/** Gauges that nobody reads. */
const registry = { registerMetric: () => undefined } as never;

function open(isEnabled: boolean, describeWorkers: () => Promise<readonly SfuWorkerInfo[]>) {
  const { overload } = configSchema.parse({ overload: { isEnabled, checkIntervalMs: 1 } });
  const breaker = new NotingBreaker(overload);
  const parts = new OverloadParts({
    ...{ config: { overload }, breaker, log: new KeepingLog(), metrics: { registry } },
    sfu: { describeWorkers, limitLayers: () => undefined },
    media: { describeWorkers: () => [] },
    eventLog: { emit: () => undefined } as never,
  });
  return { parts, breaker };
}

test('what was asked before it was closed, and is answered after, is no reading any more', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<readonly SfuWorkerInfo[]>();
  const { parts, breaker } = open(true, () => {
    asked.resolve();
    return answer.promise;
  });
  await asked.promise;
  await parts.close();
  answer.resolve([]);
  await setImmediate();
  assert.equal(breaker.notes, 0);
});

test('it is measured again and again while it is open, and never where it is turned off', async () => {
  let count = 0;
  const often = Promise.withResolvers<void>();
  const on = open(true, async () => {
    if (++count === 3) often.resolve();
    return [];
  });
  const off = open(false, async () => []);
  await often.promise;
  assert.ok(on.breaker.notes >= 2);
  assert.equal(off.breaker.notes, 0);
  await Promise.all([on.parts.close(), off.parts.close()]);
});
