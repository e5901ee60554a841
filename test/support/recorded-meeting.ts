// Owns: a meeting that is recorded while people join, leave, are muted, share and the recording is paused, and what the
// file then holds. Without vitest: benches use it.
import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import type { RecordingResource } from '#api/contract.ts';
import { type FileFacts, findFlashes, offsetsMs, probeFile, pushFlashes } from './flash-and-beep.ts';
import { FlashingPage } from './flashing-page.ts';
import { adminKey, type TestGateway } from './gateway.ts';

const pollMs = 20;
const deadlineMs = 120_000;

export interface RecordedMeetingOptions {
  readonly gateway: TestGateway;
  readonly browser: Browser;
  readonly room: string;
  /** Between two things that happen; there are twelve. */
  readonly stepMs: number;
  /** Who flashes and beeps: ffmpeg by RTMP, whose stamps are exact on any machine, or a page by WebRTC. */
  readonly flasher: 'rtmp' | 'page';
  /** Where the file is saved. */
  readonly path: string;
}

export interface RecordedMeeting {
  readonly facts: FileFacts;
  readonly parts: number;
  /** By the clock on the wall, without the pause. */
  readonly expectedS: number;
  /** How far beeps are behind flashes, milliseconds, in order. */
  readonly offsetsMs: readonly number[];
  /** Where beeps begin, in seconds; every other second but for the pause. */
  readonly beeps: readonly number[];
  /** What a <video> in Chromium made of it. */
  readonly played: PlayedFile;
}

export interface PlayedFile {
  readonly durationS: number;
  readonly width: number;
  readonly error: string;
}

/** Of the first and of the last three: where it drifts, or begins or ends badly, they tell. */
export function offsetsAtEnds(offsets: readonly number[]): { readonly first: number; readonly last: number } {
  const middle = (some: readonly number[]) => some.toSorted((a, b) => a - b)[Math.floor(some.length / 2)] ?? Number.NaN;
  return { first: middle(offsets.slice(0, 3)), last: middle(offsets.slice(-3)) };
}

export async function recordMeeting(options: RecordedMeetingOptions): Promise<RecordedMeeting> {
  const { gateway, browser, room, stepMs, path } = options;
  const recordings = `/api/rooms/${room}/recordings`;
  await gateway.api('POST', '/api/rooms', { name: room });
  const keyFor = async (name: string) => {
    const made = { room, protocol: 'rtmp', name };
    return (await gateway.api<{ url: string }>('POST', '/api/stream-keys', made)).url;
  };
  const lampUrl = await keyFor('lamp');
  const flasher = await openFlasher(options, keyFor);
  await untilStreams(gateway, room, 2);
  const { id } = await gateway.api<{ id: string }>('POST', recordings, {}, 60_000);
  const read = () => gateway.api<RecordingResource>('GET', `${recordings}/${id}`);
  const is = async (state: RecordingResource['state']) => (await read()).state === state;
  const pause = async (isPaused: boolean) => {
    await gateway.api('PATCH', `${recordings}/${id}`, { isPaused });
    await until(() => is(isPaused ? 'paused' : 'recording'));
    return performance.now();
  };
  await until(() => is('recording'));
  const beganAt = performance.now();
  let lamp: ChildProcess | undefined;
  try {
    const step = () => setTimeout(stepMs);
    await step();
    const before = await streamsOf(gateway, room);
    lamp = pushFlashes(lampUrl, { isSteady: true, toneHz: 300 });
    await untilStreams(gateway, room, before.length + 2);
    const lampStreams = (await streamsOf(gateway, room)).filter(({ id }) => !before.some((one) => one.id === id));
    const muteLamp = async (isMuted: boolean) => {
      for (const stream of lampStreams) {
        await gateway.api('PATCH', `/api/rooms/${room}/streams/${stream.id}`, { isMuted });
      }
    };
    await step();
    const grace = await FlashingPage.join(browser, gateway, { room, name: 'Grace', isPlain: true });
    await step();
    await muteLamp(true);
    await step();
    const pausedAt = await pause(true);
    await step();
    const resumedAt = await pause(false);
    await step();
    await grace.press('share');
    await muteLamp(false);
    await step();
    await step();
    await grace.press('share');
    await step();
    await grace.close();
    await step();
    lamp.kill('SIGKILL');
    await step();
    await step();
    await step();
    await gateway.api('POST', `${recordings}/${id}/stop`);
    const expectedS = (performance.now() - beganAt - (resumedAt - pausedAt)) / 1_000;
    await until(async () => (await is('finished')) || (await is('failed')));
    const { parts } = await read();
    const downloadPath = parts[0]?.downloadPath ?? '';
    await save(gateway, downloadPath, path);
    const found = await findFlashes(path);
    return {
      ...{ facts: await probeFile(path), parts: parts.length, expectedS },
      ...{ offsetsMs: offsetsMs(found), beeps: found.beeps },
      played: await playToEnd(browser, `${gateway.url}${downloadPath}`),
    };
  } finally {
    lamp?.kill('SIGKILL');
    await flasher.close();
  }
}

async function openFlasher(
  { gateway, browser, room, flasher }: RecordedMeetingOptions,
  keyFor: (name: string) => Promise<string>,
): Promise<{ close(): unknown }> {
  if (flasher === 'page') return FlashingPage.join(browser, gateway, { room, name: 'Ada' });
  const source = pushFlashes(await keyFor('Ada'));
  return { close: () => source.kill('SIGKILL') };
}

async function untilStreams(gateway: TestGateway, room: string, count: number): Promise<void> {
  await until(async () => (await streamsOf(gateway, room)).length >= count);
}

async function streamsOf(gateway: TestGateway, room: string): Promise<readonly { id: string }[]> {
  return (await gateway.api<{ items: { id: string }[] }>('GET', `/api/rooms/${room}/streams`)).items;
}

async function save(gateway: TestGateway, downloadPath: string, path: string): Promise<void> {
  const headers = { authorization: `Bearer ${adminKey}` };
  const response = await fetch(`${gateway.url}${downloadPath}`, { headers });
  await writeFile(path, Buffer.from(await response.arrayBuffer()));
}

/** The last second of a file, as a player shows it that has been sent there. */
async function playToEnd(browser: Browser, url: string): Promise<PlayedFile> {
  const context = await browser.newContext({ extraHTTPHeaders: { authorization: `Bearer ${adminKey}` } });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(deadlineMs);
    await page.goto(`${url}?inline=true`);
    await page.locator('video').waitFor();
    return await page.evaluate<PlayedFile>(`new Promise((resolve) => {
      const video = document.querySelector('video');
      const tell = () => resolve({
        durationS: video.duration, width: video.videoWidth, error: video.error?.message ?? '',
      });
      video.addEventListener('error', tell);
      video.addEventListener('ended', tell);
      const seek = () => {
        video.currentTime = video.duration - 1;
        void video.play();
      };
      if (video.readyState > 0) seek();
      else video.addEventListener('loadedmetadata', seek);
    })`);
  } finally {
    await context.close();
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > giveUpAt) throw new Error('waited in vain for a recording');
    await setTimeout(pollMs);
  }
}
