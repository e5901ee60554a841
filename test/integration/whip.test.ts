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

interface Outcome {
  readonly handle: string;
  readonly status: number;
  readonly location: string;
  readonly body: string;
}

interface Restart {
  readonly remoteUfrag: string;
}

interface Sent {
  readonly kind: string;
  readonly mimeType: string;
  readonly rid: string | undefined;
  readonly frameHeight: number | undefined;
}

async function publish(room: string, token: string, options: Record<string, unknown> = {}): Promise<Outcome> {
  const publisher = await page.call<Outcome>('publish', { url: `${stack.url}/whip/${room}`, token, ...options });
  expect(publisher.status).toBe(201);
  return publisher;
}

async function play(room: string, token: string, options: Record<string, unknown> = {}): Promise<Outcome> {
  const player = await page.call<Outcome>('play', { url: `${stack.url}/whep/${room}`, token, ...options });
  expect(player.status).toBe(201);
  return player;
}

async function liveRoom(name: string): Promise<Room> {
  const room = stack.rooms.live((await stack.rooms.get(name)).record.id);
  if (!room) throw new Error(`${name} is not open`);
  return room;
}

const deleteStatus = async (location: string) => (await fetch(location, { method: 'DELETE' })).status;

test.each(['video/VP8', 'video/H264', 'video/VP9', 'video/AV1'])(
  '%s published by WHIP is seen and heard by WHEP',
  async (videoCodec) => {
    const room = await stack.room(`whip-${videoCodec.slice(6)}`);
    const token = await stack.token(room);
    const publisher = await publish(room, token, { videoCodec, color: 'green', hz: 880 });
    const player = await play(room, token);
    await page.call('sees', { handle: player.handle, color: 'green' });
    await page.call('hears', { handle: player.handle, hz: 880 });
    await page.call('recolor', { handle: publisher.handle, color: 'blue' });
    await page.call('sees', { handle: player.handle, color: 'blue' });
    const sent = await page.call<Sent[]>('outbound', { handle: publisher.handle });
    expect(sent.map(({ mimeType }) => mimeType)).toContain(videoCodec);
    for (const { handle } of [player, publisher]) expect(await page.call('leave', { handle, token })).toBe(200);
  },
);

test('a publisher is a participant with a camera and a microphone, until DELETE', async () => {
  const name = await stack.room('whip-participant');
  const publisher = await publish(name, await stack.token(name, { user: 'obs' }));
  const room = await liveRoom(name);
  const [participant] = room.visibleParticipants;
  expect(participant).toMatchObject({ kind: 'webrtc', user: 'obs', role: 'presenter' });
  const publications = [...room.publications()].map(({ kind, source, mimeType }) => ({ kind, source, mimeType }));
  expect(publications).toContainEqual({ kind: 'video', source: 'camera', mimeType: 'video/VP8' });
  expect(publications).toContainEqual({ kind: 'audio', source: 'microphone', mimeType: 'audio/opus' });
  expect(await deleteStatus(publisher.location)).toBe(200);
  expect(room.participants.size).toBe(0);
  expect(await deleteStatus(publisher.location)).toBe(404);
});

test.each(['active', 'passive'])('a publisher whose DTLS is %s connects and is seen', async (setup) => {
  const room = await stack.room(`whip-${setup}`);
  const token = await stack.token(room);
  const publisher = await publish(room, token, { setup, color: 'red' });
  expect(publisher.body).toContain(`a=setup:${setup === 'active' ? 'passive' : 'active'}`);
  const player = await play(room, token);
  await page.call('sees', { handle: player.handle, color: 'red' });
  for (const { handle } of [player, publisher]) await page.call('leave', { handle, token });
});

test('simulcast arrives as one publication of three sizes, and a player gets the largest', async () => {
  const name = await stack.room('whip-simulcast');
  const token = await stack.token(name);
  const publisher = await publish(name, token, { rids: ['q', 'h', 'f'], width: 1280, height: 720, color: 'yellow' });
  const video = [...(await liveRoom(name)).publications()].find(({ kind }) => kind === 'video');
  expect(video?.encodingCount).toBe(3);
  const player = await play(name, token);
  await page.call('sees', { handle: player.handle, color: 'yellow' });
  await page.call('seesHeight', { handle: player.handle, height: 720 });
  const sent = await page.call<Sent[]>('outbound', { handle: publisher.handle });
  expect(
    sent
      .filter(({ kind }) => kind === 'video')
      .map(({ rid }) => rid)
      .toSorted(),
  ).toEqual(['f', 'h', 'q']);
  await page.call('leave', { handle: player.handle, token });
  await page.call('leave', { handle: publisher.handle, token });
});

test('media goes on over new ICE credentials after a restart, for publisher and player', async () => {
  const name = await stack.room('whip-restart');
  const token = await stack.token(name);
  const publisher = await publish(name, token);
  const player = await play(name, token);
  await page.call('keepsPlaying', { handle: player.handle });
  for (const { handle } of [publisher, player]) {
    const restart = await page.call<Restart>('restartIce', { handle, token });
    expect(restart).toMatchObject({ status: 200, isNew: true, etag: expect.stringMatching(/^".+"$/) });
    await page.call('usesUfrag', { handle, ufrag: restart.remoteUfrag });
    await page.call('keepsPlaying', { handle: player.handle, frameCount: 30 });
  }
  await page.call('leave', { handle: player.handle, token });
  await page.call('leave', { handle: publisher.handle, token });
});

// Chromium stays on the pair of its new port and our old credentials until it restarts again, and has no other if it is
// refused there.
test('a browser that sets its offer before it asks for an ICE restart is served on, and restarts again', async () => {
  const name = await stack.room('whip-hasty');
  const token = await stack.token(name);
  const publisher = await publish(name, token);
  const player = await play(name, token);
  const { handle } = publisher;
  expect(await page.call('restartIce', { handle, token, isHasty: true })).toMatchObject({ status: 200, isNew: true });
  const before = await page.call<number>('checksAnswered', { handle });
  const checks = () => page.call<number>('checksAnswered', { handle });
  await expect.poll(checks, { timeout: 30_000 }).toBeGreaterThan(before + 3);
  await page.call('keepsPlaying', { handle: player.handle, frameCount: 30 });
  const restart = await page.call<Restart>('restartIce', { handle, token });
  await page.call('usesUfrag', { handle, ufrag: restart.remoteUfrag });
  await page.call('keepsPlaying', { handle: player.handle, frameCount: 30 });
  for (const { handle } of [player, publisher]) await page.call('leave', { handle, token });
});

test('a publisher that closes its connection without a word leaves the room', async () => {
  const name = await stack.room('whip-rude');
  const publisher = await publish(name, await stack.token(name));
  const room = await liveRoom(name);
  const left = once(room.events, 'participantLeft');
  await page.call('leave', { handle: publisher.handle, isRude: true });
  expect((await left)[1]).toBe('peer_left');
  expect(await deleteStatus(publisher.location)).toBe(404);
});

test.each([
  ['a moderator removes the publisher', (room: Room) => [...room.participants.values()][0]?.close('kicked')],
  ['the room closes', (room: Room) => room.close()],
])('when %s, its connection ends and its resource is gone', async (what, action) => {
  const name = await stack.room(`whip-${what.length}`);
  const publisher = await publish(name, await stack.token(name));
  await action(await liveRoom(name));
  expect(await deleteStatus(publisher.location)).toBe(404);
  await page.call('disconnected', { handle: publisher.handle });
  await page.call('leave', { handle: publisher.handle, isRude: true });
});

test('when the media worker dies the resource is gone, and publishing again works', async () => {
  const name = await stack.room('whip-crash');
  const token = await stack.token(name);
  const publisher = await publish(name, token);
  const room = await liveRoom(name);
  const left = once(room.events, 'participantLeft');
  const rebuilt = once(room.events, 'mediaRestarted');
  for (const { pid } of await stack.sfu.describeWorkers()) process.kill(pid, 'SIGKILL');
  await Promise.all([left, rebuilt]);
  expect(await deleteStatus(publisher.location)).toBe(404);
  const again = await publish(name, token, { color: 'blue' });
  const player = await play(name, token);
  await page.call('sees', { handle: player.handle, color: 'blue' });
  for (const { handle } of [player, again]) await page.call('leave', { handle, token });
  await page.call('leave', { handle: publisher.handle, isRude: true });
});
