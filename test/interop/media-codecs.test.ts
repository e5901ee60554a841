// Every codec of the transcoder, as another FFmpeg (Debian's) encodes and packetises it.
import { afterEach, expect, test } from 'vitest';
import type { AudioCodec, SourceStream, VideoCodec } from '#core/media-source.ts';
import { AudioDecoder } from '#media/av/audio-decoder.ts';
import { OpusEncoder } from '#media/av/audio-encoder.ts';
import { measureFrequency, numberedPicture, readNumber } from '#media/av/test-signals.ts';
import { VideoDecoder } from '#media/av/video-decoder.ts';
import type { AccessUnit } from '#media/pipelines/ingress-stream.ts';
import { RtpSourceClock } from '#media/pipelines/rtp-source-clock.ts';
import { RtpUnpacker, withSdpConfig } from '#media/pipelines/rtp-unpacker.ts';
import { VideoTranscoder } from '#media/pipelines/video-transcoder.ts';
import { parseRtp, type RtpPacket } from '#media/rtp/packet.ts';
import { TimestampUnwrapper } from '#media/rtp/sequence.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { encodeClip } from '#test/support/ffmpeg-clip.ts';
import { RtpEncoder } from '#test/support/rtp-encoder.ts';
import { TsDemuxer } from '#wire/mpegts/demuxer.ts';

const encoders: RtpEncoder[] = [];

afterEach(() => {
  for (const encoder of encoders.splice(0)) encoder.close();
});

async function start(input: readonly string[], output: readonly string[]): Promise<RtpEncoder> {
  const encoder = await RtpEncoder.start({ input, output });
  encoders.push(encoder);
  return encoder;
}

const size = { width: 320, height: 192 };
const pictureCount = 60;

/** I420 as ffmpeg reads it, without padding. */
function rawPictures(): Buffer {
  const frames: Buffer[] = [];
  for (let n = 0; n < pictureCount; n++) {
    using picture = numberedPicture(size.width, size.height, n);
    const { planes, strides } = picture;
    [size.height, size.height / 2, size.height / 2].forEach((rows, plane) => {
      const width = plane === 0 ? size.width : size.width / 2;
      const stride = strides[plane] ?? 0;
      for (let row = 0; row < rows; row++) {
        frames.push(Buffer.from(planes[plane]?.subarray(row * stride, row * stride + width) ?? []));
      }
    });
  }
  return Buffer.concat(frames);
}

async function unpack(
  encoder: RtpEncoder,
  described: SourceStream,
  onUnit: (unit: AccessUnit) => void,
): Promise<SourceStream> {
  const stream = withSdpConfig(described);
  const unpacker = new RtpUnpacker(stream, new RtpSourceClock());
  const ticks = new TimestampUnwrapper();
  let nowUs = 0;
  for (let packet = await encoder.next(); packet; packet = await encoder.next()) {
    // As if each came when it is due: sound is sent here as fast as it is made.
    const { timestamp } = parseRtp(packet) as RtpPacket;
    nowUs = Math.max(nowUs, (ticks.unwrap(timestamp) * 1e6) / (stream.rtp?.clockRateHz ?? 90_000));
    unpacker.push(packet, nowUs, onUnit);
  }
  expect(unpacker.packetsLost).toBe(0);
  return stream;
}

const rawInput = [
  '-re',
  '-f',
  'rawvideo',
  '-pix_fmt',
  'yuv420p',
  '-s',
  `${size.width}x${size.height}`,
  '-r',
  '30',
  '-i',
  'pipe:0',
];

test.each<[string, VideoCodec, 'h264' | 'vp8', string]>([
  ['H264 with B-frames', 'h264', 'h264', '-c:v libx264 -preset veryfast -bf 3 -g 30'],
  ['H264 4:2:2', 'h264', 'vp8', '-c:v libx264 -preset veryfast -pix_fmt yuv422p -profile:v high422'],
  ['H265', 'h265', 'h264', '-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=30'],
  ['H265 to VP8', 'h265', 'vp8', '-c:v libx265 -preset ultrafast -x265-params log-level=none:bframes=0'],
  ['VP8', 'vp8', 'h264', '-c:v libvpx -deadline realtime -b:v 800k'],
  ['VP9', 'vp9', 'h264', '-strict -2 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 800k'],
  ['MPEG-4 part 2', 'mpeg4', 'h264', '-c:v mpeg4 -q:v 4'],
  ['MJPEG', 'mjpeg', 'h264', '-c:v mjpeg -q:v 4 -huffman default -pix_fmt yuvj420p'],
])('%s is transcoded picture by picture', async (_title, codec, to, output) => {
  const encoder = await start(rawInput, output.split(' '));
  encoder.input.end(rawPictures());
  const format = await encoder.format();
  let transcoder: VideoTranscoder | undefined;
  using decoder = new VideoDecoder({ codec: to });
  const numbers: number[] = [];
  const described: SourceStream = { id: 0, kind: 'video', codec, framing: { kind: 'rtp' }, rtp: format };
  const config =
    codec === 'h264' || codec === 'h265' || codec === 'mpeg4' ? withSdpConfig(described).config : undefined;
  await unpack(encoder, described, (unit) => {
    transcoder ??= new VideoTranscoder({ from: codec, to, config, bitrateBps: 1_500_000 });
    transcoder.transcode(unit.data, unit.ptsUs, ({ data, ptsUs }) => {
      decoder.decode(data, ptsUs, (picture) => numbers.push(readNumber(picture)));
    });
  });
  expect(transcoder?.corruptUnits).toBe(0);
  transcoder?.[Symbol.dispose]();
  decoder.flush((picture) => numbers.push(readNumber(picture)));
  // What the decoder holds back for reordering at the end is not flushed: a live stream has no end.
  expect(numbers.length).toBeGreaterThanOrEqual(pictureCount - 20);
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => (numbers[0] ?? 0) + n));
});

test.each<[string, AudioCodec, string]>([
  ['AAC', 'aac', '-c:a aac -ar 44100 -ac 2'],
  ['Opus', 'opus', '-c:a libopus -ac 2'],
  ['PCMU', 'pcmu', '-c:a pcm_mulaw -ar 8000 -ac 1'],
  ['PCMA', 'pcma', '-c:a pcm_alaw -ar 8000 -ac 1'],
  ['G.722', 'g722', '-c:a g722 -ar 16000 -ac 1'],
  ['G.726 at 32 kbit/s', 'g726', '-c:a g726le -b:a 32k -ar 8000 -ac 1'],
  ['G.726 with its codes in the order of AAL2', 'g726', '-c:a g726 -b:a 32k -ar 8000 -ac 1'],
  ['L16', 'l16', '-c:a pcm_s16be -ar 44100 -ac 2'],
  ['Speex', 'speex', '-c:a libspeex -ar 16000 -ac 1'],
])('%s becomes Opus with its tone', async (_title, codec, args) => {
  const encoder = await start(['-f', 'lavfi', '-i', 'sine=frequency=440:duration=2'], args.split(' '));
  const rtp = await encoder.format();
  const described: SourceStream = { id: 0, kind: 'audio', codec, framing: { kind: 'rtp' }, rtp };
  const { config, channels } = withSdpConfig(described);
  using opus = new OpusEncoder({ channels: 1, bitrateBps: 64_000 });
  const bitsPerSample = codec === 'g726' ? 4 : undefined;
  const isAal2 = /^AAL2-/.test(rtp.encodingName);
  const sampleRateHz = codec === 'g722' ? 16_000 : rtp.clockRateHz;
  const output = opus.shape;
  using decoder = new AudioDecoder({ codec, config, sampleRateHz, channels, bitsPerSample, isAal2, output });
  using ear = new AudioDecoder({ codec: 'opus', output: { sampleRateHz: 48_000, channels: 1 } });
  const heard: number[] = [];
  await unpack(encoder, described, (unit) => {
    decoder.decode(unit.data, unit.ptsUs, (samples, ptsUs) => {
      opus.push(samples, ptsUs, (data, framePtsUs) => ear.decode(data, framePtsUs, (out) => heard.push(...out)));
    });
  });
  expect(heard.length / 48_000).toBeGreaterThan(1.7);
  const middle = Int16Array.from(heard.slice(9_600, -9_600));
  expect(Math.abs(measureFrequency(middle, 1, 48_000) - 440)).toBeLessThan(3);
});

/** One recording in MPEG-TS, as a broadcaster, an SRT encoder or HLS brings it, and its first stream of a kind. */
async function fromTs(args: string, kind: 'audio' | 'video'): Promise<{ stream: SourceStream; units: AccessUnit[] }> {
  const sink = new CollectingSink();
  const demuxer = new TsDemuxer(sink);
  demuxer.push(await encodeClip(...args.split(' '), '-f', 'mpegts'));
  demuxer.flush();
  return { stream: sink.stream(kind) as SourceStream, units: sink.of(kind) as AccessUnit[] };
}

test.each<[string, AudioCodec, string]>([
  ['AAC', 'aac', '-c:a aac -ac 2'],
  ['AAC in LATM', 'aac', '-c:a aac -ac 2 -mpegts_flags latm'],
  ['AC-3 5.1', 'ac3', '-c:a ac3 -ac 6'],
  ['E-AC-3', 'eac3', '-c:a eac3 -ac 2'],
  ['MP3', 'mp3', '-c:a libmp3lame -ac 2'],
  ['MP2', 'mp2', '-c:a mp2 -ac 2'],
  ['Opus', 'opus', '-c:a libopus -ac 2'],
])('%s out of MPEG-TS becomes Opus with its tone', async (_title, codec, output) => {
  const { stream, units } = await fromTs(
    `-f lavfi -i sine=frequency=440:sample_rate=48000:duration=2 ${output}`,
    'audio',
  );
  expect(stream.codec).toBe(codec);
  const { config, sampleRateHz, channels } = stream;
  using opus = new OpusEncoder({ channels: 1, bitrateBps: 64_000 });
  using decoder = new AudioDecoder({ codec, config, sampleRateHz, channels, output: opus.shape });
  using ear = new AudioDecoder({ codec: 'opus', output: { sampleRateHz: 48_000, channels: 1 } });
  const heard: number[] = [];
  for (const unit of units) {
    decoder.decode(unit.data, unit.ptsUs, (samples, ptsUs) => {
      opus.push(samples, ptsUs, (data, framePtsUs) => ear.decode(data, framePtsUs, (out) => heard.push(...out)));
    });
  }
  expect(heard.length / 48_000).toBeGreaterThan(1.7);
  const middle = Int16Array.from(heard.slice(9_600, -9_600));
  expect(Math.abs(measureFrequency(middle, 1, 48_000) - 440)).toBeLessThan(3);
});

test.each<[string, VideoCodec, 'h264' | 'vp8', string]>([
  ['MPEG-2', 'mpeg2', 'h264', '-c:v mpeg2video -q:v 3 -bf 2'],
  ['MPEG-4', 'mpeg4', 'vp8', '-c:v mpeg4 -q:v 3'],
  ['interlaced H264', 'h264', 'h264', '-c:v libx264 -preset veryfast -flags +ildct+ilme -x264opts interlaced=1'],
  ['H264 of 10 bits', 'h264', 'vp8', '-c:v libx264 -preset veryfast -pix_fmt yuv420p10le'],
  [
    'H265 of 10 bits',
    'h265',
    'h264',
    '-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params log-level=none',
  ],
])('%s out of MPEG-TS is transcoded, green and red where they were', async (_title, codec, to, output) => {
  const halves = 'color=0x00ff00:size=320x192:rate=25:duration=2,drawbox=x=160:y=0:w=160:h=192:c=red:t=fill';
  const { stream, units } = await fromTs(`-f lavfi -i ${halves} ${output}`, 'video');
  expect(stream.codec).toBe(codec);
  using transcoder = new VideoTranscoder({ from: codec, to, bitrateBps: 1_500_000 });
  using decoder = new VideoDecoder({ codec: to });
  const colours: string[] = [];
  for (const unit of units) {
    transcoder.transcode(unit.data, unit.ptsUs, ({ data, ptsUs }) => {
      decoder.decode(data, ptsUs, ({ planes, strides }) => {
        const at = (plane: number, x: number) => planes[plane]?.[40 * (strides[plane] ?? 0) + x] ?? 0;
        // U and V: both low is green, high V is red.
        colours.push([at(1, 40) < 90 && at(2, 40) < 90, at(1, 120) < 110 && at(2, 120) > 200].join());
      });
    });
  }
  expect(transcoder.corruptUnits).toBe(0);
  expect(colours.length).toBeGreaterThan(25);
  expect(new Set(colours)).toEqual(new Set(['true,true']));
});
