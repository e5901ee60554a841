import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launchChromium, PeersPage } from '#test/support/chromium.ts';
import { WebRtcStack } from '#test/support/webrtc-stack.ts';

const script = fileURLToPath(new URL('../support/gst-whip-client.py', import.meta.url));

let stack: WebRtcStack;
let browser: Browser;
let page: PeersPage;
const publishers: GstPublisher[] = [];

interface Said {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** GStreamer's webrtcbin in a process of its own. */
class GstPublisher {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #said: Said[] = [];
  readonly #errors: string[] = [];

  constructor(args: readonly string[]) {
    // Debian's Python, which has the bindings; another one on the PATH has not.
    this.#process = spawn('/usr/bin/python3', [script, ...args]);
    this.#process.stderr.on('data', (data) => this.#errors.push(String(data)));
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#lines.on('line', (line) => this.#said.push(JSON.parse(line) as Said));
    publishers.push(this);
  }

  /** Until it has said so, or said that it failed. */
  async until(matches: (said: Said) => boolean): Promise<Said> {
    for (;;) {
      const found = this.#said.find(matches);
      if (found) return found;
      const failure = this.#said.find(({ event }) => event === 'failed');
      if (failure || this.#process.exitCode !== null) throw new Error(JSON.stringify([this.#said, this.#errors]));
      await Promise.race([once(this.#lines, 'line'), once(this.#process, 'exit')]);
    }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    this.#process.once('exit', () => clearTimeout(timer));
    await once(this.#process, 'exit');
  }
}

beforeAll(async () => {
  stack = await WebRtcStack.start();
  browser = await launchChromium();
  page = await PeersPage.open(browser, stack.url);
});

afterEach(async () => {
  for (const publisher of publishers.splice(0)) await publisher.stop();
});

afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

test.each([
  ['vp8', 'red', '0xFFDC1E1E', 600],
  ['h264', 'green', '0xFF1EB41E', 1_100],
])('what GStreamer publishes as %s is seen and heard in Chromium', async (codec, color, argb, hz) => {
  const room = await stack.room(`gst-${codec}`);
  const token = await stack.token(room, { user: 'gst' });
  const url = `${stack.url}/whip/${room}`;
  const gst = new GstPublisher([
    '--url',
    url,
    '--token',
    token,
    '--codec',
    codec,
    '--color',
    argb,
    '--freq',
    String(hz),
  ]);
  expect(await gst.until(({ event }) => event === 'answered')).toMatchObject({ status: 201 });
  await gst.until(({ state }) => state === 'connected');
  const player = await page.call<{ handle: string; status: number }>('play', {
    url: `${stack.url}/whep/${room}`,
    token,
  });
  expect(player.status).toBe(201);
  await page.call('sees', { handle: player.handle, color });
  await page.call('hears', { handle: player.handle, hz });
  await gst.stop();
  expect(await gst.until(({ event }) => event === 'deleted')).toMatchObject({ status: 200 });
  const live = stack.rooms.live((await stack.rooms.get(room)).record.id);
  expect([...(live?.publications() ?? [])]).toEqual([]);
  await page.call('leave', { handle: player.handle, token });
});

test('GStreamer with a token for another room is told so', async () => {
  await stack.room('gst-other');
  const room = await stack.room('gst-refused');
  const token = await stack.token('gst-other');
  const gst = new GstPublisher(['--url', `${stack.url}/whip/${room}`, '--token', token]);
  await expect(gst.until(() => false)).rejects.toThrow('403');
});
