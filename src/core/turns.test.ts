import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { Turns } from './turns.ts';

test('each waits for the one before, and a failure is told to who asked for it alone', async () => {
  const turns = new Turns();
  const gate = Promise.withResolvers<void>();
  const done: string[] = [];
  const first = turns.take(async () => {
    await gate.promise;
    done.push('first');
    throw new Error('no');
  });
  const second = turns.take(async () => {
    done.push('second');
    return 2;
  });
  await new Promise(setImmediate);
  assert.deepEqual(done, []);
  gate.resolve();
  await assert.rejects(first, /no/);
  assert.equal(await second, 2);
  assert.deepEqual(done, ['first', 'second']);
});
