// Owns: what composing a room costs here, against Debian's ffmpeg doing the same with xstack in the same run. Prints CPU
// milliseconds per second of video, their ratio, rooms for one core, and how long a picture takes. May import: media.
//
//   node scripts/run.mjs node --external-memory-accounted-in-global-limit --max-semi-space-size=16 bench/compose.ts
//     [seconds of video, default 10] [rounds, default 3] [only cases with this in their title]
//
// The flags are those of media workers.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EncoderRequest, ViewLook } from '#core/view-messages.ts';
import { Compositor } from '#media/mixer/compositor.ts';
import { EncoderRegistry } from '#media/mixer/encoder-registry.ts';
import { cellsFor } from '#media/mixer/layout.ts';
import { splitAnnexB } from '#media/rtp/h264.ts';
import { buildRtp } from '#media/rtp/packet.ts';
import { packetiseH264 } from '#media/rtp/packetise.ts';
import { cpuMsOf, unitsOf } from './ffmpeg-peer.ts';
import { median } from './process-usage.ts';

const seconds = Number(process.argv[2] ?? 10);
const rounds = Number(process.argv[3] ?? 3);
const only = process.argv[4] ?? '';
const framerateHz = 30;
const bitrateBps = 1_600_000;
const canvas = { width: 1_280, height: 720 };

interface Case {
  readonly title: string;
  readonly inputs: number;
  readonly height: 360 | 720;
  /** Inputs that send one picture and no more. */
  readonly still?: number;
  readonly codec: 'h264' | 'vp8';
}

const cases: readonly Case[] = [
  { title: '2x2 from 360p > H264', inputs: 4, height: 360, codec: 'h264' },
  { title: '2x2 from 360p, two still > H264', inputs: 4, height: 360, still: 2, codec: 'h264' },
  { title: '2x2 from 720p > H264', inputs: 4, height: 720, codec: 'h264' },
  { title: '3x3 from 360p > H264', inputs: 9, height: 360, codec: 'h264' },
  { title: '3x3 from 720p > H264', inputs: 9, height: 720, codec: 'h264' },
  { title: '2x2 from 360p > VP8', inputs: 4, height: 360, codec: 'vp8' },
  { title: '4x4 from 360p > VP8', inputs: 16, height: 360, codec: 'vp8' },
  { title: '5x5 from 360p > VP8', inputs: 25, height: 360, codec: 'vp8' },
];

const look: ViewLook = {
  layout: { base: 'fluid', gridSize: 4, custom: [], fitPolicy: 'crop' },
  maxInputs: 25,
  isVoicePrimary: false,
  backgroundColor: '#000000',
  hasLabels: false,
  hasSpeakerBorder: false,
};

/** The same encoder settings as media/av/encoder-candidates.ts. */
const rate = `-b:v ${bitrateBps} -maxrate ${bitrateBps} -bufsize ${bitrateBps / 2}`;
const cliOutputs = {
  h264: `-c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -g 100000 ${rate}`,
  vp8: `-c:v libvpx -deadline realtime -cpu-used -12 -lag-in-frames 0 -error-resilient 1 -g 100000 ${rate}`,
};

/** RTP packets of each frame, as a room sends them. */
function packetsOf(units: readonly Buffer[], ssrc: number): Buffer[][] {
  let sequenceNumber = 0;
  return units.map((unit, index) => {
    const payloads = packetiseH264(splitAnnexB(unit));
    return payloads.map((payload, at) => {
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      const header = {
        payloadType: 96,
        marker: at === payloads.length - 1,
        sequenceNumber,
        timestamp: index * 3_000,
        ssrc,
      };
      return buildRtp(header, payload);
    });
  });
}

function compose({ inputs, still = 0, codec }: Case, units: readonly Buffer[]): { cpuMs: number; ticksMs: number[] } {
  using compositor = new Compositor({ ...canvas, look, onArranged: () => undefined });
  using encoders = new EncoderRegistry();
  const request: EncoderRequest = {
    ...{ codec, profile: 'baseline', ...canvas, framerateHz, bitrateBps, keyFrameIntervalS: 3_600 },
  };
  encoders.tap(request, { onUnit: () => undefined });
  const sources = Array.from({ length: inputs }, (_, index) => {
    const ssrc = index + 1;
    const stream = { ssrc, payloadType: 96, codec: 'h264' as const };
    const info = { inputId: ssrc, name: '', isShared: false, isMuted: false, stream };
    const input = compositor.put(info, { keyFrameWanted: () => undefined, sized: () => undefined });
    return { input, packets: packetsOf(units, ssrc), isStill: index < still };
  });
  const ticksMs: number[] = [];
  const before = process.cpuUsage();
  for (let frame = 0; frame < seconds * framerateHz; frame++) {
    const clockUs = (frame * 1e6) / framerateHz;
    for (const { input, packets, isStill } of sources) {
      if (isStill && frame > 0) continue;
      for (const packet of packets[frame] ?? []) input.receive(packet, clockUs);
    }
    const startMs = performance.now();
    compositor.paint(clockUs / 1_000);
    encoders.encode(compositor.canvas.picture, clockUs, 1e6 / framerateHz, compositor.changed);
    ticksMs.push(performance.now() - startMs);
  }
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1_000, ticksMs };
}

function xstackArgs({ inputs, codec, still = 0 }: Case, file: string, stillFile: string): string[] {
  const cells = cellsFor(look.layout, canvas, inputs, false);
  const files = cells.flatMap((_, index) => {
    const isStill = index < still;
    // The one picture again and again, which costs xstack its scaling and nothing for decoding.
    return [
      '-threads',
      '1',
      ...(isStill
        ? ['-loop', '1', '-framerate', '30', '-i', stillFile]
        : ['-framerate', '30', '-f', 'h264', '-i', file]),
    ];
  });
  const scaled = cells.map(
    ({ width, height }, index) => `[${index}:v]scale=${width}:${height}:flags=fast_bilinear,format=yuv420p[v${index}]`,
  );
  const layout = cells.map(({ x, y }) => `${x}_${y}`).join('|');
  const stack = `${cells.map((_, index) => `[v${index}]`).join('')}xstack=inputs=${inputs}:layout=${layout}`;
  const graph = `${[...scaled, stack].join(';')},pad=${canvas.width}:${canvas.height}`;
  return [
    ...files,
    ...['-filter_complex_threads', '1', '-filter_complex', graph, '-r', '30', '-t', String(seconds)],
    ...[...cliOutputs[codec].split(' '), '-threads', '1', '-f', 'null', '-'],
  ];
}

async function run(one: Case, folder: string): Promise<void> {
  const file = join(folder, `in${one.height}.h264`);
  const stillFile = join(folder, 'still.png');
  const data = await readFile(file);
  const units = unitsOf(data, 'h264');
  const ours: { cpuMs: number; ticksMs: number[] }[] = [];
  const theirsMs: number[] = [];
  const idleArgs = ['-f', 'lavfi', '-i', 'anullsrc', '-t', '0.001', '-f', 'null', '-'];
  for (let round = 0; round < rounds; round++) {
    ours.push(compose(one, units));
    theirsMs.push((await cpuMsOf(xstackArgs(one, file, stillFile))) - (await cpuMsOf(idleArgs)));
  }
  const mine = median(ours.map(({ cpuMs }) => cpuMs)) / seconds;
  const theirs = median(theirsMs) / seconds;
  const ticks = ours.flatMap(({ ticksMs }) => ticksMs).toSorted((a, b) => a - b);
  const at = (share: number) => (ticks[Math.floor(ticks.length * share)] ?? 0).toFixed(1).padStart(6);
  const figures = [mine.toFixed(1), theirs.toFixed(1), (mine / theirs).toFixed(2), (1_000 / mine).toFixed(1)];
  console.log(`${one.title.padEnd(34)} ${figures.map((text) => text.padStart(8)).join(' ')} ${at(0.5)} ${at(0.99)}`);
}

const folder = await mkdtemp(join(tmpdir(), 'switchyard-bench-'));
try {
  for (const [height, size, kbps] of [
    [360, '640x360', 700],
    [720, '1280x720', 2_000],
  ] as const) {
    const source = `-f lavfi -i testsrc2=size=${size}:rate=${framerateHz},noise=alls=4:allf=t -t ${seconds} -pix_fmt yuv420p`;
    const encoder = `-c:v libx264 -preset veryfast -profile:v baseline -bf 0 -g 60 -b:v ${kbps}k -f h264`;
    await cpuMsOf([...source.split(' '), ...encoder.split(' '), join(folder, `in${height}.h264`)]);
  }
  await cpuMsOf([...'-f lavfi -i testsrc2=size=640x360 -frames:v 1'.split(' '), join(folder, 'still.png')]);
  console.log(`720p30, ${bitrateBps / 1_000} kbit/s, one thread, median of ${rounds}: CPU ms per second of video`);
  const heads = ['ours', 'xstack', 'ratio', 'rooms'].map((text) => text.padStart(8)).join(' ');
  console.log(`${''.padEnd(34)} ${heads}    p50    p99 ms per picture, painted and encoded`);
  for (const one of cases) if (one.title.includes(only)) await run(one, folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
