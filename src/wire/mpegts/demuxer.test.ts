import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SourceUnit } from '#core/media-source.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { encodeClip, type ProbedPacket, probePackets, remuxClip } from '#test/support/ffmpeg-clip.ts';
import { TsDemuxer } from './demuxer.ts';
import { tsPacketBytes } from './packet-reader.ts';
import { crc32 } from './sections.ts';

type AccessUnit = Extract<SourceUnit, { kind: 'access_unit' }>;

const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25'];
const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'];
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25'];

function clipOf(video: readonly string[], audio: readonly string[], seconds = 2): Promise<Buffer> {
  const inputs = [...(video.length ? picture : []), ...(audio.length ? tone : [])];
  return encodeClip(...inputs, ...video, ...audio, '-t', String(seconds), '-f', 'mpegts');
}

/** In pieces that fit nothing, as a socket brings them. */
function demux(clip: Buffer, pieceBytes = 1_000): { sink: CollectingSink; demuxer: TsDemuxer } {
  const sink = new CollectingSink();
  const demuxer = new TsDemuxer(sink);
  for (let at = 0; at < clip.length; at += pieceBytes) demuxer.push(clip.subarray(at, at + pieceBytes));
  demuxer.flush();
  return { sink, demuxer };
}

const unitsOf = (sink: CollectingSink, kind: 'audio' | 'video') => sink.of(kind) as AccessUnit[];
const us = (seconds: string | undefined) => Math.round(Number(seconds) * 1_000_000);
const near = (a: number, b: number) => Math.abs(a - b) <= 12; // ffprobe prints 90 kHz rounded to microseconds

describe('video', () => {
  test.each([
    ['h264', [...x264, '-bf', '0'], 'h264', 'h264'],
    ['h264 with B-frames', [...x264, '-bf', '2'], 'h264', 'h264'],
    ['h265', ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none'], 'h265', 'hevc'],
    ['MPEG-2', ['-c:v', 'mpeg2video', '-bf', '2', '-b:v', '1M'], 'mpeg2', 'mpeg2video'],
    ['MPEG-4', ['-c:v', 'mpeg4', '-b:v', '1M'], 'mpeg4', 'm4v'],
  ] as const)(
    '%s comes out byte for byte, with the times and key frames that ffprobe sees',
    async (_, args, codec, raw) => {
      const clip = await clipOf(args, []);
      const { sink } = demux(clip);
      const packets = await probePackets(clip);
      const units = unitsOf(sink, 'video');
      expect(sink.described).toEqual([{ id: 0, kind: 'video', codec, framing: { kind: 'bare' } }]);
      expect(Buffer.concat(units.map(({ data }) => data)).equals(await remuxClip(clip, '-f', raw))).toBe(true);
      expect(units).toHaveLength(packets.length);
      const isAsProbed = ({ ptsUs, dtsUs, isKey }: AccessUnit, { pts_time, dts_time, flags }: ProbedPacket) =>
        near(ptsUs, us(pts_time)) && near(dtsUs, us(dts_time)) && isKey === flags.startsWith('K');
      expect(units.filter((unit, index) => !isAsProbed(unit, packets[index] as ProbedPacket))).toEqual([]);
    },
  );

  test('a picture is handed out with its own last packet, not with the next picture', async () => {
    const clip = await clipOf([...x264, '-bf', '0'], [], 1);
    const sink = new CollectingSink();
    const demuxer = new TsDemuxer(sink);
    demuxer.push(clip);
    expect(unitsOf(sink, 'video')).toHaveLength(25);
  });
});

describe('audio', () => {
  test.each([
    ['AAC', ['-c:a', 'aac', '-ac', '2'], 'aac', 7],
    ['AAC in LATM', ['-c:a', 'aac', '-ac', '2', '-mpegts_flags', 'latm'], 'aac', undefined],
    ['MP3', ['-c:a', 'libmp3lame', '-ac', '2'], 'mp3', 0],
    ['MP2', ['-c:a', 'mp2', '-ac', '2'], 'mp2', 0],
    ['AC-3', ['-c:a', 'ac3', '-ac', '2'], 'ac3', 0],
    ['AC-3 5.1 at 44.1 kHz', ['-c:a', 'ac3', '-ac', '6', '-ar', '44100'], 'ac3', 0],
    ['E-AC-3', ['-c:a', 'eac3', '-ac', '2'], 'eac3', 0],
    ['Opus', ['-c:a', 'libopus', '-ac', '2'], 'opus', undefined],
  ] as const)('%s comes out frame by frame, with the times that ffprobe sees', async (_, args, codec, headerBytes) => {
    const clip = await clipOf([], args);
    const { sink, demuxer } = demux(clip);
    const packets = await probePackets(clip);
    const units = unitsOf(sink, 'audio');
    const channels = args.includes('6' as never) ? 6 : 2;
    const sampleRateHz = args.includes('44100' as never) ? 44_100 : 48_000;
    expect(sink.described).toHaveLength(1);
    expect(sink.described[0]).toMatchObject({ id: 1, kind: 'audio', codec, channels, sampleRateHz });
    if (headerBytes !== undefined) {
      expect(units.map(({ data }) => data.length)).toEqual(packets.map(({ size }) => Number(size) - headerBytes));
    }
    expect(units.length).toBeGreaterThanOrEqual(packets.length);
    const times = new Set(units.map(({ ptsUs }) => Math.round(ptsUs / 100)));
    const missing = packets.filter(({ pts_time }) => {
      const time = Math.round(us(pts_time) / 100);
      return ![time - 1, time, time + 1].some((one) => times.has(one));
    });
    expect(missing).toEqual([]);
    expect(demuxer.facts).toMatchObject({ damaged: 0, strayBytes: 0, scrambled: 0 });
  });

  test('AAC comes without ADTS, as what an ADTS muxer makes the same file of', async () => {
    const clip = await clipOf([], ['-c:a', 'aac', '-ac', '1']);
    const adts = await remuxClip(clip, '-f', 'adts');
    const frames: Buffer[] = [];
    for (let at = 0; at < adts.length; ) {
      const end = at + ((adts.readUIntBE(at + 3, 3) >> 5) & 0x1fff);
      frames.push(adts.subarray(at + 7, end));
      at = end;
    }
    const { sink } = demux(clip);
    expect(Buffer.concat(unitsOf(sink, 'audio').map(({ data }) => data)).equals(Buffer.concat(frames))).toBe(true);
    expect(sink.stream('audio')?.config?.toString()).toBe(Buffer.from([0x11, 0x88]).toString()); // LC, 48 kHz, mono
  });

  test('LATM frames are those of the same encoder in ADTS', async () => {
    const encode = (...args: string[]) =>
      encodeClip(...tone, '-c:a', 'aac', '-flags', '+bitexact', '-t', '1', '-f', 'mpegts', ...args);
    const [latm, adts] = [demux(await encode('-mpegts_flags', 'latm')), demux(await encode())];
    const bytesOf = ({ sink }: typeof latm) =>
      unitsOf(sink, 'audio').map(({ data }) => Buffer.from(data).toString('hex'));
    expect(bytesOf(latm)).toEqual(bytesOf(adts));
    expect(latm.sink.stream('audio')?.config?.subarray(0, 2)).toEqual(adts.sink.stream('audio')?.config);
  });
});

describe('the byte stream', () => {
  test('may begin in the middle of a packet, come in pieces of any size, and have rubbish in it', async () => {
    const clip = await clipOf([...x264, '-bf', '0'], ['-c:a', 'aac'], 1);
    const whole = demux(clip, clip.length);
    const rubbish = Buffer.alloc(500, 0x47);
    for (const pieceBytes of [1, 7, 188, 1_316, 100_000]) {
      const { sink } = demux(Buffer.concat([rubbish, clip]), pieceBytes);
      expect(sink.units).toEqual(whole.sink.units);
    }
  });

  test('a lost packet costs the picture it was of, and no other', async () => {
    const clip = await clipOf([...x264, '-bf', '0'], [], 2);
    const at = 200 * tsPacketBytes;
    const { sink, demuxer } = demux(Buffer.concat([clip.subarray(0, at), clip.subarray(at + tsPacketBytes)]));
    const lost = demux(clip).sink.units.length - sink.units.length;
    expect(lost).toBeGreaterThanOrEqual(1);
    expect(lost).toBeLessThanOrEqual(2);
    expect(demuxer.facts.damaged).toBeGreaterThan(0);
  });

  test('encrypted packets are counted and not read', async () => {
    const clip = await clipOf([...x264], [], 1);
    const tables = new Set([0, 17, 4_096]);
    for (let at = 0; at < clip.length; at += tsPacketBytes) {
      if (!tables.has(clip.readUInt16BE(at + 1) & 0x1fff)) clip[at + 3] = (clip[at + 3] ?? 0) | 0x80;
    }
    const { sink, demuxer } = demux(clip);
    expect(sink.units).toEqual([]);
    expect(demuxer.facts.scrambled).toBeGreaterThan(10);
  });

  test('whatever bytes come, nothing is thrown and little is kept', async () => {
    const clip = await clipOf([...x264, '-bf', '2'], ['-c:a', 'aac'], 1);
    const damage = fc.array(fc.record({ at: fc.nat(clip.length - 1), byte: fc.nat(255) }), { maxLength: 400 });
    fc.assert(
      fc.property(damage, fc.integer({ min: 1, max: 5_000 }), (changes, pieceBytes) => {
        const damaged = Buffer.from(clip);
        for (const { at, byte } of changes) damaged[at] = byte;
        const { sink } = demux(damaged, pieceBytes);
        expect(sink.units.every((unit) => unit.data.length > 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4_000 }), (bytes) => {
        demux(Buffer.from(bytes), 333);
      }),
    );
  });

  test('frames of every audio syntax may be garbage', async () => {
    const kinds: readonly (readonly string[])[] = [
      ['-c:a', 'aac'],
      ['-c:a', 'aac', '-mpegts_flags', 'latm'],
      ['-c:a', 'ac3'],
      ['-c:a', 'eac3'],
      ['-c:a', 'libopus'],
      ['-c:a', 'mp2'],
    ];
    for (const args of kinds) {
      const clip = await clipOf([], args, 1);
      fc.assert(
        fc.property(fc.infiniteStream(fc.nat(255)), fc.integer({ min: 2, max: 40 }), (bytes, every) => {
          const damaged = Buffer.from(clip);
          // Payloads only, so that all of it reaches the frames.
          for (let at = 0; at < damaged.length; at++) {
            if (at % tsPacketBytes > 30 && at % every === 0) damaged[at] = bytes.next().value ?? 0;
          }
          demux(damaged);
        }),
        { numRuns: 20 },
      );
    }
  });
});

describe('time', () => {
  test('goes on past the wrap of its 33 bits', async () => {
    const nearWrap = String(2 ** 33 / 90_000 - 1);
    const clip = await encodeClip(
      ...[...picture, ...x264, '-bf', '0', '-t', '3', '-output_ts_offset', nearWrap, '-muxdelay', '0', '-f', 'mpegts'],
    );
    const times = unitsOf(demux(clip).sink, 'video').map(({ dtsUs }) => dtsUs);
    expect(times).toHaveLength(75);
    expect(times.slice(1).every((time, index) => near(time - (times[index] ?? 0), 40_000))).toBe(true);
  });

  test('goes on where another recording is spliced on, announced or not', async () => {
    const [first, second] = [
      await clipOf([...x264, '-bf', '0'], ['-c:a', 'aac'], 1),
      await encodeClip(...picture, ...tone, ...x264, '-t', '1', '-output_ts_offset', '7200', '-f', 'mpegts'),
    ];
    for (const isAnnounced of [true, false]) {
      const sink = new CollectingSink();
      const demuxer = new TsDemuxer(sink);
      demuxer.push(first);
      if (isAnnounced) demuxer.discontinuity();
      demuxer.push(second);
      demuxer.flush();
      for (const kind of ['audio', 'video'] as const) {
        const times = unitsOf(sink, kind).map(({ dtsUs }) => dtsUs);
        const steps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
        expect(Math.max(...steps)).toBeLessThan(500_000);
        expect(Math.min(...steps)).toBeGreaterThan(-300_000);
      }
    }
  });
});

test('a section is known by its checksum', () => {
  // The PAT that FFmpeg writes: one program, map on PID 4096.
  const section = Buffer.from('00b00d0001c100000001f0002ab104b2', 'hex');
  expect(crc32(section)).toBe(0);
  section[9] = 2;
  expect(crc32(section)).not.toBe(0);
});
