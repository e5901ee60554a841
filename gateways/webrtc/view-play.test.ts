import { expect, test } from 'vitest';
import type { RtpCapabilities } from '#core/rtp.ts';
import { FakeMedia } from '#test/support/fake-media.ts';
import { someRooms } from '#test/support/some-room.ts';
import { someViews } from '#test/support/some-views.ts';
import { ViewPlay } from './view-play.ts';

test('nothing is composed or encoded for a player that has no codec of the room, in whatever format it asks for', async () => {
  const parts = someRooms();
  const media = new FakeMedia();
  const views = someViews({ ...parts, media });
  await parts.rooms.create({ name: 'demo' });
  const room = await parts.rooms.open('demo');
  const capabilities: RtpCapabilities = {
    codecs: [{ kind: 'video', mimeType: 'video/AV1', clockRate: 90_000, preferredPayloadType: 96 }],
  };
  for (const format of [undefined, { resolution: 'x1/2' }]) {
    const play = new ViewPlay(room, views, 'common', format);
    await play.prepare(new Set(['video']), capabilities);
    expect(play.choose(new WeakSet())).toEqual({});
    await expect(play.set({ resolution: 'x1/4' })).rejects.toMatchObject({ code: 'conflict' });
    play.close();
  }
  const wrong = new ViewPlay(room, views, 'common', { codec: 'vp8' });
  const asked = wrong.prepare(new Set(['video']), capabilities);
  await expect(asked).rejects.toMatchObject({ code: 'no_common_codec' });
  expect(media.started).toEqual([]);
});

test.each([
  ['video', { hasVideo: false }, 'has sound only'],
  ['audio', { hasAudio: false }, 'has pictures only'],
] as const)('who takes %s alone of a view that has none is told so', async (kind, change, words) => {
  const parts = someRooms();
  const views = someViews(parts);
  const { record } = await parts.rooms.create({ name: 'demo' });
  await views.ofRooms.change(record.id, 'common', change);
  const play = new ViewPlay(await parts.rooms.open('demo'), views, 'common', undefined);
  const refusal = { code: 'unprocessable', message: expect.stringContaining(words) };
  await expect(play.prepare(new Set([kind]), {})).rejects.toMatchObject(refusal);
});
