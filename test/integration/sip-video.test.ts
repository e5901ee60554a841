// Video phones in rooms: what they send is a stream like any other, what they are shown is the room's view, by their means.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Room } from '#core/room.ts';
import type { Publication } from '#core/track.ts';
import { sipAddressOf } from '#test/support/calling-phone.ts';
import { middleColor } from '#test/support/flash-and-beep.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';
import { colorOf, type OfferedVideo, VideoCaller } from '#test/support/video-caller.ts';
import type { RecordingResource, SipCallResource as SipCall } from '../../src/api/contract.ts';

const wait = { timeout: 20_000 };
let gateway: TestGateway;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 42_800, lastPort: 42_899 },
  });
  await gateway.app.rooms.create({ name: 'desk' });
  room = await gateway.app.rooms.open('desk');
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

async function caller(): Promise<VideoCaller> {
  const [address = '', port] = sipAddressOf(gateway).split(':');
  const phone = await VideoCaller.create({ server: { address, port: Number(port) }, room: 'desk' });
  opened.push(phone);
  return phone;
}

const pictureOf = async (): Promise<Publication> => {
  let found: Publication | undefined;
  await expect
    .poll(
      () => (found = [...room.publications()].find(({ kind, source }) => kind === 'video' && source === 'camera')),
      {
        timeout: 20_000,
      },
    )
    .toBeDefined();
  return found as unknown as Publication;
};

/** Until somebody in the room sees a picture of this colour. */
async function seenInRoom(color: string): Promise<void> {
  const viewer = await RoomViewer.join(room.media);
  opened.push(viewer);
  let seen = '';
  viewer.onPicture = (picture) => {
    seen = colorOf(picture);
  };
  await viewer.watch((await pictureOf()).producer);
  await expect.poll(() => seen, { timeout: 20_000 }).toBe(color);
}

async function shownTo(phone: VideoCaller, color: string): Promise<{ width: number; height: number }> {
  let size = { width: 0, height: 0 };
  let seen = '';
  phone.onPicture = (picture) => {
    seen = colorOf(picture);
    size = { width: picture.width, height: picture.height };
  };
  await expect.poll(() => seen, { timeout: 20_000 }).toBe(color);
  return size;
}

const isGone = () =>
  expect
    .poll(() => [...room.publications()].filter(({ source }) => source === 'camera').length, { timeout: 20_000 })
    .toBe(0);
const lastCall = async () =>
  (await gateway.api<{ items: SipCall[] }>('GET', '/api/rooms/desk/sipcalls?state=connected')).items.at(-1);

test('an H264 phone is seen and shown the view within its level, begins anew when it asks, and drops and adds its video', async () => {
  const phone = await caller();
  const video: OfferedVideo = { kind: 'h264', lines: ['a=rtcp-fb:* nack pli'] };
  assert.match(await phone.invite(video), /^m=video [1-9]\d* RTP\/AVP 102\r$/m);
  phone.show('h264', 'red');
  await seenInRoom('red');
  const { width, height } = await shownTo(phone, 'red');
  // Level 2.1: 792 macroblocks, 19 800 a second.
  assert.ok(Math.ceil(width / 16) * Math.ceil(height / 16) <= 792, `${width}x${height}`);
  for (const by of ['pli', 'fir'] as const) {
    const { keyFrames } = phone.shown;
    phone.requestKeyFrame(by);
    await expect.poll(() => phone.shown.keyFrames, { timeout: 20_000 }).toBeGreaterThan(keyFrames);
  }
  const call = await lastCall();
  // Counted where the media is, and told every second.
  await expect
    .poll(async () => (await lastCall())?.video?.sent?.keyFramesWanted ?? 0, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(2);
  expect((await lastCall())?.video).toMatchObject({
    ...{ codec: 'h264', packetizationMode: 1, direction: 'sendrecv', isMuted: false },
    ...{ received: { width: 320, height: 240, packetsLost: 0 }, sent: { width, height } },
  });

  await gateway.api('PATCH', `/api/rooms/desk/sipcalls/${call?.id}`, { isVideoMuted: true });
  await isGone();
  await gateway.api('PATCH', `/api/rooms/desk/sipcalls/${call?.id}`, { isVideoMuted: false });
  await pictureOf();
  // Held: nothing either way.
  assert.match(await phone.invite({ ...video, lines: ['a=inactive'] }), /m=video[\s\S]*a=inactive/);
  await isGone();
  // Dropped, and there again on other ports.
  assert.match(await phone.invite(undefined, true), /^m=video 0 /m);
  assert.equal((await lastCall())?.video, null);
  assert.match(await phone.invite(video), /^m=video [1-9]/m);
  await seenInRoom('red');
  const before = phone.shown.pictures;
  await expect.poll(() => phone.shown.pictures, { timeout: 20_000 }).toBeGreaterThan(before);
}, 120_000);

test('one that takes whole units alone gets them, encrypted as its own are, and is asked for key frames by INFO', async () => {
  const phone = await caller();
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const sendKey = randomBytes(30).toString('base64');
  const lines = [`a=crypto:1 ${suite} inline:${sendKey}`];
  const answer = await phone.invite({ kind: 'h264_mode0', protocol: 'RTP/SAVP', lines });
  const [, receiveKey = ''] = /m=video[\s\S]*^a=crypto:1 \S+ inline:(\S+)/m.exec(answer) ?? [];
  phone.show('h264_mode0', 'blue', { keyFrameS: 4, srtp: { suite, sendKey, receiveKey } });
  await seenInRoom('blue');
  await shownTo(phone, 'blue');
  assert.ok(phone.shown.largestBytes <= 1_180, `${phone.shown.largestBytes} bytes`);
  // Slices, parameter sets and messages: neither aggregates nor fragments.
  assert.deepEqual(
    [...phone.shown.unitTypes].filter((type) => ![1, 5, 6, 7, 8].includes(type)),
    [],
  );
  const { keyFrames } = phone.shown;
  const wish =
    '<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>';
  assert.match(await phone.ask('INFO', wish, 'application/media_control+xml'), /^SIP\/2\.0 200/);
  await expect.poll(() => phone.shown.keyFrames, { timeout: 20_000 }).toBeGreaterThan(keyFrames);
  // Whoever comes in makes the room ask; this one heeds neither, and is seen all the same.
  await seenInRoom('blue');
  await expect
    .poll(() => phone.requests.some((text) => /^INFO[\s\S]*picture_fast_update/.test(text)), { timeout: 20_000 })
    .toBe(true);
  assert.ok(phone.rtcp.some(({ kind }) => kind === 'pli'));
  expect((await lastCall())?.video).toMatchObject({ packetizationMode: 0, isEncrypted: true });
}, 120_000);

test('a VP8 phone is seen and shown VP8; where the room wants none, its video is refused and its voice is not', async () => {
  const phone = await caller();
  assert.match(await phone.invite({ kind: 'vp8' }), /^m=video [1-9]\d* RTP\/AVP 102\r$/m);
  phone.show('vp8', 'green');
  await seenInRoom('green');
  await shownTo(phone, 'green');
  await gateway.api('PATCH', '/api/rooms/desk', { sip: { hasVideo: false } });
  const other = await caller();
  assert.match(await other.invite({ kind: 'vp8' }), /^m=audio [1-9][\s\S]*^m=video 0 /m);
  await gateway.api('PATCH', '/api/rooms/desk', { sip: { hasVideo: null } });
}, 120_000);

const patch = async (body: object) => {
  const { id } = (await lastCall()) ?? {};
  return gateway.api<SipCall>('PATCH', `/api/rooms/desk/sipcalls/${id}`, body);
};
/** Pictures come, now and from now on. */
async function isShownOn(phone: VideoCaller): Promise<void> {
  const { pictures } = phone.shown;
  await expect.poll(() => phone.shown.pictures, wait).toBeGreaterThan(pictures + 3);
}
const lastOffer = ({ requests }: VideoCaller) => requests.findLast((text) => text.startsWith('INVITE')) ?? '';

test('the API adds a picture to a call and drops it; whatever is refused, theirs or ours, leaves it as it was', async () => {
  const phone = await caller();
  const { voice } = phone;
  const unknown = ['m=audio 9 RTP/AVP 99', 'a=rtpmap:99 Nothing/8000'];
  await phone.invite();
  phone.voice = unknown;
  await expect(phone.invite({ kind: 'vp8' })).rejects.toThrow(/^SIP\/2\.0 488/);
  phone.voice = voice;
  assert.equal((await lastCall())?.video, null);
  await expect(patch({ video: true })).rejects.toThrow(/502 .*upstream_refused/);
  assert.match(lastOffer(phone), /^m=video [1-9]/m);
  phone.answersWith = 'voice';
  await expect(patch({ video: true })).rejects.toThrow(/502 .*takes no video/);
  // What was refused is not offered again by an offer that is for something else.
  await patch({ isHeld: true });
  await patch({ isHeld: false });
  assert.doesNotMatch(lastOffer(phone), /^m=video [1-9]/m);

  phone.answersWith = { kind: 'vp8' };
  expect((await patch({ video: true })).video).toMatchObject({ codec: 'vp8', direction: 'sendrecv' });
  phone.show('vp8', 'green');
  await seenInRoom('green');
  const { id } = await pictureOf();
  await isShownOn(phone);
  phone.answersWith = 'refusal';
  await expect(patch({ video: false })).rejects.toThrow(/502 .*upstream_refused/);
  assert.match(lastOffer(phone), /^m=video 0 /m);
  phone.voice = unknown;
  await expect(phone.invite(undefined, true)).rejects.toThrow(/^SIP\/2\.0 488/);
  phone.voice = voice;
  await isShownOn(phone);
  assert.equal((await pictureOf()).id, id);
  phone.answersWith = { kind: 'vp8' };
  await patch({ isHeld: true });
  assert.match(lastOffer(phone), /^m=video [1-9]/m);
  await patch({ isHeld: false });
  await isShownOn(phone);

  phone.answersWith = 'voice';
  assert.equal((await patch({ video: false })).video, null);
  await isGone();
}, 120_000);

test('phones with equal needs cost one encoder, one with other needs a second', async () => {
  const encoders = () => gateway.app.views.find(room.record, 'common')?.stats?.encoders.length ?? 0;
  const join = async (lines: readonly string[] = []) => {
    const phone = await caller();
    await phone.invite({ kind: 'h264', lines });
    phone.show('h264', 'red');
    await isShownOn(phone);
    return phone;
  };
  const [first, second] = [await join(), await join()];
  await expect.poll(encoders, wait).toBe(1);
  const third = await join(['b=TIAS:128000']);
  await expect.poll(encoders, wait).toBe(2);
  for (const phone of [first, second, third]) await isShownOn(phone);
  const metrics = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } });
  assert.match(await metrics.text(), /^switchyard_view_encoders\{room="desk",view="common"\} 2$/m);
}, 120_000);

test('a recording of the room has the picture of a phone in it', async () => {
  const phone = await caller();
  await phone.invite({ kind: 'h264' });
  phone.show('h264', 'blue');
  await seenInRoom('blue');
  const path = '/api/rooms/desk/recordings';
  const { id } = await gateway.api<RecordingResource>('POST', path, {}, 60_000);
  const read = () => gateway.api<RecordingResource>('GET', `${path}/${id}`);
  await expect.poll(async () => (await read()).durationMs ?? 0, { timeout: 60_000 }).toBeGreaterThan(2_000);
  await gateway.api('POST', `${path}/${id}/stop`);
  await expect.poll(async () => (await read()).state, { timeout: 60_000 }).toBe('finished');
  const { downloadPath = '' } = (await read()).parts[0] ?? {};
  const headers = { authorization: `Bearer ${adminKey}` };
  const file = await fetch(`${gateway.url}${downloadPath}`, { headers });
  const folder = await mkdtemp(join(tmpdir(), 'sip-video-'));
  opened.push({ close: () => rm(folder, { recursive: true, force: true }) });
  await writeFile(join(folder, 'room'), Buffer.from(await file.arrayBuffer()));
  const { red, green, blue } = await middleColor(join(folder, 'room'));
  assert.ok(blue > 150 && red < 80 && green < 80, `${red} ${green} ${blue}`);
}, 180_000);
