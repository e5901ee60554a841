import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LiveFragment, LiveInit } from '#core/live-media.ts';
import { Fragmenter } from '#media/egress/fragmenter.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { type ClipUnits, readClip } from '#test/support/clip-units.ts';
import { encodeClip, probePackets } from '#test/support/ffmpeg-clip.ts';

const playerScript = new URL('../support/pages/mse-clip.js', import.meta.url);
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser?.close());

const pictures = ['-f', 'lavfi', '-i', 'testsrc=size=160x90:rate=25:duration=1'];
const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=1', '-ac', '2'];
const h264 = '-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 12'.split(' ');
const aac = '-c:a aac -b:a 96k'.split(' ');
const opus = '-c:a libopus -b:a 64k'.split(' ');
const mp4 = '-f mp4 -movflags frag_keyframe+empty_moov+default_base_moof'.split(' ');
const mkv = '-f matroska'.split(' ');

const clips: Readonly<Record<string, { args: readonly string[]; codecs: readonly RegExp[]; hasBrowser: boolean }>> = {
  'H264 and AAC': {
    args: [...pictures, ...sound, ...h264, ...aac, ...mp4],
    codecs: [/^avc1\.[0-9a-f]{6}$/, /^mp4a\.40\.2$/],
    hasBrowser: true,
  },
  'H264 and Opus': {
    args: [...pictures, ...sound, ...h264, ...opus, ...mkv],
    codecs: [/^avc1\./, /^opus$/],
    hasBrowser: true,
  },
  'H265 alone': {
    args: [
      ...pictures,
      ...'-c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1 -g 12 -bf 0'.split(' '),
      '-pix_fmt',
      'yuv420p',
      ...mp4,
    ],
    codecs: [/^hvc1\.1\.6\.L\d+/],
    hasBrowser: false,
  },
  'VP9 and Opus': {
    args: [
      ...pictures,
      ...sound,
      ...'-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 12 -lag-in-frames 0'.split(' '),
      '-pix_fmt',
      'yuv420p',
      ...opus,
      ...mkv,
    ],
    codecs: [/^vp09\.00\.\d\d\.08$/, /^opus$/],
    hasBrowser: true,
  },
  'AV1 alone': {
    args: [...pictures, ...'-c:v libsvtav1 -preset 12 -g 12'.split(' '), '-pix_fmt', 'yuv420p', ...mp4],
    codecs: [/^av01\.0\.\d\dM\.08$/],
    hasBrowser: true,
  },
  'AAC alone': { args: [...sound, ...aac, ...mp4], codecs: [/^mp4a\.40\.2$/], hasBrowser: true },
};

function fragmentsOf({ streams, units }: ClipUnits): { init: LiveInit; fragments: LiveFragment[] } {
  const inits: LiveInit[] = [];
  const fragments: LiveFragment[] = [];
  const fragmenter = new Fragmenter({
    onInit: (init) => inits.push(init),
    onFragment: (one) => fragments.push(one),
    onUnsupported: ({ codec }) => expect.fail(`${codec} is refused`),
  });
  fragmenter.describe(streams);
  for (const unit of units) fragmenter.write(unit);
  fragmenter.flush();
  const [init] = inits;
  if (!init || inits.length > 1) expect.fail(`${inits.length} initialisation segments`);
  return { init, fragments };
}

test.for(Object.entries(clips))('%s: every unit is read back by ffprobe, and Chromium plays them', async ([, clip]) => {
  const { streams, units } = await readClip(await encodeClip(...clip.args));
  // Sound begins with the picture: Opus starts a few milliseconds before.
  const source = { streams, units: units.slice(units.findIndex(({ kind }) => kind === streams[0]?.kind)) };
  const { init, fragments } = fragmentsOf(source);
  expect(init.tracks).toHaveLength(clip.codecs.length);
  for (const [index, { codecs }] of init.tracks.entries()) expect(codecs).toMatch(clip.codecs[index] ?? /never/);

  const packets = await probePackets(Buffer.concat([init.muxed, ...fragments.map(({ data }) => data)]));
  expect(packets).toHaveLength(source.units.length);
  for (const { kind } of init.tracks) {
    const own = source.units.filter((unit) => unit.kind === kind);
    const read = packets.filter(({ codec_type }) => codec_type === kind);
    read.forEach((packet, index) => {
      expect(Math.abs(Number(packet.pts_time) * 1e6 - (own[index]?.ptsUs ?? -1e9))).toBeLessThan(11_000);
      if (kind === 'video') expect(packet.flags.startsWith('K')).toBe(own[index]?.isKey);
    });
    // The same fragments behind the initialisation segment of their track alone.
    const track = init.tracks.find((one) => one.kind === kind);
    const ofKind = fragments.filter((one) => one.kind === kind).map(({ data }) => data);
    expect(await probePackets(Buffer.concat([track?.init ?? Buffer.alloc(0), ...ofKind]))).toHaveLength(own.length);
  }
  if (clip.hasBrowser) await playsInChromium(init, fragments);
});

interface Played {
  readonly error: string;
  readonly ranges: number;
  readonly start: number;
  readonly end: number;
  readonly reached: number;
  readonly frames: number;
}

async function playAll(page: Page, clip: { mime: string; pieces: readonly string[] }): Promise<Played> {
  await page.addScriptTag({ content: await readFile(playerScript, 'utf8') });
  return (await page.evaluate((clip) => {
    const play = Reflect.get(globalThis, 'playAll') as (clip: unknown) => unknown;
    return play(clip);
  }, clip)) as Played;
}

/** One SourceBuffer gets them one by one, as a live player would, and the whole is played to its end. */
async function playsInChromium(init: LiveInit, fragments: readonly LiveFragment[]): Promise<void> {
  const page = await browser.newPage();
  try {
    const mime = `video/mp4; codecs="${init.tracks.map(({ codecs }) => codecs).join(', ')}"`;
    const pieces = [init.muxed, ...fragments.map(({ data }) => data)].map((piece) =>
      Buffer.from(piece).toString('base64'),
    );
    const played = await playAll(page, { mime, pieces });
    expect(played).toMatchObject({ error: '', ranges: 1 });
    expect(played.start).toBeLessThan(0.1);
    expect(played.end).toBeGreaterThan(0.9);
    expect(played.reached).toBeGreaterThan(0.8);
    if (init.tracks.some(({ kind }) => kind === 'video')) expect(played.frames).toBeGreaterThan(20);
  } finally {
    await page.close();
  }
}
