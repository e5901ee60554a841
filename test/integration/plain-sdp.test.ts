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
  stack = await WebRtcStack.start();
  browser = await launchChromium();
  page = await PeersPage.open(browser, stack.url);
});

afterEach(() => expect(page.errors.splice(0)).toEqual([]));

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

interface Joined {
  readonly handle: string;
  readonly type: string;
  readonly participantId: string;
}

interface Message {
  readonly type: string;
  readonly code?: string;
  readonly reason?: string;
}

async function join(room: string, name: string, options: Record<string, unknown> = {}): Promise<Joined> {
  const url = `${stack.url.replace('http', 'ws')}/ws`;
  const token = await stack.token(room, { user: name, ...(options.role ? { role: String(options.role) } : {}) });
  return page.call<Joined>('join', { url, room, token, name, ...options });
}

async function liveRoom(name: string): Promise<Room> {
  const room = stack.rooms.live((await stack.rooms.get(name)).record.id);
  if (!room) throw new Error(`${name} is not open`);
  return room;
}

const call = (name: string, { handle }: Joined, options: Record<string, unknown> = {}) =>
  page.call(name, { handle, ...options });

const messagesOf = ({ handle }: Joined, type: string) => page.call<Message[]>('messages', { handle, type });

const leave = (...clients: readonly Joined[]) =>
  Promise.all(clients.map(({ handle }) => page.call('leave', { handle })));

test('two clients that join one after the other see and hear each other', async () => {
  const room = await stack.room('plain-two');
  const anna = await join(room, 'anna', { color: 'red', hz: 500 });
  expect(anna).toMatchObject({ type: 'joined', roomName: room, participants: [], iceServers: [] });
  await call('received', anna, { type: 'request-offer', reason: 'join' });
  await call('received', anna, { type: 'answer' });
  const ben = await join(room, 'ben', { color: 'blue', hz: 1_000 });
  expect(ben).toMatchObject({ participants: [{ participantId: anna.participantId, displayName: 'anna' }] });
  await call('sees', ben, { stream: 'anna:camera', color: 'red' });
  await call('hears', ben, { stream: 'anna:microphone', hz: 500 });
  await call('sees', anna, { stream: 'ben:camera', color: 'blue' });
  await call('hears', anna, { stream: 'ben:microphone', hz: 1_000 });
  expect(await messagesOf(anna, 'participant-joined')).toMatchObject([{ displayName: 'ben' }]);
  expect(await messagesOf(anna, 'stream-added')).toHaveLength(2);
  expect(await messagesOf(anna, 'error')).toEqual([]);
  await leave(ben);
  await call('hasViews', anna, { names: [] });
  await call('received', anna, { type: 'participant-left' });
  expect(await messagesOf(anna, 'stream-removed')).toHaveLength(2);
  await leave(anna);
});

test('a crowd that comes at once is seen by everybody, and its m-lines are used again by who comes next', async () => {
  const room = await stack.room('plain-crowd');
  const colors = ['red', 'green', 'blue', 'yellow'];
  const clients = await Promise.all(colors.map((color, i) => join(room, color, { color, hz: 500 + i * 300 })));
  for (const [i, client] of clients.entries()) {
    for (const [j, color] of colors.entries()) {
      if (i === j) continue;
      await call('sees', client, { stream: `${color}:camera`, color });
      await call('hears', client, { stream: `${color}:microphone`, hz: 500 + j * 300 });
    }
  }
  const [first, second] = clients as [Joined, Joined];
  const lines = await call('lines', first);
  await leave(second);
  await call('hasViews', first, {
    names: ['blue', 'red', 'yellow']
      .slice(0, 0)
      .concat(...['blue', 'yellow'].map((c) => [`${c}:camera`, `${c}:microphone`])),
  });
  const next = await join(room, 'next', { color: 'green', hz: 2_000 });
  await call('sees', first, { stream: 'next:camera', color: 'green' });
  await call('hears', first, { stream: 'next:microphone', hz: 2_000 });
  expect(await call('lines', first)).toBe(lines);
  await leave(...clients.filter((client) => client !== second), next);
});

test('a client that offers m-lines to receive on gets streams on them, without an offer of ours', async () => {
  const room = await stack.room('plain-slots');
  const anna = await join(room, 'anna', { color: 'green', hz: 700 });
  await call('connectionUp', anna);
  const viewer = await join(room, 'viewer', { hasMedia: false, slots: ['video', 'audio'], role: 'viewer' });
  await call('sees', viewer, { stream: 'anna:camera', color: 'green' });
  await call('hears', viewer, { stream: 'anna:microphone', hz: 700 });
  expect(await messagesOf(viewer, 'offer')).toEqual([]);
  await leave(anna, viewer);
});

test('a shared screen is a second video until it is stopped, and can be shared again', async () => {
  const room = await stack.room('plain-screen');
  const anna = await join(room, 'anna', { color: 'red' });
  const ben = await join(room, 'ben', { color: 'blue' });
  await call('sees', ben, { stream: 'anna:camera', color: 'red' });
  for (const [color, isLazy] of [
    ['yellow', false],
    ['green', true],
    ['blue', false],
  ] as const) {
    await call('shareScreen', anna, { color });
    await call('received', anna, { type: 'request-offer', reason: 'screen-share' });
    await call('sees', ben, { stream: 'anna:screen', color });
    await call('sees', ben, { stream: 'anna:camera', color: 'red' });
    await call('stopScreen', anna, { room, isLazy });
    await call('hasViews', ben, { names: ['anna:camera', 'anna:microphone'] });
  }
  expect(await messagesOf(anna, 'error')).toEqual([]);
  await leave(anna, ben);
});

test('update-quality changes the height that a client receives', async () => {
  const room = await stack.room('plain-quality');
  const anna = await join(room, 'anna', { color: 'red', rids: ['q', 'h', 'f'], width: 1280, height: 720 });
  const ben = await join(room, 'ben', { color: 'blue' });
  const view = { stream: 'anna:camera', timeoutMs: 30_000 };
  await call('seesHeight', ben, { ...view, height: 720 });
  for (const [quality, height] of [
    ['low', 180],
    ['medium', 360],
    ['high', 720],
    ['low', 180],
  ] as const) {
    await call('tell', ben, { message: { type: 'update-quality', quality } });
    await call('seesHeight', ben, { ...view, height });
  }
  await leave(anna, ben);
});

test('offers that meet are sorted out: the client’s is answered and ours comes again', async () => {
  const room = await stack.room('plain-glare');
  const anna = await join(room, 'anna', { color: 'red' });
  await call('connectionUp', anna);
  const others = [];
  for (const [i, color] of ['green', 'blue', 'yellow'].entries()) {
    others.push(await join(room, color, { color, hz: 600 + i * 200 }));
    // At any moment of the others' arrival.
    for (let j = 0; j < 3; j++) await call('offerNow', anna, { room });
  }
  for (const color of ['green', 'blue', 'yellow']) await call('sees', anna, { stream: `${color}:camera`, color });
  expect(await messagesOf(anna, 'error')).toEqual([]);
  await leave(anna, ...others);
});

test('after a lost media worker clients are asked to offer anew, and see each other again under the same ids', async () => {
  const name = await stack.room('plain-restart');
  const anna = await join(name, 'anna', { color: 'red', hz: 500 });
  const ben = await join(name, 'ben', { color: 'blue', hz: 900 });
  await call('sees', ben, { stream: 'anna:camera', color: 'red' });
  await call('sees', anna, { stream: 'ben:camera', color: 'blue' });
  const room = await liveRoom(name);
  const ids = () => [...room.publications()].map(({ id }) => id).toSorted();
  const before = ids();
  for (const { pid } of await stack.sfu.describeWorkers()) process.kill(pid, 'SIGKILL');
  await call('received', anna, { type: 'request-offer', reason: 'restart' });
  await call('received', ben, { type: 'request-offer', reason: 'restart' });
  await call('sees', ben, { stream: 'anna:camera', color: 'red' });
  await call('hears', ben, { stream: 'anna:microphone', hz: 500 });
  await call('sees', anna, { stream: 'ben:camera', color: 'blue' });
  expect(ids()).toEqual(before);
  expect(await messagesOf(anna, 'request-offer')).toHaveLength(2);
  await leave(anna, ben);
});

test('a plain client and a WHIP publisher are in one room', async () => {
  const room = await stack.room('plain-whip');
  const anna = await join(room, 'anna', { color: 'red', hz: 500 });
  const token = await stack.token(room, { user: 'obs' });
  const publisher = await page.call<Joined>('publish', {
    url: `${stack.url}/whip/${room}`,
    token,
    color: 'yellow',
    videoCodec: 'video/H264',
  });
  await call('sees', anna, { stream: 'obs:camera', color: 'yellow' });
  const player = await page.call<Joined>('play', { url: `${stack.url}/whep/${room}/anna`, token });
  await call('sees', player, { color: 'red' });
  await call('hears', player, { hz: 500 });
  await page.call('leave', { handle: player.handle, token });
  await page.call('leave', { handle: publisher.handle, token });
  await leave(anna);
});

test('a kicked client is told why, and its socket closes', async () => {
  const name = await stack.room('plain-kick');
  const anna = await join(name, 'anna');
  await call('connectionUp', anna);
  const room = await liveRoom(name);
  void [...room.participants.values()][0]?.close('kicked');
  expect(await call('received', anna, { type: 'error' })).toMatchObject({
    message: expect.stringContaining('moderator'),
  });
  expect(await call('closed', anna)).toBe(4000);
  await leave(anna);
});

test('leave ends the participant', async () => {
  const name = await stack.room('plain-leave');
  const anna = await join(name, 'anna');
  const room = await liveRoom(name);
  const left = once(room.events, 'participantLeft');
  await call('tell', anna, { message: { type: 'leave' } });
  expect((await left)[1]).toBe('requested');
  expect(await call('closed', anna)).toBe(4000);
  await leave(anna);
});

test('who closes the socket has left', async () => {
  const name = await stack.room('plain-socket');
  const anna = await join(name, 'anna');
  const room = await liveRoom(name);
  const left = once(room.events, 'participantLeft');
  await leave(anna);
  expect((await left)[1]).toBe('peer_left');
});

test('a viewer publishes nothing, is told so, and sees the others', async () => {
  const room = await stack.room('plain-viewer');
  const anna = await join(room, 'anna', { color: 'green' });
  const viewer = await join(room, 'viewer', { role: 'viewer' });
  await call('sees', viewer, { stream: 'anna:camera', color: 'green' });
  const errors = await messagesOf(viewer, 'error');
  expect(errors).toMatchObject([
    { code: 'forbidden', about: 'offer' },
    { code: 'forbidden', about: 'offer' },
  ]);
  await leave(anna, viewer);
});
