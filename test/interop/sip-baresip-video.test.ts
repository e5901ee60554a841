// baresip as a video phone: Chromium sees its picture, the room is shown to it, in VP8 and H264, encrypted and not.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import type { Room } from '#core/room.ts';
import type { Picture } from '#media/av/picture.ts';
import { decodeImage } from '#media/av/still-image.ts';
import { Baresip, baresipHasH264 } from '#test/support/baresip.ts';
import { sipAddressOf } from '#test/support/calling-phone.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { launchChromium, type PeersPage } from '#test/support/chromium.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { openViewerPage } from '#test/support/test-picture.ts';

const wait = { timeout: 20_000, interval: 100 };
/** What its module fakevideo sends. */
const baresipGreen = [0, 235, 0];
let gateway: TestGateway;
let browser: Browser;
let page: PeersPage;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 42_900, lastPort: 42_999 },
    media: { workers: 1, maxLoadPercent: 100 },
  });
  browser = await launchChromium();
  page = await openViewerPage(browser, gateway.url);
  await gateway.app.rooms.create({ name: 'desk', sip: { hasPrompts: false } });
  room = await gateway.app.rooms.open('desk');
}, 90_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

const video = async () => {
  const path = '/api/rooms/desk/sipcalls?state=connected';
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', path);
  return items.find(({ displayName }) => displayName === 'Bare Sip')?.video;
};

/** Of what it is shown now: its size, and how much of it is as red as the camera in the room. */
async function shownTo(phone: Baresip): Promise<{ width: number; height: number; redShare: number }> {
  let seen = { width: 0, height: 0, redShare: 0 };
  await decodeImage(await phone.snapshot(), (picture) => {
    const { width, height } = picture;
    let red = 0;
    for (let y = 0; y < height; y += 8) {
      for (let x = 0; x < width; x += 8) {
        const [r, g, b] = colorAt(picture, x, y);
        if (r > 130 && g < 90 && b < 90) red += 1;
      }
    }
    seen = { width, height, redShare: red / ((width * height) / 64) };
  });
  return seen;
}

/** Of I420 in limited range (ITU-R BT.601), 0..255 each. */
function colorAt({ planes: [luma, blues, reds], strides }: Picture, x: number, y: number): [number, number, number] {
  const at = (plane: Uint8Array | undefined, n: number, shift: number) =>
    plane?.[(y >> shift) * (strides[n] ?? 0) + (x >> shift)] ?? 0;
  const light = 1.164 * (at(luma, 0, 0) - 16);
  const [cb, cr] = [at(blues, 1, 1) - 128, at(reds, 2, 1) - 128];
  return [light + 1.596 * cr, light - 0.392 * cb - 0.813 * cr, light + 2.017 * cb];
}

const cases = [
  ['vp8', undefined],
  ['h264', undefined],
  ['h264', 'srtp-mand'],
] as const;

test.each(cases.filter(([codec]) => codec !== 'h264' || baresipHasH264()))(
  'baresip with %s, encryption %s, is seen in a browser and shown the room',
  async (codec, mediaEncryption) => {
    opened.push(await CameraPeer.join(room, { name: 'red', color: '#c02020', width: 640, height: 360 }));
    const phone = await Baresip.start({ toneHz: 440, video: codec, ...(mediaEncryption && { mediaEncryption }) });
    opened.push(phone);
    phone.command('dial', `sip:desk@${sipAddressOf(gateway)}`);
    await phone.saw('CALL_ESTABLISHED');
    await expect.poll(async () => (await video())?.received?.width, wait).toBe(320);

    const own = [...room.publications()].find(
      ({ kind, participant }) => kind === 'video' && participant.kind === 'sip',
    );
    const token = await gateway.token({ room: 'desk', user: 'viewer', role: 'viewer' });
    const url = `${gateway.url}/whep/desk/${own?.id}`;
    const player = await page.call<{ handle: string; status: number; body: string }>('play', { url, token });
    expect(player.status, player.body).toBe(201);
    opened.push({ close: () => page.call('leave', { handle: player.handle, token: 'none' }) });
    await page.call('showsColors', { handle: player.handle, places: [{ x: 0.5, y: 0.5, rgb: baresipGreen }] });

    await expect.poll(async () => (await video())?.sent?.frames ?? 0, wait).toBeGreaterThan(15);
    await expect.poll(async () => (await shownTo(phone)).redShare, wait).toBeGreaterThan(0.1);
    const { width, height } = await shownTo(phone);
    expect(await video()).toMatchObject({
      ...{ codec, direction: 'sendrecv', isEncrypted: mediaEncryption !== undefined },
      ...{ received: { width: 320, height: 240 }, sent: { width, height } },
    });
    phone.command('hangup');
    await expect.poll(video, wait).toBeUndefined();
  },
  90_000,
);
