// Content through real encoders and decoders, on a clock that the test moves.
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, test, vi } from 'vitest';
import type { AnalysisLevels, AnalysisSinkSpec, Finding } from '#core/analysis-messages.ts';
import { OpusEncoder } from '../av/audio-encoder.ts';
import { Picture } from '../av/picture.ts';
import { numberedPicture, tone } from '../av/test-signals.ts';
import { VideoEncoder } from '../av/video-encoder.ts';
import { AnalysisSink } from './analysis-sink.ts';
import { soundStreams } from './audio-line.ts';

const startMs = Date.UTC(2030, 0, 1);
beforeEach(() => {
  vi.useFakeTimers({ now: startMs, toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const size = { width: 320, height: 180 };

function someSink(detectors: AnalysisSinkSpec['detectors']) {
  const sink = new AnalysisSink({ type: 'analyse', detectors, framerateHz: 5 });
  const found: Finding[] = [];
  const states: string[] = [];
  const told: { levels: AnalysisLevels } = { levels: {} };
  sink.events.on('analysed', (findings, levels) => {
    found.push(...findings);
    told.levels = levels;
  });
  sink.events.on('changed', (state) => states.push(state));
  return { sink, found, states, told };
}

/** Detector and phase, with seconds from the start. */
const shown = (found: readonly Finding[]) =>
  found.map(({ detector, phase, atMs }) => [detector, phase, Math.round((atMs - startMs) / 100) / 10] as const);

function black(): Picture {
  const picture = Picture.blank(size.width, size.height);
  const [luma, blue, red] = picture.planes;
  luma?.fill(16);
  blue?.fill(128);
  red?.fill(128);
  return picture;
}

/** @param pictureAt of each tenth of a second */
function show(sink: AnalysisSink, codec: 'h264' | 'vp8', count: number, pictureAt: (n: number) => Picture | undefined) {
  using encoder = new VideoEncoder({ codec, ...size, framerateHz: 10, bitrateBps: 1_000_000 });
  sink.describe([{ kind: 'video', codec, ...size }]);
  for (let n = 0; n < count; n++) {
    vi.advanceTimersByTime(100);
    using picture = pictureAt(n);
    if (!picture) continue;
    const ptsUs = n * 100_000;
    encoder.encode(picture, ptsUs, ({ data, isKey }) => {
      sink.write({ kind: 'video', ptsUs, dtsUs: ptsUs, durationUs: 100_000, isKey, data });
    });
  }
}

test.each(['h264', 'vp8'] as const)(
  '%s that goes black, comes back and stops coming is told with its times',
  async (codec) => {
    const { sink, found, states } = someSink({
      black: { minDurationMs: 1_000, darkness: 0.1, share: 0.98 },
      freeze: { minDurationMs: 1_500, noise: 0.003 },
    });
    show(sink, codec, 100, (n) => {
      if (n >= 60 && n < 90) return undefined;
      return n >= 20 && n < 40 ? black() : numberedPicture(size.width, size.height, (n * 7) & 255);
    });
    const times = new Map(
      shown(found).map(([detector, phase, at]) => [`${detector} ${phase} ${at > 5 ? 'late' : 'early'}`, at]),
    );
    const near = (what: string, at: number) =>
      assert.ok(Math.abs((times.get(what) ?? -1) - at) <= 0.4, `${what}: ${times.get(what)} and not ${at}`);
    near('black begun early', 2.1);
    near('black over early', 4.1);
    near('freeze begun early', 2.1);
    near('freeze begun late', 6.1);
    near('freeze over late', 9.1);
    assert.deepEqual(states, ['live']);
    await sink.close();
  },
);

test('motion and cuts are told with what they were judged by', async () => {
  const { sink, found, told } = someSink({ motion: { minDifference: 2, quietMs: 600 }, scene: { threshold: 15 } });
  show(sink, 'h264', 60, (n) => {
    if (n >= 40) return black();
    return numberedPicture(size.width, size.height, n < 20 ? 0 : (n * 9) & 255);
  });
  const [begun, ...rest] = shown(found).filter(([detector]) => detector === 'motion');
  assert.equal(begun?.[1], 'begun');
  assert.ok(Math.abs((begun?.[2] ?? 0) - 2.1) <= 0.4, JSON.stringify(begun));
  assert.deepEqual(rest.at(-1)?.[1], 'over');
  const cut = found.findLast(({ detector }) => detector === 'scene');
  assert.ok(
    cut && (cut.values.score ?? 0) > 15 && Math.abs((cut.atMs - startMs) / 1_000 - 4.1) <= 0.4,
    JSON.stringify(cut),
  );
  assert.equal(told.levels.motion, 0);
  await sink.close();
});

test('silence and loudness are told, and levels are measured', async () => {
  const { sink, found, told } = someSink({
    silence: { minDurationMs: 1_000, levelDb: -50 },
    loudness: { maxLufs: -12 },
  });
  using encoder = new OpusEncoder({ channels: 2, bitrateBps: 96_000 });
  sink.describe([soundStreams.opus]);
  for (let n = 0; n < 500; n++) {
    vi.advanceTimersByTime(20);
    const isSilent = n >= 200 && n < 350;
    const of = { frequencyHz: 1_000, sampleRateHz: 48_000, channels: 2, samples: 960, firstSample: n * 960 };
    const samples = isSilent ? new Int16Array(1_920) : tone(of);
    encoder.push(samples, n * 20_000, (data, ptsUs) => {
      sink.write({ kind: 'audio', ptsUs, dtsUs: ptsUs, durationUs: 20_000, isKey: true, data });
    });
  }
  const of = (name: string) => shown(found).filter(([detector]) => detector === name);
  const silence = of('silence');
  assert.deepEqual(
    silence.map(([, phase]) => phase),
    ['begun', 'over'],
  );
  for (const [place, at] of [4, 7].entries())
    assert.ok(Math.abs((silence[place]?.[2] ?? -1) - at) <= 0.4, JSON.stringify(silence));
  assert.equal(of('loudness')[0]?.[1], 'begun');
  // A sine at half of full scale in both channels.
  const { momentaryLufs = 0 } = told.levels;
  assert.ok(momentaryLufs > -9 && momentaryLufs < -4, String(momentaryLufs));
  await sink.close();
});

test('rubbish is no end of it, and nothing is told after it was closed', async () => {
  const { sink, found, states } = someSink({
    black: { minDurationMs: 0, darkness: 0.1, share: 0.98 },
    silence: { minDurationMs: 100, levelDb: -50 },
  });
  sink.describe([{ kind: 'video', codec: 'h264', ...size }, soundStreams.opus]);
  for (let n = 0; n < 20; n++) {
    const data = Uint8Array.from({ length: 200 }, (_, i) => (i * n * 31) & 255);
    for (const kind of ['video', 'audio'] as const)
      sink.write({ kind, ptsUs: n, dtsUs: n, durationUs: 1, isKey: true, data });
  }
  show(sink, 'h264', 10, black);
  assert.deepEqual(
    shown(found.filter(({ detector }) => detector === 'black')).map(([, phase]) => phase),
    ['begun'],
  );
  const before = found.length;
  await sink.close();
  show(sink, 'h264', 3, () => numberedPicture(size.width, size.height, 1));
  assert.deepEqual([found.length, states.includes('failed')], [before, false]);
});
