// What a recorder writes, without a room: units in, files out, read by ffprobe.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RecordFormat, RecordSinkSpec } from '#core/record-sink.ts';
import { OpusEncoder } from '../av/audio-encoder.ts';
import { remux } from '../av/remuxer.ts';
import { numberedPicture, tone } from '../av/test-signals.ts';
import { thumbnailOf } from '../av/thumbnail.ts';
import { VideoEncoder } from '../av/video-encoder.ts';
import { RecordSink } from './record.ts';
import { muxerFormats } from './record-formats.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

const run = promisify(execFile);
const frameUs = 40_000;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-record-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Numbered pictures with a key frame each second, and a tone. */
function someMedia(
  codec: 'h264' | 'vp8',
  seconds: number,
  size = { width: 160, height: 96 },
): { streams: EgressStream[]; units: EgressUnit[] } {
  using encoder = new VideoEncoder({ codec, profile: 'baseline', ...size, framerateHz: 25, bitrateBps: 200_000 });
  using opus = new OpusEncoder({ channels: 2, bitrateBps: 64_000 });
  const units: EgressUnit[] = [];
  for (let n = 0; n < seconds * 25; n++) {
    if (n % 25 === 0) encoder.requestKeyFrame();
    using picture = numberedPicture(size.width, size.height, n % 256);
    encoder.encode(picture, n * frameUs, ({ data, ptsUs, isKey }) =>
      units.push({ kind: 'video', ptsUs, dtsUs: ptsUs, durationUs: frameUs, isKey, data }),
    );
    const samples = tone({
      frequencyHz: 440,
      sampleRateHz: 48_000,
      channels: 2,
      samples: 1_920,
      firstSample: n * 1_920,
    });
    opus.push(samples, n * frameUs, (data, encodedUs) => {
      const ptsUs = Math.max(0, encodedUs);
      units.push({ kind: 'audio', ptsUs, dtsUs: ptsUs, durationUs: 20_000, isKey: true, data });
    });
  }
  const sound = { kind: 'audio', codec: 'opus', sampleRateHz: 48_000, channels: 2 } as const;
  return { streams: [{ kind: 'video', codec, ...size }, sound], units };
}

const specOf = (format: RecordFormat, more: Partial<RecordSinkSpec> = {}): RecordSinkSpec => ({
  ...{ type: 'record', folder: join(folder, 'raw'), format, audioCodec: 'opus', needsVideo: false },
  ...more,
});

const rawFiles = async () => (await readdir(join(folder, 'raw'))).sort().map((name) => join(folder, 'raw', name));

async function probe(path: string): Promise<{ durationS: number; frames: number[]; complaints: string }> {
  const entries = ['-show_entries', 'format=duration:stream=nb_read_packets', '-count_packets', '-of', 'json'];
  const { stdout } = await run('ffprobe', ['-v', 'error', ...entries, path]);
  const { format, streams } = JSON.parse(stdout) as {
    format: { duration?: string };
    streams: { nb_read_packets: string }[];
  };
  const { stderr } = await run('ffmpeg', ['-v', 'error', '-i', path, '-vsync', 'passthrough', '-f', 'null', '-']);
  const frames = streams.map(({ nb_read_packets }) => Number(nb_read_packets));
  return { durationS: Number(format.duration), frames, complaints: stderr.trim() };
}

describe('a recorder', () => {
  test.each([
    ['mp4', 'h264'],
    ['mkv', 'h264'],
    ['mkv', 'vp8'],
    ['webm', 'vp8'],
  ] as const)('%s of %s: finished, it has all of it, an index and a picture', async (format, codec) => {
    const { streams, units } = someMedia(codec, 3);
    const sink = new RecordSink(specOf(format));
    sink.describe(streams);
    for (const unit of units) sink.write(unit);
    await sink.close();
    const [raw = ''] = await rawFiles();
    const output = join(folder, `out.${format}`);
    const facts = remux(raw, output, muxerFormats[format]);
    expect(facts?.durationMs).toBe(3_000);
    expect(facts?.streams.map((stream) => stream.codec)).toEqual([codec, 'opus']);
    expect(await probe(output)).toEqual({ durationS: 3, frames: [75, 150], complaints: '' });
    expect(thumbnailOf(output, 3_000)?.subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]));
    if (format === 'mp4') {
      const bytes = await readFile(output);
      expect(bytes.indexOf('moov')).toBeLessThan(bytes.indexOf('mdat'));
    }
  });

  test.each(['mp4', 'mkv', 'webm'] as const)(
    '%s: what the disk has at any moment plays to within a second',
    async (format) => {
      const { streams, units } = someMedia(format === 'webm' ? 'vp8' : 'h264', 4);
      const sink = new RecordSink(specOf(format));
      sink.describe(streams);
      const untilUs = 3_400_000;
      for (const unit of units) if (unit.dtsUs < untilUs) sink.write(unit);
      let seen = 0;
      await vi.waitFor(async () => {
        const [raw = ''] = await rawFiles();
        const bytes = await readFile(raw);
        const isStill = bytes.length === seen && seen > 0;
        seen = bytes.length;
        expect(isStill).toBe(true);
      });
      const [raw = ''] = await rawFiles();
      const cut = join(folder, 'cut');
      // As a worker that is killed leaves it.
      await writeFile(cut, await readFile(raw));
      const facts = remux(cut, join(folder, `out.${format}`), muxerFormats[format]);
      expect(facts?.durationMs).toBeGreaterThan(untilUs / 1_000 - 1_000);
      await sink.close();
    },
  );

  test('a pause is left out of the file, whose times go on', async () => {
    const { streams, units } = someMedia('h264', 4);
    const sink = new RecordSink(specOf('mp4'));
    sink.describe(streams);
    for (const unit of units) {
      if (unit.dtsUs === 1_000_000 && unit.kind === 'video') sink.setPaused(true);
      if (unit.dtsUs >= 2_500_000) sink.setPaused(false);
      sink.write(unit);
    }
    await sink.close();
    const files = await rawFiles();
    expect(files).toHaveLength(1);
    // From 1 s to the key frame at 3 s.
    const facts = remux(files[0] ?? '', join(folder, 'out.mp4'), 'mp4');
    expect(Math.abs((facts?.durationMs ?? 0) - 2_000)).toBeLessThan(50);
    expect((await probe(join(folder, 'out.mp4'))).complaints).toBe('');
  });

  test.each(['mp4', 'mkv'] as const)(
    '%s: what comes late is where it was captured: from the word that it records to the pause, from there to the end',
    async (format) => {
      const lateUs = 400_000;
      const { streams, units } = someMedia('h264', 6);
      let nowUs = 0;
      const sink = new RecordSink(specOf(format), () => nowUs);
      const told: string[] = [];
      sink.events.on('changed', (state) => told.push(`${state} ${nowUs / 1_000}`));
      sink.describe(streams);
      let finished: Promise<void> | undefined;
      for (const unit of units) {
        nowUs = unit.dtsUs + lateUs;
        if (unit.kind === 'video' && nowUs === 1_400_000) sink.setPaused(true);
        if (unit.kind === 'video' && nowUs === 2_600_000) sink.setPaused(false);
        if (unit.kind === 'video' && nowUs === 4_400_000) finished = sink.finish();
        sink.write(unit);
      }
      await finished;
      await sink.close();
      expect(told).toEqual(['live 400', 'paused 1400', 'live 2600']);
      const output = join(folder, `out.${format}`);
      const [raw = ''] = await rawFiles();
      expect(remux(raw, output, muxerFormats[format])?.durationMs).toBeCloseTo(2_800, -2);
      const { stdout } = await run('ffprobe', [
        ...['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', output],
      ]);
      const timesMs = stdout
        .trim()
        .split(/\s+/)
        .map((text) => Math.round(Number.parseFloat(text) * 1_000));
      // The key pictures of 1 s and 3 s are the first after the beginning and after the pause.
      const from = (ms: number, count: number) => Array.from({ length: count }, (_, n) => ms + n * 40);
      // The first picture of MP4 stands from its beginning on.
      const wanted = [format === 'mp4' ? 0 : 600, ...from(640, 9), ...from(1_400, 35)];
      expect(timesMs).toHaveLength(wanted.length);
      for (const [n, ms] of timesMs.entries()) expect(Math.abs(ms - (wanted[n] ?? 0))).toBeLessThan(25);
      expect((await probe(output)).complaints).toBe('');
      // Sound has no hole: what was heard before that key picture is there.
      expect((await probe(output)).frames[1]).toBeGreaterThanOrEqual(138);
    },
  );

  test('where no fresh key picture comes it begins with the old one, and what it has to show before passes at once', async () => {
    const lateUs = 400_000;
    const { streams, units } = someMedia('h264', 4);
    let nowUs = 0;
    const sink = new RecordSink(specOf('mkv'), () => nowUs);
    sink.describe(streams);
    for (const unit of units) {
      nowUs = unit.dtsUs + lateUs;
      if (unit.kind === 'audio' || !unit.isKey || unit.dtsUs === 0) sink.write(unit);
    }
    await sink.close();
    const output = join(folder, 'out.mkv');
    expect(remux((await rawFiles())[0] ?? '', output, 'matroska')?.durationMs).toBeCloseTo(3_600, -2);
    // All but the three key pictures.
    expect((await probe(output)).frames).toEqual([97, 180]);
  });

  test('a part ends at the key frame after its limit, and nothing is lost between two', async () => {
    const { streams, units } = someMedia('h264', 4);
    const sink = new RecordSink(specOf('mp4', { segmentMs: 1_500 }));
    const asked = vi.fn();
    sink.events.on('keyFrameWanted', asked);
    sink.describe(streams);
    for (const unit of units) sink.write(unit);
    await sink.close();
    const frames = await Promise.all((await rawFiles()).map(async (file) => (await probe(file)).frames[0]));
    expect(frames).toEqual([50, 50]);
    expect(asked).toHaveBeenCalled();
  });

  test('parts of another worker stay as they are', async () => {
    const { streams, units } = someMedia('h264', 1);
    for (let worker = 0; worker < 2; worker++) {
      const sink = new RecordSink(specOf('mp4'));
      sink.describe(streams);
      for (const unit of units) sink.write(unit);
      await sink.close();
    }
    expect((await rawFiles()).map((file) => file.slice(-30).match(/\/(\d{4})-/)?.[1])).toEqual(['0001', '0002']);
  });

  test('sound that does not come is silence, and the length is right', async () => {
    const { streams, units } = someMedia('h264', 4);
    const sink = new RecordSink(specOf('mp4'));
    sink.describe(streams);
    for (const unit of units) if (unit.kind === 'video' || unit.dtsUs < 1e6 || unit.dtsUs > 3e6) sink.write(unit);
    await sink.close();
    const { frames } = await probe((await rawFiles())[0] ?? '');
    expect(frames[1]).toBeGreaterThanOrEqual(198);
  });

  const largeFrom = (codec: 'h264' | 'vp8', startUs: number) => {
    const { streams, units } = someMedia(codec, 2, { width: 320, height: 192 });
    const later = (unit: EgressUnit) => ({ ...unit, ptsUs: unit.ptsUs + startUs, dtsUs: unit.dtsUs + startUs });
    return { streams, units: units.map(later) };
  };

  // WebM holds VP8 of any size; MP4 needs other parameter sets for H264, and so a file of its own.
  test.each([
    ['webm', 'vp8', [[100, 200]]],
    [
      'mp4',
      'h264',
      [
        [50, 100],
        [50, 100],
      ],
    ],
  ] as const)(
    '%s of %s: a stream that changes its size, as by another layer, goes on without a gap',
    async (format, codec, frames) => {
      const [small, large] = [someMedia(codec, 2), largeFrom(codec, 2_000_000)];
      const sink = new RecordSink(specOf(format));
      for (const { streams, units } of [small, large]) {
        sink.describe(streams);
        for (const unit of units) sink.write(unit);
      }
      await sink.close();
      const files = await Promise.all((await rawFiles()).map((file) => probe(file)));
      expect(files.map((file) => file.frames)).toEqual(frames);
      expect(files.map(({ complaints }) => complaints)).toEqual(frames.map(() => ''));
    },
  );

  test('pictures that stay away for two seconds and come back leave the sound and the length alone', async () => {
    const { streams, units } = someMedia('vp8', 4);
    const sink = new RecordSink(specOf('webm'));
    sink.describe(streams);
    for (const unit of units) if (unit.kind === 'audio' || unit.dtsUs < 1e6 || unit.dtsUs >= 3e6) sink.write(unit);
    await sink.close();
    const files = await Promise.all((await rawFiles()).map((file) => probe(file)));
    expect(files.map(({ frames, complaints }) => [frames, complaints])).toEqual([[[50, 200], '']]);
  });

  test.each(['video', 'audio'] as const)(
    'of a room that has only %s there is only that, from its first on',
    async (kind) => {
      const { streams, units } = someMedia('h264', 2);
      const sink = new RecordSink(specOf('mkv'));
      sink.describe(streams.filter((stream) => stream.kind === kind));
      for (const unit of units) sink.write({ ...unit, ptsUs: unit.ptsUs + 7e6, dtsUs: unit.dtsUs + 7e6 });
      await sink.close();
      const output = join(folder, 'out.mkv');
      expect(remux((await rawFiles())[0] ?? '', output, 'matroska')?.durationMs).toBeCloseTo(2_000, -2);
      expect(await probe(output)).toMatchObject({ frames: [kind === 'video' ? 50 : 100], complaints: '' });
    },
  );

  test('a folder that cannot be made says so, and nothing is thrown', async () => {
    await writeFile(join(folder, 'raw'), 'in the way');
    const { streams, units } = someMedia('h264', 1);
    const sink = new RecordSink(specOf('mp4'));
    const changes: string[] = [];
    sink.events.on('changed', (state, reason) => changes.push(`${state} ${reason}`));
    sink.describe(streams);
    for (const unit of units) sink.write(unit);
    await sink.close();
    expect(changes).toEqual(['failed not_writable']);
  });

  test('what a format cannot hold is refused with its reason', async () => {
    const sink = new RecordSink(specOf('ogg'));
    const changes: string[] = [];
    sink.events.on('changed', (state, reason) => changes.push(`${state} ${reason}`));
    sink.describe([{ kind: 'video', codec: 'h264', width: 160, height: 96 }]);
    await sink.close();
    expect(changes).toEqual(['failed unsupported_media']);
  });
});
