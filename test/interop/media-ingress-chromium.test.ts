// What Chromium makes of an ingress: who joins in the middle of a group of pictures, and who was there already.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { Ingress } from '#core/ingress.ts';
import { MediaPool } from '#jobs/pool.ts';
import { launchChromium, PeersPage } from '#test/support/chromium.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { NumberedSource } from '#test/support/numbered-source.ts';
import { WebRtcStack } from '#test/support/webrtc-stack.ts';

const log = new KeepingLog();
let stack: WebRtcStack;
let pool: MediaPool;
let browser: Browser;

beforeAll(async () => {
  stack = await WebRtcStack.start();
  pool = new MediaPool({ config: configSchema.parse({}).media, log });
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await pool?.close();
  await stack?.close();
});

interface Shown {
  /** Since the call of play(). */
  readonly atMs: number;
  readonly number: number;
}

/** Runs in the page: the number of each picture as it is shown (see numberedPicture). */
const readNumbers = `async (count) => {
  const video = document.querySelector('video');
  const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const shown = [];
  while (shown.length < count) {
    await new Promise((resolve) => {
      video.requestVideoFrameCallback(() => {
        context.drawImage(video, 0, video.videoHeight / 16, video.videoWidth, video.videoHeight / 8, 0, 0, 8, 1);
        const { data } = context.getImageData(0, 0, 8, 1);
        let number = 0;
        for (let bit = 0; bit < 8; bit++) if (data[bit * 4] > 125) number |= 1 << bit;
        shown.push({ atMs: Date.now(), number });
        resolve();
      });
    });
  }
  return shown;
}`;

/** Plays a room by WHEP and notes the numbers of so many pictures. */
async function watch(
  name: string,
  count: number,
): Promise<{ joinedAtMs: number; playingAtMs: number; shown: Shown[] }> {
  const page = await PeersPage.open(browser, stack.url);
  const token = await stack.token(name, { user: 'viewer', role: 'viewer' });
  const joinedAtMs = Date.now();
  const outcome = await page.call<{ handle: string; status: number }>('play', {
    url: `${stack.url}/whep/${name}`,
    token,
    kinds: ['video'],
  });
  expect(outcome.status).toBe(201);
  const playingAtMs = Date.now();
  const shown = (await page.page.evaluate(`(${readNumbers})(${count})`)) as Shown[];
  await page.close();
  return { joinedAtMs, playingAtMs, shown };
}

/** Pictures, 10 s of them. */
const groupLength = 300;

test.each([
  ['that is sent again', 0],
  // 10 packets a picture: more than are kept after the first five seconds.
  ['too long to be sent again', 11_500],
])(
  'who joins in a group of 10 s %s sees it move before the next key frame, not seconds behind',
  async (_what, ballastBytes) => {
    const name = await stack.room(`ingress-join-${ballastBytes}`);
    const room = await stack.rooms.open(name);
    let source: NumberedSource | undefined;
    /** Pictures that were made, counted from the first: their numbers come around after 256. */
    const made: { atMs: number; picture: number }[] = [];
    const ingress = await Ingress.start({
      room,
      media: pool,
      user: 'camera',
      displayName: 'Camera',
      log,
      spec: {
        kind: 'ingress',
        source: { via: 'fed' },
        audio: 'auto',
        video: 'auto',
        videoCodec: 'auto',
        stallTimeoutMs: 3_000,
      },
      openSource: () => {
        source = new NumberedSource({ gop: groupLength, hasAudio: false, width: 640, height: 360, ballastBytes });
        return source;
      },
    });
    await ingress.job?.whenLive();
    let pictures = 1;
    const clock = setInterval(() => {
      while (source !== undefined && ((pictures - 1) & 255) !== source.lastNumber) pictures += 1;
      made.push({ atMs: Date.now(), picture: pictures - 1 });
    }, 3);
    const first = watch(name, 210);
    // Join while the first looks on, at some place in the group of pictures.
    const later = [];
    for (const afterMs of [3_000, 3_500]) {
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      later.push(watch(name, 60));
    }
    const all = [await first, ...(await Promise.all(later))];
    clearInterval(clock);
    for (const [index, { joinedAtMs, playingAtMs, shown }] of all.entries()) {
      const seen = shown.flatMap(({ atMs, number }) => {
        // When the source had this number last, but not longer ago than it takes to come around.
        const at = made.findLast(
          (one) => one.atMs <= atMs && one.atMs > atMs - 8_000 && (one.picture & 255) === number,
        );
        return at === undefined ? [] : [{ atMs, delayMs: atMs - at.atMs, picture: at.picture }];
      });
      const [one, , , , fifth] = seen;
      const delaysMs = seen.map(({ delayMs }) => delayMs).toSorted((a, b) => a - b);
      const [p50 = Number.NaN, p95 = Number.NaN] = [0.5, 0.95].map(
        (share) => delaysMs[Math.floor(delaysMs.length * share)],
      );
      const movingMs = (fifth?.atMs ?? Number.NaN) - (one?.atMs ?? Number.NaN);
      const firstMs = (one?.atMs ?? Number.NaN) - joinedAtMs;
      console.log(
        `viewer ${index}: first picture after ${firstMs} ms, four more in ${movingMs} ms, ${p50} ms behind (p95 ${p95})`,
      );
      // On a slow machine the end of the group may have been near.
      const leftAfter = (picture = Number.NaN) => groupLength - (picture % groupLength);
      const playing = made.findLast(({ atMs }) => atMs <= playingAtMs)?.picture;
      if (leftAfter(playing) > 150) expect(one?.picture).toBeLessThan((playing ?? Number.NaN) + leftAfter(playing));
      const left = leftAfter(one?.picture);
      if (left > 90) expect(fifth?.picture).toBeLessThan((one?.picture ?? Number.NaN) + left);
      expect(p50).toBeLessThan(2_000);
    }
    await ingress.close();
  },
);
