import assert from 'node:assert/strict';
import { test } from 'vitest';
import type { CallInfo } from '#core/call.ts';
import { PastCall } from './past-call.ts';

const past = new PastCall({ id: 'CL_1', state: 'ended' } as CallInfo);
const closed = { code: 'closed' };

test('a call that has ended is settled, hung up and what it was', async () => {
  await past.settled();
  await past.hangUp();
  await past.done;
  assert.deepEqual([past.id, past.info.state], ['CL_1', 'ended']);
});

test('nothing else can be done with it', async () => {
  assert.throws(() => past.setMuted(), closed);
  assert.throws(() => past.setVideoMuted(), closed);
  assert.throws(() => past.setGain(), closed);
  assert.throws(() => past.forRecording(), closed);
  await assert.rejects(past.setVideo(), closed);
  await assert.rejects(past.setHeld(), closed);
  await assert.rejects(past.sendDtmf(), closed);
});
