import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { EventCursor } from './event-cursor.ts';

test('who follows gets each event once, also one that was not written yet when it looked', async () => {
  const { eventLog } = await someApi();
  const cursor = new EventCursor(eventLog, {}, undefined);
  const ended = AbortSignal.abort();
  eventLog.emit('webhook.tested', { index: 1 });
  eventLog.flush();
  eventLog.emit('webhook.tested', { index: 2 });
  const told = [await cursor.next(ended, 0), await cursor.next(ended, 0)].flat();
  assert.deepEqual(
    told.map(({ data }) => data.index),
    [1, 2],
  );
});
