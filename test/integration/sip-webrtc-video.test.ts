// The pictures of SIP clients that speak WebRTC: JsSIP in Chromium over WebSocket, seen in the room and shown its view.
import assert from 'node:assert/strict';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Room } from '#core/room.ts';
import type { Publication } from '#core/track.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';
import { colorOf } from '#test/support/video-caller.ts';
import { WebPhone, type WebPhoneSight } from '#test/support/web-phone.ts';
import type { SipCallResource as SipCall } from '../../src/api/contract.ts';

const wait = { timeout: 30_000, interval: 100 };
const target = 'sip:demo@127.0.0.1';
let gateway: TestGateway;
let browser: Browser;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    https: { isEnabled: true, port: 0 },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_700, lastPort: 43_799 },
  });
  browser = await launchChromium();
  room = await gateway.app.rooms.open('demo');
}, 60_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await expect.poll(() => room.participants.size, wait).toBe(0);
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

async function webPhone(): Promise<WebPhone> {
  const server = `${(gateway.app.addresses.https ?? '').replace(/^http/, 'ws')}/sip`;
  const phone = await WebPhone.open(browser, server);
  // Else its calls last until ICE has missed it for half a minute.
  opened.push(phone, { close: () => phone.do('hangUp') });
  return phone;
}

const call = async () =>
  (await gateway.api<{ items: SipCall[] }>('GET', '/api/rooms/demo/sipcalls?state=connected')).items[0];
const cameras = () => [...room.publications()].filter(({ source }) => source === 'camera');

/** Until somebody in the room sees a picture of this colour. */
async function seenInRoom(color: string): Promise<Publication> {
  await expect.poll(() => cameras().length, wait).toBe(1);
  const [publication] = cameras();
  assert.ok(publication);
  const viewer = await RoomViewer.join(room.media);
  opened.push(viewer);
  let seen = '';
  viewer.onPicture = (picture) => {
    seen = colorOf(picture);
  };
  await viewer.watch(publication.producer);
  await expect.poll(() => seen, wait).toBe(color);
  return publication;
}

/** What it is shown moves on. */
async function isShownOn(phone: WebPhone): Promise<void> {
  const frames = async () => (await phone.do<WebPhoneSight | undefined>('seen'))?.frames ?? 0;
  const before = await frames();
  await expect.poll(frames, wait).toBeGreaterThan(before + 5);
}

test.each([
  ['VP8', 'red'],
  ['H264', 'blue'],
])(
  'the picture of a browser in %s is seen in the room, and it is shown the view',
  async (codec, color) => {
    const phone = await webPhone();
    await phone.do('call', { target, toneHz: 1_000, dbov: -20, color, codec });
    await phone.until('confirmed');
    await seenInRoom(color);
    await expect.poll(() => phone.seenColor(), wait).toBe(color);
    await isShownOn(phone);
    assert.equal((await phone.do<{ mimeType: string }>('sent')).mimeType, `video/${codec}`);
    await expect.poll(async () => (await call())?.video?.received?.width ?? 0, wait).toBe(320);
    expect((await call())?.video).toMatchObject({
      ...{ codec: codec.toLowerCase(), packetizationMode: 1, direction: 'sendrecv', isEncrypted: true, isMuted: false },
      received: { width: 320, height: 240 },
    });
    // Who comes later has a whole picture by asking the phone for one.
    const { pliCount } = await phone.do<{ pliCount: number }>('sent');
    await seenInRoom(color);
    await expect
      .poll(async () => (await phone.do<{ pliCount: number }>('sent')).pliCount, wait)
      .toBeGreaterThan(pliCount);

    await phone.do('hold');
    await expect.poll(() => cameras().length, wait).toBe(0);
    await phone.do('unhold');
    await seenInRoom(color);
    await isShownOn(phone);
  },
  120_000,
);

test('a voice is given the view and loses it again by re-INVITE, over the ICE and DTLS that it has', async () => {
  const seen = await webPhone();
  await seen.do('call', { target, toneHz: 1_000, dbov: -20, color: 'green' });
  await seen.until('confirmed');
  await seenInRoom('green');
  const phone = await webPhone();
  await phone.do('call', { target, toneHz: 440, dbov: -20 });
  await phone.until('confirmed');
  const { items } = await gateway.api<{ items: SipCall[] }>('GET', '/api/rooms/demo/sipcalls?state=connected');
  const { id } = items.find(({ video }) => video === null) ?? {};
  const ufrag = await phone.do<string>('iceUfrag');
  const change = (video: boolean) => gateway.api<SipCall>('PATCH', `/api/rooms/demo/sipcalls/${id}`, { video });
  for (let round = 0; round < 2; round++) {
    expect((await change(true)).video).toMatchObject({ direction: 'sendonly', isEncrypted: true });
    // Two tiles: the wall of the camera, and the initials of the voice itself on a disc that may be as green.
    await expect.poll(() => Promise.all([0.1, 0.6].map((at) => phone.seenColor(at))), wait).toContain('green');
    await isShownOn(phone);
    assert.equal((await change(false)).video, null);
  }
  assert.equal(await phone.do<string>('iceUfrag'), ufrag);
  await isShownOn(seen);
}, 120_000);

test('a media worker that dies costs a browser its picture for a moment, both ways', async () => {
  const phone = await webPhone();
  await phone.do('call', { target, toneHz: 1_000, dbov: -20, color: 'red' });
  await phone.until('confirmed');
  await seenInRoom('red');
  await expect.poll(() => phone.seenColor(), wait).toBe('red');
  const pids = () => gateway.app.media.describeWorkers().map(({ pid }) => pid);
  const dead = pids();
  for (const pid of dead) process.kill(pid, 'SIGKILL');
  await expect.poll(() => pids().some((pid) => dead.includes(pid)), wait).toBe(false);
  await seenInRoom('red');
  await isShownOn(phone);
}, 120_000);

/** Resolves once the phone has been asked over. */
async function losesItsSfuWorker(phone: WebPhone): Promise<void> {
  const iceUfrag = await phone.do<string>('iceUfrag');
  const { sfuWorkers } = await gateway.api<{ sfuWorkers: { pid: number }[] }>('GET', '/api/server');
  for (const { pid } of sfuWorkers) process.kill(pid, 'SIGKILL');
  await expect.poll(() => phone.do<string>('iceUfrag'), wait).not.toBe(iceUfrag);
}

test.each([
  ['VP8', 'red'],
  ['H264', 'blue'],
])(
  'SFU workers that die, twice, cost a browser its %s picture for a moment, both ways, and the call is the same',
  async (codec, color) => {
    const phone = await webPhone();
    await phone.do('call', { target, toneHz: 1_000, dbov: -20, color, codec });
    await phone.until('confirmed');
    await seenInRoom(color);
    await expect.poll(() => phone.seenColor(), wait).toBe(color);
    const id = (await call())?.id;
    for (let death = 1; death <= 2; death++) {
      await losesItsSfuWorker(phone);
      await seenInRoom(color);
      await isShownOn(phone);
      assert.equal(await phone.seenColor(), color);
    }
    const now = await call();
    assert.equal(now?.id, id);
    expect(now?.video).toMatchObject({ codec: codec.toLowerCase(), direction: 'sendrecv', isEncrypted: true });
    await phone.do('hold');
    await losesItsSfuWorker(phone);
    expect(cameras()).toEqual([]);
    await phone.do('unhold');
    await seenInRoom(color);
    await isShownOn(phone);
  },
  120_000,
);
