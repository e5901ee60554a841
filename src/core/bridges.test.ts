import { afterEach, expect, test } from 'vitest';
import { FakePhones } from '#test/support/fake-phones.ts';
import { joinAndPublish, someRooms } from '#test/support/some-room.ts';
import { someViews } from '#test/support/some-views.ts';
import type { BridgeEnd } from './bridge.ts';
import { Bridges } from './bridges.ts';

const sound = { hears: true, isHeard: true, sees: false, isSeen: false, reads: true, isRead: true };
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function someBridges(...names: string[]) {
  const { rooms, store, log } = someRooms();
  const views = someViews({ rooms, store, log });
  const phones = new FakePhones();
  const bridges = new Bridges({ rooms, phones, views, log });
  closing.push(
    () => bridges.close(),
    () => views.close(),
    () => rooms.close(),
  );
  for (const name of names) await rooms.create({ name, emptyTimeoutMs: 1 });
  const ended: [string, BridgeEnd['reason']][] = [];
  bridges.events.on('ended', ({ id }, { reason }) => ended.push([id, reason]));
  return { bridges, rooms, phones, ended };
}

test('each room has the other as a participant, and the legs are each other’s phone', async () => {
  const { bridges, rooms, phones } = await someBridges('a', 'b');
  const bridge = await bridges.create('a', 'B', sound);
  const [a, b] = [await rooms.open('a'), await rooms.open('b')];
  expect(a.visibleParticipants.map(({ kind, displayName }) => [kind, displayName])).toEqual([['bridge', 'b']]);
  expect(b.visibleParticipants.map(({ kind, user }) => [kind, user])).toEqual([['bridge', 'a']]);
  const [here, there] = [...phones.legs.values()];
  expect(here?.parameters?.remotePort).toBe(there?.localPort);
  expect(there?.parameters?.remotePort).toBe(here?.localPort);
  expect(here?.participant).toBe(a.visibleParticipants[0]);

  await bridge.change({ hears: false });
  expect([here?.isMuted, there?.isMuted]).toEqual([true, false]);
  await bridge.finish({ reason: 'requested', message: '' });
  expect([a.participants.size, b.participants.size, phones.legs.size]).toEqual([0, 0, 0]);
  await expect(bridge.change({ hears: true })).rejects.toMatchObject({ code: 'closed' });
});

test('a room with itself, a pair twice and a ring of three are refused with the reason, also while one is being made', async () => {
  const { bridges } = await someBridges('a', 'b', 'c', 'd');
  await expect(bridges.create('a', 'A', sound)).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(bridges.create('a', 'nowhere', sound)).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(bridges.create('nowhere', 'a', sound)).rejects.toMatchObject({ code: 'not_found' });
  const twice = await Promise.allSettled([bridges.create('a', 'b', sound), bridges.create('b', 'a', sound)]);
  expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const [first] = bridges.of((await bridges.create('b', 'c', sound)).rooms[0].id);
  await expect(bridges.create('c', 'a', sound)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('"c" – "b" – "a" are bridged already'),
  });
  // A fourth at the end is no ring, and once the ring is open the two may be joined.
  await bridges.create('c', 'd', sound);
  await first?.finish({ reason: 'requested', message: '' });
  await bridges.create('a', 'd', sound);
  await expect(bridges.create('a', 'c', sound)).rejects.toMatchObject({ code: 'conflict' });
});

test('it ends with either room, when it is removed from one, and when nobody is in any room that it reaches', async () => {
  const { bridges, rooms, ended } = await someBridges('a', 'b', 'c');
  const { participant } = await joinAndPublish(await rooms.open('c'), 'carl');
  const closing = await bridges.create('a', 'b', sound);
  await (await rooms.open('b')).close();
  await closing.done;
  const kicked = await bridges.create('a', 'b', sound);
  await kicked.participants[0]?.close('kicked');
  await kicked.done;
  const near = await bridges.create('a', 'b', sound);
  const far = await bridges.create('b', 'c', sound);
  expect([near.isClosed, far.isClosed]).toEqual([false, false]);
  await participant.close('peer_left');
  await Promise.all([near.done, far.done]);
  expect(ended.slice(0, 2)).toEqual([
    [closing.id, 'room_closed'],
    [kicked.id, 'removed'],
  ]);
  expect(ended.slice(2).map(([, reason]) => reason)).toEqual(['rooms_empty', 'rooms_empty']);
});

test('a full room takes no bridge, and nothing is left of it', async () => {
  const { bridges, rooms, phones } = await someBridges('a', 'b');
  await rooms.update('b', { maxParticipants: 0 });
  await expect(bridges.create('a', 'b', sound)).rejects.toMatchObject({ code: 'room_full' });
  expect([(await rooms.open('a')).participants.size, phones.legs.size]).toEqual([0, 0]);
  await rooms.update('b', { maxParticipants: 1 });
  await bridges.create('a', 'b', sound);
});

test('pictures go in VP8 unless a room has none, and a room that shows nothing is not asked to', async () => {
  const { bridges, rooms, phones } = await someBridges('a', 'b', 'c');
  await rooms.update('b', { views: [] });
  const seen = { ...sound, sees: true, isSeen: true };
  await expect(bridges.create('a', 'b', seen)).rejects.toMatchObject({ code: 'unprocessable' });
  await rooms.update('c', { mediaIn: { audio: ['opus'], video: ['av1'] } });
  await expect(bridges.create('a', 'c', seen)).rejects.toMatchObject({ code: 'no_common_codec' });
  const bridge = await bridges.create('a', 'b', { ...sound, isSeen: true });
  const [here, there] = [...phones.legs.values()].slice(-2);
  expect(here?.video?.parameters).toMatchObject({ direction: 'sendonly', send: { codec: 'vp8' } });
  expect(there?.video?.parameters).toMatchObject({ direction: 'recvonly' });
  await bridge.change({ isSeen: false });
  expect([here?.video, there?.video]).toEqual([undefined, undefined]);
});

test('what is written to everybody crosses from room to room with who wrote it, each way by itself, and nothing comes back', async () => {
  const { bridges, rooms } = await someBridges('a', 'b', 'c');
  const bridge = await bridges.create('a', 'b', sound);
  await bridges.create('b', 'c', sound);
  const [a, b, c] = [await rooms.open('a'), await rooms.open('b'), await rooms.open('c')];
  const { participant: anna } = await joinAndPublish(a, 'anna');
  const read = ({ chatHistory }: typeof a) =>
    chatHistory.map(({ from, text }) => `${from?.displayName ?? ''}> ${text}`);
  const name = anna.displayName;
  a.sendChat(anna, 'all', 'hello');
  a.sendChat(undefined, 'all', 'from the API');
  expect(read(a)).toEqual([`${name}> hello`, '> from the API']);
  expect(read(b)).toEqual([`a> ${name}: hello`, 'a> from the API']);
  expect(read(c)).toEqual([`b> a: ${name}: hello`, 'b> a: from the API']);

  // To one person, and with that way shut, it stays.
  a.sendChat(undefined, anna.id, 'for you');
  await bridge.change({ isRead: false });
  a.sendChat(anna, 'all', 'stays');
  b.sendChat(undefined, 'all', 'comes');
  expect(read(b).at(-1)).toBe('> comes');
  expect(read(a).at(-1)).toBe('b> comes');
  expect(b.chatHistory).toHaveLength(3);
  // Nothing that may be written is too long to cross.
  await bridge.change({ isRead: true });
  a.sendChat(anna, 'all', 'x'.repeat(4_000));
  expect(b.chatHistory.at(-1)?.text).toHaveLength(4_000);
  await bridge.finish({ reason: 'requested', message: '' });
  a.sendChat(anna, 'all', 'parted');
  expect(b.chatHistory).toHaveLength(4);
});
