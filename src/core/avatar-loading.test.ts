import { once } from 'node:events';
import { expect, test } from 'vitest';
import { plainPng } from '#test/support/png.ts';
import { someRooms } from '#test/support/some-room.ts';
import { avatarOf } from './avatar.ts';
import { loadAvatars } from './avatar-loading.ts';
import { GatewayError } from './errors.ts';

const image = plainPng(16, [1, 2, 3]);

async function someRoom() {
  const asked: string[] = [];
  const waiting = Promise.withResolvers<void>();
  const { rooms, log } = someRooms();
  const source = {
    assertMayFetch: () => undefined,
    fetch: async (url: string) => {
      asked.push(url);
      await waiting.promise;
      if (url.endsWith('none')) throw new GatewayError('upstream_failed', 'It is not there.');
      return image;
    },
  };
  const stop = loadAvatars(rooms, source, log);
  await rooms.create({ name: 'demo' });
  const room = await rooms.open('demo');
  const join = (avatarUrl: string, isHidden = false) =>
    room.join({ kind: 'webrtc', user: 'ada', displayName: 'Ada', role: 'presenter', avatarUrl, isHidden });
  return { asked, waiting, log, join, stop };
}

test('who comes with the URL of an avatar has it once it is there, and nobody who is not seen has it fetched', async () => {
  const { asked, waiting, join } = await someRoom();
  const ada = join('http://x/ada');
  join('http://x/hidden', true);
  expect(ada.avatar).toBeUndefined();
  waiting.resolve();
  await once(ada.events, 'updated');
  expect(ada.avatar).toEqual(avatarOf(image));
  expect(asked).toEqual(['http://x/ada']);
});

test('one that cannot be had, comes too late, or after one of his own changes nothing', async () => {
  const { waiting, log, join, stop } = await someRoom();
  const [none, gone, own] = [join('http://x/none'), join('http://x/gone'), join('http://x/own')];
  const taken = join('http://x/taken');
  taken.setAvatar(undefined);
  await gone.close();
  const chosen = plainPng(16, [9, 9, 9]);
  own.setAvatar(chosen);
  waiting.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect([none.avatar, gone.avatar, taken.avatar]).toEqual([undefined, undefined, undefined]);
  expect(own.avatar).toEqual(avatarOf(chosen));
  expect(log.lines.map(({ message }) => message)).toContain('avatar not had from its URL');
  stop();
});
