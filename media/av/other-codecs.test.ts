// Codecs that no RTP or RTMP peer of the other tests sends: encoded here, by FFmpeg's own encoders.
import { randomFillSync } from 'node:crypto';
import { AV_PIX_FMT_NV12, AV_SAMPLE_FMT_S16, type AVSampleFormat } from 'node-av/constants';
import { expect, test } from 'vitest';
import { AudioDecoder } from './audio-decoder.ts';
import { EncoderInput } from './encoder-input.ts';
import { assertOk, av, findEncoder, openCodec } from './library.ts';
import { Picture } from './picture.ts';
import { defaultLayout } from './resampler.ts';
import { measureFrequency, numberedPicture, readNumber } from './test-signals.ts';
import { VideoDecoder } from './video-decoder.ts';
import { VideoEncoder } from './video-encoder.ts';

function encodeTone(name: string): { packets: Buffer[]; config: Buffer | undefined } {
  const codec = findEncoder(name);
  if (!codec) throw new Error(`no encoder ${name}`);
  using context = new av.CodecContext();
  context.allocContext3(codec);
  const formats: readonly AVSampleFormat[] = codec.sampleFormats ?? [];
  // Some want 32-bit integers first, which nothing below writes.
  const format = formats.find((one) => /^(flt|s16)p?$/.test(av.avGetSampleFmtName(one) ?? '')) ?? AV_SAMPLE_FMT_S16;
  context.sampleRate = 48_000;
  context.sampleFormat = format;
  context.channelLayout = defaultLayout(2);
  context.timeBase = new av.Rational(1, 48_000);
  context.bitRate = 192_000n;
  assertOk(context.open2Sync(codec, null), 'opening');
  using frame = new av.Frame();
  using packet = new av.Packet();
  frame.alloc();
  packet.alloc();
  Object.assign(frame, { format, sampleRate: 48_000, channelLayout: defaultLayout(2), nbSamples: context.frameSize });
  assertOk(frame.getBuffer(0), 'memory');
  const isPlanar = av.avSampleFmtIsPlanar(format);
  const isFloat = /flt/.test(av.avGetSampleFmtName(format) ?? '');
  const packets: Buffer[] = [];
  const receive = () => {
    while (context.receivePacketSync(packet) >= 0) {
      packets.push(Buffer.from(packet.data ?? []));
      packet.unref();
    }
  };
  for (let start = 0; start < 72_000; start += frame.nbSamples) {
    assertOk(frame.makeWritable(), 'memory');
    frame.data?.forEach((plane) => {
      for (let i = 0; i < frame.nbSamples * (isPlanar ? 1 : 2); i++) {
        const value = 0.5 * Math.sin((2 * Math.PI * 440 * (start + (isPlanar ? i : i >> 1))) / 48_000);
        if (isFloat) plane.writeFloatLE(value, i * 4);
        else plane.writeInt16LE(Math.round(value * 32_767), i * 2);
      }
    });
    frame.pts = BigInt(start);
    assertOk(context.sendFrameSync(frame), 'encoding');
    receive();
  }
  const { extraData } = context;
  return { packets, config: extraData ? Buffer.from(extraData) : undefined };
}

test.each([
  ['ac3', 'ac3'],
  ['eac3', 'eac3'],
  ['mp3', 'libmp3lame'],
  ['flac', 'flac'],
  ['aac', 'aac'],
] as const)('%s is decoded to its tone', (codec, encoder) => {
  const { packets, config } = encodeTone(encoder);
  using decoder = new AudioDecoder({
    codec,
    config,
    sampleRateHz: 48_000,
    channels: 2,
    output: { sampleRateHz: 48_000, channels: 1 },
  });
  const heard: number[] = [];
  for (const data of packets) decoder.decode(data, 0, (samples) => heard.push(...samples));
  expect(decoder.corruptPackets).toBe(0);
  expect(Math.abs(measureFrequency(Int16Array.from(heard.slice(9_600, 57_600)), 1, 48_000) - 440)).toBeLessThan(2);
});

test('AV1 is decoded picture by picture', () => {
  const codec = findEncoder('libsvtav1');
  if (!codec) throw new Error('no AV1 encoder');
  using context = new av.CodecContext();
  context.allocContext3(codec);
  Object.assign(context, { width: 320, height: 192, pixelFormat: 0, timeBase: new av.Rational(1, 30), gopSize: 30 });
  context.framerate = new av.Rational(30, 1);
  context.setOption('preset', '12');
  context.setOption('svtav1-params', 'pred-struct=1:lp=1');
  assertOk(context.open2Sync(codec, null), 'opening');
  using packet = new av.Packet();
  packet.alloc();
  using decoder = new VideoDecoder({ codec: 'av1' });
  const numbers: number[] = [];
  const receive = () => {
    while (context.receivePacketSync(packet) >= 0) {
      decoder.decode(Buffer.from(packet.data ?? []), 0, (picture) => numbers.push(readNumber(picture)));
      packet.unref();
    }
  };
  for (let n = 0; n < 30; n++) {
    using picture = numberedPicture(320, 192, n);
    assertOk(context.sendFrameSync(picture.prepareForEncoding(BigInt(n))), 'encoding');
    receive();
  }
  context.sendFrameSync(null);
  receive();
  decoder.flush((picture) => numbers.push(readNumber(picture)));
  expect(numbers).toEqual(Array.from({ length: 30 }, (_, n) => n));
});

test.each(['nvenc', 'qsv', 'vaapi'] as const)(
  '%s is asked for, and software encodes where it is not there',
  (hardware) => {
    using encoder = new VideoEncoder({
      codec: 'h264',
      width: 320,
      height: 180,
      framerateHz: 30,
      bitrateBps: 500_000,
      hardware,
    });
    let count = 0;
    using picture = numberedPicture(320, 180, 1);
    encoder.encode(picture, 0, () => {
      count += 1;
    });
    expect(count).toBe(1);
    expect([`h264_${hardware}`, 'libx264']).toContain(encoder.encoderName);
    // Either it is hardware, or it says what FFmpeg said.
    const isSoftware = encoder.encoderName === 'libx264';
    expect(encoder.softwareReason ?? '').toMatch(
      isSoftware ? new RegExp(`^h264_${hardware} cannot be opened on this machine \\(opening .+: .+\\)$`) : /^$/,
    );
    // As of x264: pictures and requests for key frames go on through whatever became of it.
    encoder.setBitrate(300_000);
    encoder.requestKeyFrame();
    encoder.encode(picture, 40_000, ({ isKey }) => expect(isKey).toBe(true));
  },
);

test('an encoder that wants NV12 gets the same picture, its colours interleaved', () => {
  using input = new EncoderInput('nv12', 320, 180);
  using picture = numberedPicture(320, 180, 173);
  const [, u, v] = picture.planes;
  u?.fill(90);
  v?.fill(200);
  let number: number | undefined;
  let colours: number[] = [];
  input.give(picture, (given) => {
    expect(given.format).toBe(AV_PIX_FMT_NV12);
    number = readNumber(given);
    colours = [...(given.planes[1]?.subarray(0, 4) ?? [])];
  });
  expect(number).toBe(173);
  expect(colours).toEqual([90, 200, 90, 200]);
});

test.each([
  ['cpu-used', '9'],
  ['no-such-option', '1'],
])('a codec is not opened with %s=%s, which it does not take: what it did instead would be anything', (name, value) => {
  const codec = findEncoder('libvpx-vp9');
  if (!codec) throw new Error('no VP9');
  using context = new av.CodecContext();
  context.allocContext3(codec);
  expect(() => openCodec(context, codec, { [name]: value })).toThrow(`option ${name}=${value} of libvpx-vp9`);
});

test.each(['vp8', 'vp9'] as const)('%s is made in real time of pictures that are nothing but grain', (codec) => {
  const spentUs = (made: 'h264' | 'vp8' | 'vp9') => {
    using encoder = new VideoEncoder({ codec: made, width: 320, height: 180, framerateHz: 30, bitrateBps: 400_000 });
    using picture = Picture.blank(320, 180);
    const before = process.threadCpuUsage();
    for (let n = 0; n < 12; n++) {
      for (const plane of picture.planes) randomFillSync(plane);
      encoder.encode(picture, n * 33_333, () => undefined);
    }
    const { user, system } = process.threadCpuUsage(before);
    return user + system;
  };
  expect(spentUs(codec) / spentUs('h264')).toBeLessThan(20);
});
