import { once } from 'node:events';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Room } from '#core/room.ts';
import { launchChromium, PeersPage } from '#test/support/chromium.ts';
import { WebRtcStack } from '#test/support/webrtc-stack.ts';

let stack: WebRtcStack;
let browser: Browser;
let page: PeersPage;

beforeAll(async () => {
  stack = await WebRtcStack.start({ settings: { idleTimeoutMs: 3_000 } });
  browser = await launchChromium();
  page = await PeersPage.open(browser, stack.url);
});

afterEach(() => expect(page.errors.splice(0)).toEqual([]));

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

interface Outcome {
  readonly handle: string;
  readonly status: number;
  readonly body: string;
  readonly location: string;
  readonly retryAfter: string | null;
}

const call = (name: string, options: Record<string, unknown>) => page.call<Outcome>(name, options);

async function publish(room: string, user: string, options: Record<string, unknown> = {}): Promise<Outcome> {
  const token = await stack.token(room, { user });
  const publisher = await call('publish', { url: `${stack.url}/whip/${room}`, token, ...options });
  expect(publisher.status).toBe(201);
  return publisher;
}

async function play(path: string, options: Record<string, unknown> = {}): Promise<Outcome> {
  const token = await stack.token(path.split(/[/?]/)[0] ?? '', { user: 'viewer', role: 'viewer' });
  return call('play', { url: `${stack.url}/whep/${path}`, token, ...options });
}

async function liveRoom(name: string): Promise<Room> {
  const room = stack.rooms.live((await stack.rooms.get(name)).record.id);
  if (!room) throw new Error(`${name} is not open`);
  return room;
}

const leave = (...peers: readonly Outcome[]) =>
  Promise.all(peers.map(({ handle }) => page.call('leave', { handle, token: 'none' })));

test('while nothing is published a player is told when to try again', async () => {
  const room = await stack.room('whep-empty');
  expect(await play(room)).toMatchObject({
    status: 404,
    retryAfter: '2',
    body: expect.stringContaining('Nobody publishes in the room'),
  });
  expect(await play(`${room}/anna`)).toMatchObject({ status: 404, body: expect.stringContaining('anna') });
  expect(stack.rooms.live((await stack.rooms.get(room)).record.id)).toBeUndefined();
});

test('a stream is chosen by publication, participant or user', async () => {
  const name = await stack.room('whep-choice');
  const anna = await publish(name, 'anna', { color: 'red', hz: 500 });
  const ben = await publish(name, 'ben', { color: 'blue', hz: 1_000 });
  const room = await liveRoom(name);
  const participant = [...room.participants.values()].find(({ user }) => user === 'ben');
  const camera = [...(participant?.publications.values() ?? [])].find(({ kind }) => kind === 'video');
  const players = [];
  for (const path of [
    `${name}/${camera?.id}`,
    `${name}/${participant?.id}`,
    `${name}/ben`,
    `${name}?participant=ben`,
  ]) {
    const player = await play(path);
    players.push(player);
    await page.call('sees', { handle: player.handle, color: 'blue' });
    if (!path.includes('TR_')) await page.call('hears', { handle: player.handle, hz: 1_000 });
  }
  expect(room.visibleParticipants.map(({ user }) => user)).toEqual(['anna', 'ben']);
  await leave(...players, anna, ben);
});

test('a room is played as its first camera, and as who speaks once somebody does', async () => {
  const name = await stack.room('whep-speaker');
  const anna = await publish(name, 'anna', { color: 'red', hasAudio: false });
  const room = await liveRoom(name);
  const first = await play(name);
  await page.call('sees', { handle: first.handle, color: 'red' });
  const spoken = once(room.events, 'activeSpeakerChanged');
  const ben = await publish(name, 'ben', { color: 'blue', hz: 1_000 });
  await spoken;
  const second = await play(name);
  await page.call('sees', { handle: second.handle, color: 'blue' });
  // Who watches already is not carried back and forth.
  await page.call('sees', { handle: first.handle, color: 'red' });
  await leave(first, second, anna, ben);
});

test.each([
  ['the same codec', 'video/VP8', 'video/VP8'],
  ['another codec', 'video/VP8', 'video/H264'],
])('a publisher that comes back with %s is seen and heard again on the same connection', async (_, before, after) => {
  const name = await stack.room(`whep-back-${after.slice(6)}`);
  let publisher = await publish(name, 'obs', { color: 'red', hz: 500, videoCodec: before });
  const player = await play(`${name}/obs`);
  await page.call('sees', { handle: player.handle, color: 'red' });
  await page.call('hears', { handle: player.handle, hz: 500 });
  for (const [color, hz] of [
    ['green', 900],
    ['blue', 1_300],
    ['yellow', 1_700],
    ['red', 2_100],
    ['green', 2_500],
  ] as const) {
    await leave(publisher);
    publisher = await publish(name, 'obs', { color, hz, videoCodec: after });
    await page.call('sees', { handle: player.handle, color });
    await page.call('hears', { handle: player.handle, hz });
  }
  expect(await page.call('state', { handle: player.handle })).toBe('connected');
  await leave(player, publisher);
});

test('a player of the room goes on with somebody else when whom it watched has gone', async () => {
  const name = await stack.room('whep-next');
  const anna = await publish(name, 'anna', { color: 'red', hasAudio: false });
  const ben = await publish(name, 'ben', { color: 'green', hasAudio: false });
  const player = await play(name);
  await page.call('sees', { handle: player.handle, color: 'red' });
  await leave(anna);
  await page.call('sees', { handle: player.handle, color: 'green' });
  await leave(player, ben);
});

test('a player that nothing comes to any more is let go', async () => {
  const name = await stack.room('whep-idle');
  const publisher = await publish(name, 'obs');
  const player = await play(name);
  const room = await liveRoom(name);
  expect(room.participants.size).toBe(2);
  await leave(publisher);
  const [, reason] = await once(room.events, 'participantLeft');
  expect(reason).toBe('idle');
  expect((await fetch(player.location, { method: 'DELETE' })).status).toBe(404);
  await page.call('disconnected', { handle: player.handle });
  await page.call('leave', { handle: player.handle, isRude: true });
});

test('sound alone and picture alone can be played', async () => {
  const name = await stack.room('whep-kinds');
  const publisher = await publish(name, 'obs', { color: 'green', hz: 700 });
  const sound = await play(name, { kinds: ['audio'] });
  await page.call('hears', { handle: sound.handle, hz: 700 });
  const picture = await play(name, { kinds: ['video'] });
  await page.call('sees', { handle: picture.handle, color: 'green' });
  await leave(sound, picture, publisher);
});

test('a player without the codec of the stream is told so', async () => {
  const name = await stack.room('whep-codec');
  const publisher = await publish(name, 'obs', { videoCodec: 'video/VP8', hasAudio: false });
  const player = await play(name, { kinds: ['video'], videoCodec: 'video/H264' });
  expect(player).toMatchObject({ status: 422, body: expect.stringContaining('no_common_codec') });
  const room = await liveRoom(name);
  expect(room.participants.size).toBe(1);
  await leave(publisher);
});

test('last-N does not hold back what a player has asked for', async () => {
  await stack.rooms.create({ name: 'whep-last-n', lastN: 0 });
  const publisher = await publish('whep-last-n', 'obs', { color: 'yellow' });
  const player = await play('whep-last-n');
  await page.call('sees', { handle: player.handle, color: 'yellow' });
  await leave(player, publisher);
});

test('many players of one stream each get it, and the publisher sends it once', async () => {
  const name = await stack.room('whep-many');
  const publisher = await publish(name, 'obs', { color: 'blue' });
  const players = await Promise.all(Array.from({ length: 5 }, () => play(name)));
  for (const { handle } of players) await page.call('sees', { handle, color: 'blue' });
  expect((await liveRoom(name)).participants.size).toBe(6);
  const sent = await page.call<{ kind: string }[]>('outbound', { handle: publisher.handle });
  expect(sent.filter(({ kind }) => kind === 'video')).toHaveLength(1);
  await leave(...players, publisher);
});
