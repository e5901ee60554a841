import { expect, test } from 'vitest';
import type { Leg } from '#core/leg.ts';
import { someRooms } from '#test/support/some-room.ts';
import { Announcer, type AnnouncerOptions } from './announcer.ts';

async function announcerIn(options: Partial<AnnouncerOptions>) {
  const room = await someRooms().rooms.open('demo', { mayCreate: true });
  const participant = room.join({ kind: 'sip', user: 'phone', displayName: 'Phone', role: 'sip' });
  const said: string[] = [];
  const leg = { isClosed: false, play: async (prompt: string) => said.push(prompt) } as unknown as Leg;
  new Announcer({ participant, leg, greeting: ['welcome'], ...options });
  return { room, said };
}

test('a phone that is alone is told so, but for one that talks with somebody at once', async () => {
  const alone = await announcerIn({});
  await expect.poll(() => alone.said).toEqual(['welcome', 'you_are_alone']);
  const connected = await announcerIn({ greeting: [], tellsAlone: false });
  const stop = connected.room.noteRecording();
  await expect.poll(() => connected.said).toEqual(['recording_on']);
  stop();
  await expect.poll(() => connected.said).toEqual(['recording_on', 'recording_off']);
});
