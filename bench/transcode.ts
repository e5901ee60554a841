// Owns: what transcoding costs here, against Debian's ffmpeg doing the same with the same settings in the same run.
// Prints CPU milliseconds per second of media and their ratio: of the medians, and of the least of each, which says more on
// a machine that has other work, as that takes caches from one of the two at a time. May import: media/{av,pipelines,rtp}.
//
//   node scripts/run.mjs node bench/transcode.ts [seconds of media, default 10] [rounds, default 3] [part of a title, default all]
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VideoCodec } from '#core/media-source.ts';
import { AudioDecoder } from '#media/av/audio-decoder.ts';
import { OpusEncoder } from '#media/av/audio-encoder.ts';
import { VideoTranscoder } from '#media/pipelines/video-transcoder.ts';
import { cpuMsOf, type PictureFormat, unitsOf } from './ffmpeg-peer.ts';

const seconds = Number(process.argv[2] ?? 10);
const rounds = Number(process.argv[3] ?? 3);
const wanted = process.argv[4] ?? '';
const bitrateBps = 1_500_000;
const framerateHz = 30;
/** The CPU time of another program is known in ticks of 10 ms, and sound is made in a few. */
const audioFactor = 10;

interface VideoCase {
  readonly kind: 'video';
  readonly title: string;
  readonly from: VideoCodec;
  readonly to: 'h264' | 'vp8';
  /** How the input is made. */
  readonly make: string;
  readonly format: PictureFormat;
}

interface AudioCase {
  readonly kind: 'audio';
  readonly title: string;
  readonly from: 'aac' | 'ac3' | 'eac3' | 'mp3';
  readonly make: string;
}

const cases: readonly (VideoCase | AudioCase)[] = [
  {
    kind: 'video',
    title: 'H264 with 3 B-frames > H264',
    from: 'h264',
    to: 'h264',
    make: '-c:v libx264 -preset veryfast -bf 3',
    format: 'h264',
  },
  {
    kind: 'video',
    title: 'H264 with 3 B-frames > VP8',
    from: 'h264',
    to: 'vp8',
    make: '-c:v libx264 -preset veryfast -bf 3',
    format: 'h264',
  },
  {
    kind: 'video',
    title: 'H265 > H264',
    from: 'h265',
    to: 'h264',
    make: '-c:v libx265 -preset veryfast -x265-params log-level=none',
    format: 'hevc',
  },
  {
    kind: 'video',
    title: 'VP8 > H264',
    from: 'vp8',
    to: 'h264',
    make: '-c:v libvpx -deadline realtime -cpu-used 8',
    format: 'ivf',
  },
  {
    kind: 'video',
    title: 'VP9 > H264',
    from: 'vp9',
    to: 'h264',
    make: '-c:v libvpx-vp9 -deadline realtime -cpu-used 8',
    format: 'ivf',
  },
  {
    kind: 'video',
    title: 'AV1 > H264',
    from: 'av1',
    to: 'h264',
    make: '-c:v libsvtav1 -preset 12',
    format: 'ivf',
  },
  { kind: 'video', title: 'MPEG-4 > H264', from: 'mpeg4', to: 'h264', make: '-c:v mpeg4', format: 'm4v' },
  {
    kind: 'video',
    title: 'MJPEG > H264',
    from: 'mjpeg',
    to: 'h264',
    make: '-c:v mjpeg -pix_fmt yuvj420p -q:v 4',
    format: 'mjpeg',
  },
  { kind: 'audio', title: 'AAC > Opus', from: 'aac', make: '-c:a aac -b:a 128k' },
  { kind: 'audio', title: 'AC-3 > Opus', from: 'ac3', make: '-c:a ac3 -b:a 192k' },
  { kind: 'audio', title: 'E-AC-3 > Opus', from: 'eac3', make: '-c:a eac3 -b:a 192k' },
  { kind: 'audio', title: 'MP3 > Opus', from: 'mp3', make: '-c:a libmp3lame -b:a 128k -write_xing 0 -id3v2_version 0' },
];

/** The same encoder settings as media/av/video-encoder.ts and audio-encoder.ts. */
const rate = `-b:v ${bitrateBps} -maxrate ${bitrateBps} -bufsize ${bitrateBps / 2}`;
const cliOutputs = {
  h264: `-pix_fmt yuv420p -c:v libx264 -preset superfast -tune zerolatency -profile:v baseline -g 100000 ${rate}`,
  vp8: `-c:v libvpx -deadline realtime -cpu-used -12 -lag-in-frames 0 -error-resilient 1 -g 100000 ${rate}`,
  opus: '-c:a libopus -application audio -compression_level 5 -frame_duration 20 -b:a 96k -ar 48000',
};

const audioFormats = {
  // AAC is bare, as RTMP and RTP bring it; the demuxer of ADTS is called otherwise than its muxer.
  aac: { muxer: 'adts', demuxer: 'aac', frameSamples: 1_024, frameBytes: undefined },
  // 192 kbit/s at 48 kHz: 384 words of 16 bits.
  ac3: { muxer: 'ac3', demuxer: 'ac3', frameSamples: 1_536, frameBytes: 768 },
  eac3: { muxer: 'eac3', demuxer: 'eac3', frameSamples: 1_536, frameBytes: 768 },
  // 128 kbit/s.
  mp3: { muxer: 'mp3', demuxer: 'mp3', frameSamples: 1_152, frameBytes: 384 },
} as const;

function framesOf(data: Buffer, codec: AudioCase['from']): Buffer[] {
  const frames: Buffer[] = [];
  for (let offset = 0; offset + 7 <= data.length; ) {
    const length = audioFormats[codec].frameBytes ?? (data.readUInt32BE(offset + 2) >> 5) & 0x1fff;
    if (length < 7) break;
    frames.push(data.subarray(offset + (codec === 'aac' ? 7 : 0), offset + length));
    offset += length;
  }
  return frames;
}

function ours(work: () => number): { cpuMs: number; count: number } {
  const before = process.cpuUsage();
  const count = work();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1_000, count };
}

function transcodeVideo({ from, to }: VideoCase, units: readonly Buffer[]): number {
  using transcoder = new VideoTranscoder({ from, to, bitrateBps, framerateHz, preset: 'superfast' });
  let count = 0;
  units.forEach((unit, index) => {
    // Reordered pictures come with the times of their turn from a real source; here their order is all that matters.
    transcoder.transcode(unit, (index * 1e6) / framerateHz, () => {
      count += 1;
    });
  });
  return count;
}

function transcodeAudio({ from }: AudioCase, frames: readonly Buffer[]): number {
  using opus = new OpusEncoder({ channels: 2, bitrateBps: 96_000 });
  const config = from === 'aac' ? Buffer.from([0x11, 0x90]) : undefined;
  using decoder = new AudioDecoder({ codec: from, config, sampleRateHz: 48_000, channels: 2, output: opus.shape });
  const { frameSamples } = audioFormats[from];
  let count = 0;
  frames.forEach((frame, index) => {
    decoder.decode(frame, (index * frameSamples * 1e6) / 48_000, (samples, ptsUs) => {
      opus.push(samples, ptsUs, () => {
        count += 1;
      });
    });
  });
  return count;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function run(one: VideoCase | AudioCase, folder: string): Promise<void> {
  const mediaSeconds = one.kind === 'video' ? seconds : seconds * audioFactor;
  const source =
    one.kind === 'video'
      ? `-f lavfi -i testsrc2=size=1280x720:rate=${framerateHz},noise=alls=6:allf=t -t ${mediaSeconds} -pix_fmt yuv420p -b:v 2500k`
      : `-f lavfi -i anoisesrc=color=pink:sample_rate=48000 -t ${mediaSeconds} -ac 2`;
  const format = one.kind === 'video' ? one.format : audioFormats[one.from].muxer;
  const input = join(folder, `in.${format}`);
  await cpuMsOf([...source.split(' '), ...one.make.split(' '), '-f', format, input]);
  const data = await readFile(input);
  const output = one.kind === 'video' ? cliOutputs[one.to] : cliOutputs.opus;
  const demuxer = one.kind === 'video' ? one.format : audioFormats[one.from].demuxer;
  const cliArgs = [
    '-threads',
    '1',
    '-f',
    demuxer,
    '-i',
    input,
    ...output.split(' '),
    '-threads',
    '1',
    '-f',
    'null',
    '-',
  ];
  const idleArgs = ['-f', 'lavfi', '-i', 'anullsrc', '-t', '0.001', '-f', 'null', '-'];
  const units = one.kind === 'video' ? unitsOf(data, one.format) : framesOf(data, one.from);
  const oursMs: number[] = [];
  const cliMs: number[] = [];
  const idleMs: number[] = [];
  const work = () => (one.kind === 'video' ? transcodeVideo(one, units) : transcodeAudio(one, units));
  // Not counted, as the start of the other is not: in it the code is compiled.
  let count = work();
  for (let round = 0; round < rounds; round++) {
    const result = ours(work);
    oursMs.push(result.cpuMs);
    count = result.count;
    cliMs.push(await cpuMsOf(cliArgs));
    idleMs.push(await cpuMsOf(idleArgs));
  }
  const [mine, theirs] = [median(oursMs), median(cliMs) - median(idleMs)].map((ms) => ms / mediaSeconds) as [
    number,
    number,
  ];
  const cells = [
    one.title.padEnd(30),
    mine.toFixed(1).padStart(8),
    theirs.toFixed(1).padStart(8),
    (mine / theirs).toFixed(2).padStart(7),
    (Math.min(...oursMs) / (Math.min(...cliMs) - Math.min(...idleMs))).toFixed(2).padStart(7),
  ];
  console.log(`${cells.join(' ')}   ${count} frames`);
}

const folder = await mkdtemp(join(tmpdir(), 'switchyard-bench-'));
try {
  console.log(
    `CPU milliseconds per second of media, one thread, median of ${rounds}; 720p30, ${bitrateBps / 1_000} kbit/s`,
  );
  console.log(
    `${''.padEnd(30)} ${'ours'.padStart(8)} ${'ffmpeg'.padStart(8)} ${'ratio'.padStart(7)} ${'least'.padStart(7)}`,
  );
  for (const one of cases.filter(({ title }) => title.includes(wanted))) await run(one, folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
