import { expect, test } from 'vitest';
import { joinAndPublish, someRooms } from '#test/support/some-room.ts';
import { someViews } from '#test/support/some-views.ts';
import type { GatewayError } from './errors.ts';
import { assertRecordable } from './recording-source.ts';

type Wanted = Parameters<typeof assertRecordable>[0];

async function someRoom() {
  const parts = someRooms();
  const views = someViews(parts);
  const { record } = await parts.rooms.create({ name: 'demo' });
  await views.ofRooms.create(record.id, { name: 'heard', hasVideo: false });
  await views.ofRooms.create(record.id, { name: 'wide' });
  const room = await parts.rooms.open('demo');
  const whyNot = (source: Wanted['source'], wishes: Partial<Wanted> = {}) => {
    try {
      assertRecordable({ source, hasAudio: true, video: 'auto', ...wishes }, room, views);
      return undefined;
    } catch (thrown) {
      const { code, message } = thrown as GatewayError;
      return `${code}: ${message}`;
    }
  };
  return { room, views, whyNot };
}

test('a stream is recorded where it is of a kind that is wanted: nothing would come of another', async () => {
  const { room, whyNot } = await someRoom();
  const { audio, video } = await joinAndPublish(room, 'ada');
  const [microphone, camera] = [audio, video].map(({ id }) => ({ kind: 'stream', streamId: id }) as const);
  expect(microphone && whyNot(microphone)).toBeUndefined();
  expect(camera && whyNot(camera, { hasAudio: false })).toBeUndefined();
  expect(microphone && whyNot(microphone, { hasAudio: false })).toMatch(/^unprocessable: .* is audio alone: nothing/);
  expect(camera && whyNot(camera, { video: 'off' })).toMatch(/^unprocessable: .* is video alone: nothing/);
  expect(whyNot({ kind: 'stream', streamId: 'TR_none' })).toMatch(/^unprocessable: Nobody sends/);
});

test('a view of sound alone is recorded without pictures, for which a file would wait for ever', async () => {
  const { whyNot } = await someRoom();
  expect(whyNot({ kind: 'view', view: 'wide' })).toBeUndefined();
  expect(whyNot({ kind: 'view', view: 'heard' }, { video: 'off' })).toBeUndefined();
  expect(whyNot({ kind: 'view', view: 'heard' })).toMatch(/^unprocessable: The view "heard" has sound only/);
  const { room, views, whyNot: whyNotRoom } = await someRoom();
  expect(whyNotRoom({ kind: 'room' })).toBeUndefined();
  await views.ofRooms.delete(room.id, 'common');
  expect(whyNotRoom({ kind: 'room' })).toMatch(/^unprocessable: .*no view "common"; it has: heard, wide\.$/);
  expect(whyNotRoom({ kind: 'room' }, { video: 'off' })).toBeUndefined();
  expect(whyNot({ kind: 'view', view: 'none' })).toMatch(/^unprocessable: .*it has: common, heard, wide\.$/);
});
