import { expect, test } from 'vitest';
import { av1Record, parseAv1 } from '#wire/fmp4/av1.ts';
import { numberedPicture, readNumber } from '../av/test-signals.ts';
import { VideoDecoder } from '../av/video-decoder.ts';
import { VideoEncoder } from '../av/video-encoder.ts';
import { toLengthPrefixed } from '../rtp/h264.ts';
import { nalUnitsInBand } from './nal-samples.ts';
import { Recoder } from './recoder.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

const size = { width: 320, height: 180 };
const h264: EgressStream = { kind: 'video', codec: 'h264', config: Uint8Array.of(1), ...size };

/** Pictures with their numbers through H264 and the recoder; asks for a key picture at one of them. */
function recoded(codec: 'h265' | 'av1', count: number, keyAt: number) {
  using encoder = new VideoEncoder({ codec: 'h264', ...size, framerateHz: 30, bitrateBps: 1_000_000 });
  const streams: EgressStream[] = [];
  const units: EgressUnit[] = [];
  const failures: string[] = [];
  using recoder = new Recoder(
    { codec, bitrateBps: 800_000, framerateHz: 30 },
    {
      described: (stream) => streams.push(stream),
      unit: (unit) => units.push(unit),
      failed: (message) => failures.push(message),
    },
  );
  for (let n = 0; n < count; n++) {
    if (n === keyAt) recoder.requestKeyFrame();
    using picture = numberedPicture(size.width, size.height, n);
    encoder.encode(picture, n * 33_333, ({ data, ptsUs, isKey }) =>
      recoder.write({ kind: 'video', ptsUs, dtsUs: ptsUs, durationUs: 33_333, isKey, data }, h264),
    );
  }
  return { streams, units, failures };
}

test.each(['h265', 'av1'] as const)(
  '%s: every picture keeps its number and time, and is decoded by what is described',
  (codec) => {
    const { streams, units, failures } = recoded(codec, 40, 25);
    expect(failures).toEqual([]);
    expect(streams).toHaveLength(1);
    const [stream] = streams;
    expect(stream).toMatchObject({ codec, ...size });
    expect(units.filter(({ isKey }) => isKey).map(({ ptsUs }) => Math.round(ptsUs / 33_333))).toEqual([0, 25]);
    const av1 = codec === 'av1' ? parseAv1(stream?.config ?? new Uint8Array()) : undefined;
    using decoder = new VideoDecoder({ codec, config: av1 ? av1Record(av1) : stream?.config });
    const seen: [number, number][] = [];
    for (const { data, ptsUs } of units) {
      // As MP4 and RTMP have it: without the parameter sets, which the configuration has.
      const bare = codec === 'h265' ? toLengthPrefixed(nalUnitsInBand('h265', data)) : data;
      expect(decoder.decode(bare, ptsUs, (picture, atUs) => seen.push([readNumber(picture), atUs]))).toBe(true);
    }
    decoder.flush((picture, atUs) => seen.push([readNumber(picture), atUs]));
    // An encoder may still hold the last ones.
    expect(seen.length).toBeGreaterThan(34);
    expect(seen).toEqual(seen.map((_, n) => [n, n * 33_333]));
  },
);

test('what cannot be decoded fails once, with a reason, and costs nothing more', () => {
  const failures: string[] = [];
  const none = () => undefined;
  using recoder = new Recoder(
    { codec: 'h265', bitrateBps: 800_000, framerateHz: 30 },
    { described: none, unit: none, failed: (message) => failures.push(message) },
  );
  const unit = {
    kind: 'video',
    ptsUs: 0,
    dtsUs: 0,
    durationUs: 1,
    isKey: true,
    data: Buffer.from('no picture'),
  } as const;
  for (let n = 0; n < 3; n++) recoder.write(unit, { kind: 'video', codec: 'h264', width: 0, height: 0 });
  expect(failures).toHaveLength(1);
});
