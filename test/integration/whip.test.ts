import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

interface Outcome {
  readonly handle: string;
  readonly status: number;
  readonly body: string;
}

test.each(['video/VP8', 'video/H264', 'video/VP9', 'video/AV1'])(
  '%s published by WHIP is seen and heard by WHEP',
  async (videoCodec) => {
    const room = await stack.room(`whip-${videoCodec.slice(6)}`);
    const token = await stack.token(room);
    const publisher = await page.call<Outcome>('publish', {
      url: `${stack.url}/whip/${room}`,
      token,
      videoCodec,
      color: 'green',
      hz: 880,
    });
    expect(publisher.status).toBe(201);
    const player = await page.call<Outcome>('play', { url: `${stack.url}/whep/${room}`, token });
    expect(player).toMatchObject({ status: 201 });
    await page.call('sees', { handle: player.handle, color: 'green' });
    await page.call('hears', { handle: player.handle, hz: 880 });
    await page.call('recolor', { handle: publisher.handle, color: 'blue' });
    await page.call('sees', { handle: player.handle, color: 'blue' });
    const sent = await page.call<{ kind: string; mimeType: string }[]>('outbound', { handle: publisher.handle });
    expect(sent.map(({ mimeType }) => mimeType)).toContain(videoCodec);
    for (const { handle } of [player, publisher]) expect(await page.call('leave', { handle, token })).toBe(200);
  },
);
