import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { ViewChange } from '#core/view-settings.ts';
import { FakeMedia } from '#test/support/fake-media.ts';
import { someRooms } from '#test/support/some-room.ts';
import { someViews } from '#test/support/some-views.ts';
import { LiveFeeds, type LiveFeedsOptions } from './live-feeds.ts';

async function someFeeds() {
  const parts = someRooms();
  const views = someViews(parts);
  const media = Object.assign(new FakeMedia(), { live: new EventEmitter() }) as unknown as LiveFeedsOptions['media'];
  const feeds = new LiveFeeds({ ...parts, media, views, keyFrameIntervalMs: 2_000, maxHeight: 360, ladder: [180] });
  const { record } = await parts.rooms.create({ name: 'demo' });
  await views.ofRooms.create(record.id, { name: 'wide' });
  const room = await parts.rooms.open('demo');
  return {
    room,
    open: (view: string) => feeds.open(room, { kind: 'view', view }),
    change: (change: ViewChange) => views.ofRooms.change(record.id, 'wide', change),
    take: () => views.ofRooms.delete(record.id, 'wide'),
  };
}

const isOver = async (feed: Awaited<ReturnType<LiveFeeds['open']>>) =>
  new Promise<boolean>((resolve) => {
    feed.events.once('closed', () => resolve(true));
    setImmediate(() => setImmediate(() => resolve(false)));
  });

test('a view is shown until the room has it no more, and who asks then is told so; other views go on', async () => {
  const { room, open, take } = await someFeeds();
  const before = room.events.listenerCount('updated');
  const [wide, common] = [await open('wide'), await open('common')];
  const ended = new Promise((resolve) => wide.events.once('closed', resolve));
  await take();
  expect(await ended).toBe('peer_left');
  expect(await isOver(common)).toBe(false);
  await expect(open('wide')).rejects.toMatchObject({ code: 'not_found' });
  await common.close();
  expect(room.events.listenerCount('updated')).toBe(before);
});

test('a view that has sound or pictures no more is begun anew without; anything else that is changed of it ends nothing', async () => {
  const { open, change } = await someFeeds();
  const feed = await open('wide');
  const ended = new Promise((resolve) => feed.events.once('closed', resolve));
  await change({ hasLabels: false, video: { width: 640, height: 360 } });
  expect(await isOver(feed)).toBe(false);
  await change({ hasAudio: false });
  expect(await ended).toBe('peer_left');
  const silent = await open('wide');
  const over = new Promise((resolve) => silent.events.once('closed', resolve));
  await change({ hasAudio: true, hasVideo: false });
  expect(await over).toBe('peer_left');
});
