// Owns: what ffmpeg encodes for tests that look at pictures in a browser, and the page that looks at them.
import { readFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { PeersPage } from './chromium.ts';

/** Frame number in 8 boxes, a flash of a tenth of a second in every second, the lower half green. */
const bits = Array.from(
  { length: 8 },
  (_, bit) => `drawbox=x=${80 * bit + 4}:y=4:w=72:h=52:c=white:t=fill:enable='mod(floor(n/${2 ** bit}),2)'`,
);
export const picture = [
  'color=black:size=640x360:rate=30',
  'drawbox=x=0:y=180:w=640:h=180:c=0x1eb41e:t=fill',
  ...bits,
  "drawbox=x=0:y=70:w=640:h=100:c=white:t=fill:enable='lt(mod(n,30),3)'",
].join(',');
/** 440 Hz throughout, and a loud 1 kHz with each flash. */
export const sound = "aevalsrc='0.1*sin(2*PI*440*t)+0.6*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':sample_rate=44100";

/** ffmpeg arguments for both, in real time. */
export const testInputs: readonly string[] = [
  ...['-hide_banner', '-nostdin', '-loglevel', 'warning', '-re', '-f', 'lavfi', '-i', picture],
  ...['-re', '-f', 'lavfi', '-i', sound],
];

/** As OBS encodes unless told otherwise. @param bFrames 2 is its default */
export const obsEncoding = (bFrames: number): readonly string[] => [
  ...`-c:v libx264 -preset veryfast -profile:v high -b:v 1500k -g 60 -pix_fmt yuv420p -bf ${bFrames}`.split(' '),
  ...'-c:a aac -ar 44100 -b:a 128k'.split(' '),
];

const page = (name: string) => readFile(new URL(`./pages/${name}`, import.meta.url), 'utf8');

/** A page of the gateway's own origin, which the gateway does not have to serve. */
export async function openViewerPage(browser: Browser, gatewayUrl: string): Promise<PeersPage> {
  const names = { 'peers.js': 'webrtc-peers.js', 'viewer.js': 'ingress-viewer.js', 'views.js': 'view-page.js' };
  const scripts = await Promise.all(
    Object.entries(names).map(async ([name, file]) => [name, await page(file)] as const),
  );
  const tags = scripts.map(([name]) => `<script src="/${name}"></script>`).join('');
  return PeersPage.open(browser, gatewayUrl, async (context) => {
    await context.route(`${gatewayUrl}/peers`, (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<!doctype html><title>viewer</title>${tags}`,
      }),
    );
    for (const [name, body] of scripts) {
      await context.route(`${gatewayUrl}/${name}`, (route) => route.fulfill({ contentType: 'text/javascript', body }));
    }
  });
}

/** What Chromium shows and plays for a while: how far sound and picture are apart, and what of the sound was made up. */
export async function watchFor(
  seconds: number,
  page: PeersPage,
  handle: string,
  name: string,
): Promise<{ numbers: readonly number[]; medianOffsetMs: number; concealedShare: number }> {
  const { numbers, offsetsMs } = await page.call<{ numbers: number[]; offsetsMs: number[] }>('observeFor', {
    handle,
    seconds,
  });
  const concealedShare = await page.call<number>('concealedShare', { handle });
  console.log(
    `${name}: beep after flash, ms: ${offsetsMs.map(Math.round).join(' ')}; made up ${Math.round(concealedShare * 100)} %`,
  );
  const sorted = offsetsMs.toSorted((a, b) => a - b);
  return { numbers, concealedShare, medianOffsetMs: sorted[sorted.length >> 1] ?? Number.NaN };
}

/** Frames that were shown before one of an earlier number: B-frames that were not put in order. */
export function disorders(numbers: readonly number[]): number {
  return numbers.filter((number, i) => i > 0 && ((number - (numbers[i - 1] ?? 0)) & 255) > 128).length;
}
