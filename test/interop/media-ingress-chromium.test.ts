// What Chromium makes of an ingress: who joins in the middle of a group of pictures, and who was there already.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
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
  readonly atMs: number;
  readonly number: number;
}

/** Runs in the page: notes the number of each picture as it is shown (see numberedPicture). */
const noteNumbers = `() => {
  const video = document.querySelector('video');
  const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  globalThis.shown = [];
  const note = () => {
    context.drawImage(video, 0, video.videoHeight / 16, video.videoWidth, video.videoHeight / 8, 0, 0, 8, 1);
    const { data } = context.getImageData(0, 0, 8, 1);
    let number = 0;
    for (let bit = 0; bit < 8; bit++) if (data[bit * 4] > 125) number |= 1 << bit;
    globalThis.shown.push({ atMs: Date.now(), number });
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
}`;

/** Pictures, 10 s of them. */
const groupLength = 300;
const endOfGroup = (picture: number) => (Math.floor(picture / groupLength) + 1) * groupLength;

/** Notes when it delivered each picture, the first at index 0: their numbers come around after 256. */
class TimedSource extends NumberedSource {
  readonly madeAtMs: number[] = [];

  override start(sink: Parameters<NumberedSource['start']>[0]): void {
    super.start({
      describe: (stream) => sink.describe(stream),
      deliver: (unit) => {
        this.madeAtMs.push(Date.now());
        sink.deliver(unit);
      },
    });
  }

  /** How many there were at that time. */
  countAt(atMs: number): number {
    return this.madeAtMs.findLastIndex((one) => one <= atMs) + 1;
  }

  async untilMade(count: number): Promise<void> {
    await vi.waitUntil(() => this.madeAtMs.length >= count, { timeout: 50_000, interval: 20 });
  }
}

/** Plays a room by WHEP until half a second after the group of pictures ends that it joins in. */
async function watch(
  page: PeersPage,
  name: string,
  source: TimedSource,
): Promise<{ joined: number; shown: Shown[]; stats: string }> {
  const token = await stack.token(name, { user: 'viewer', role: 'viewer' });
  const outcome = await page.call<{ handle: string; status: number }>('play', {
    url: `${stack.url}/whep/${name}`,
    token,
    kinds: ['video'],
  });
  expect(outcome.status).toBe(201);
  await page.page.evaluate(`(${noteNumbers})()`);
  const joined = source.madeAtMs.length;
  await source.untilMade(endOfGroup(joined) + 15);
  const shown = (await page.page.evaluate('globalThis.shown')) as Shown[];
  const stats = await page.call<string>('videoReception', { handle: outcome.handle });
  await page.close();
  return { joined, shown, stats };
}

/** The pictures that were shown, by when and how many newer ones there were. */
function placed(shown: readonly Shown[], source: TimedSource): { atMs: number; picture: number; behind: number }[] {
  return shown.map(({ atMs, number }) => {
    const newest = source.countAt(atMs) - 1;
    const behind = (newest - number) & 255;
    return { atMs, picture: newest - behind, behind };
  });
}

test.each([
  ['that is sent again', 0],
  // 10 packets a picture: more than are kept after the first five seconds.
  ['too long to be sent again', 11_500],
])(
  'who joins in a group of 10 s %s sees it move before the next key frame, not seconds behind',
  async (_what, ballastBytes) => {
    // Before there is anything to see: how long a browser takes to open one is no matter here.
    const pages = [];
    for (let viewer = 0; viewer < 3; viewer++) pages.push(await PeersPage.open(browser, stack.url));
    const name = await stack.room(`ingress-join-${ballastBytes}`);
    const room = await stack.rooms.open(name);
    const source = new TimedSource({ gop: groupLength, hasAudio: false, width: 640, height: 360, ballastBytes });
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
      openSource: () => source,
    });
    await ingress.job?.whenLive();
    const viewers: ReturnType<typeof watch>[] = [];
    // The others join while the first looks on, at some place in the group of pictures.
    for (const [index, page] of pages.entries()) {
      await source.untilMade([1, 90, 180][index] ?? 0);
      viewers.push(watch(page, name, source));
    }
    for (const [index, { joined, shown, stats }] of (await Promise.all(viewers)).entries()) {
      const end = endOfGroup(joined);
      const seen = placed(shown, source);
      const ofGroup = seen.filter(({ picture }) => picture < end);
      const [one, , , , fifth] = seen;
      // The best of the last: a machine that stands still for a moment says nothing of how far behind the player is.
      const behind = Math.min(...ofGroup.slice(-10).map((shown) => shown.behind));
      console.log(
        `viewer ${index}: joined at ${joined % groupLength} of ${groupLength}, first saw ${(one?.picture ?? Number.NaN) % groupLength}, ` +
          `showed ${ofGroup.length} of the group, the last ${behind} behind; ${stats}`,
      );
      // On a slow machine the end of the group may have been near.
      if (end - joined > 150) expect(one?.picture).toBeLessThan(end);
      if (end - (one?.picture ?? end) > 90) expect(fifth?.picture).toBeLessThan(end);
      // Who were to play the group by its own times would be as far behind at its end as where it came in.
      if (end - joined > 90) expect(behind).toBeLessThan(60);
    }
    await ingress.close();
  },
);
