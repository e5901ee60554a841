// Owns: what a push costs: CPU of one RTMP push, copied and composed, beside Debian's ffmpeg doing the same from the same
// source in the same run. May import: what tests may.
//
//   node scripts/run.mjs node bench/egress.ts [seconds, default 15]
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { StreamingOutResource } from '#api/contract.ts';
import { startGateway } from '#test/support/gateway.ts';
import { PushTarget } from '#test/support/push-target.ts';
import { cpuMsOf } from './process-usage.ts';

const seconds = Number(process.argv[2] ?? 15);
const path = '/api/rooms/demo/streaming-outs';
const folder = mkdtempSync(join(tmpdir(), 'bench-egress-'));
const gateway = await startGateway({ netPolicy: { allow: ['127.0.0.1'] }, media: { maxLoadPercent: 100 } });
const target = await PushTarget.start();
const children = new Set<ReturnType<typeof spawn>>();

function ffmpeg(...args: string[]): ReturnType<typeof spawn> {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args], { stdio: 'inherit' });
  children.add(child);
  return child;
}

/** CPU ms per second of media workers and SFU workers, which carry the media; control is this process, with the target in it. */
async function gatewayCpu(): Promise<number> {
  const media = gateway.app.media.describeWorkers().map(({ pid }) => pid);
  const sfu = (await gateway.app.sfu.describeWorkers()).map(({ pid }) => pid);
  return cpuPerS([...media, ...sfu]);
}

async function cpuPerS(pids: readonly number[]): Promise<number> {
  const [before, sinceMs] = [cpuMsOf(pids), performance.now()];
  await setTimeout(seconds * 1_000);
  return ((cpuMsOf(pids) - before) * 1_000) / (performance.now() - sinceMs);
}

/** 720p30 at 2.5 Mbit/s and a tone, made once so that its encoder costs nothing here. */
async function makeClip(): Promise<string> {
  const clip = join(folder, 'clip.flv');
  const made = ffmpeg(
    ...[
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=1280x720:rate=30',
      '-f',
      'lavfi',
      '-i',
      'sine=frequency=440:sample_rate=48000',
    ],
    ...['-t', '20', '-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-profile:v', 'baseline'],
    ...['-b:v', '2500k', '-g', '60', '-c:a', 'aac', '-ac', '2', '-b:a', '128k', clip],
  );
  await new Promise((resolve) => made.once('exit', resolve));
  return clip;
}

async function publish(clip: string): Promise<void> {
  const { url } = await gateway.api<{ url: string }>('POST', '/api/stream-keys', { room: 'demo', name: 'studio' });
  ffmpeg('-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy', '-f', 'flv', url);
  for (;;) {
    const { items } = await gateway.api<{ items: { kind: string }[] }>('GET', '/api/rooms/demo/streams');
    if (items.length >= 2) return;
    await setTimeout(200);
  }
}

async function whilePushed(input: Record<string, unknown>, measure: () => Promise<number>): Promise<number> {
  const made = await gateway.api<StreamingOutResource>(
    'POST',
    `${path}?wait=30`,
    { url: target.url('bench'), ...input },
    40_000,
  );
  if (made.state !== 'live') throw new Error(`not live: ${made.message}`);
  await setTimeout(3_000);
  const cpu = await measure();
  await gateway.api('DELETE', `${path}/${made.id}`);
  return cpu;
}

/** What a push adds to what there is before and after it. */
async function addedBy(input: Record<string, unknown>): Promise<number> {
  const before = await gatewayCpu();
  const during = await whilePushed(input, gatewayCpu);
  // What it took from the room is given back a while after it.
  await setTimeout(5_000);
  return during - (before + (await gatewayCpu())) / 2;
}

/** Of ffmpeg that reads the clip in real time and pushes it to the same target. */
async function peerCpu(clip: string, ...codecs: string[]): Promise<number> {
  const child = ffmpeg('-re', '-stream_loop', '-1', '-i', clip, ...codecs, '-f', 'flv', target.url('peer'));
  await setTimeout(3_000);
  const cpu = await cpuPerS([child.pid ?? 0]);
  child.kill('SIGKILL');
  return cpu;
}

const round = (value: number) => value.toFixed(1);

try {
  const clip = await makeClip();
  await publish(clip);
  await setTimeout(2_000);
  // Workers that are held ready have started by then.
  await setTimeout(10_000);
  const copied = await addedBy({ source: { participant: 'studio' } });
  const peerCopied = await peerCpu(clip, '-c', 'copy');
  const peerSound = await peerCpu(clip, '-c:v', 'copy', '-c:a', 'aac', '-b:a', '128k');
  const composed = await addedBy({ source: { view: 'common' } });
  const x264 = ['-c:v', 'libx264', '-preset', 'superfast', '-tune', 'zerolatency', '-b:v', '2500k', '-g', '60'];
  const peerComposed = await peerCpu(clip, ...x264, '-c:a', 'aac', '-b:a', '128k');
  console.log(`720p30 H264 and AAC by RTMP, ${seconds} s each; CPU ms per second, the ingress left out`);
  console.log(`copied    ${round(copied)}; ffmpeg -c copy ${round(peerCopied)}, ratio ${round(copied / peerCopied)};`);
  console.log(`          ffmpeg -c:v copy -c:a aac ${round(peerSound)}, ratio ${(copied / peerSound).toFixed(2)}`);
  console.log(
    `composed  ${round(composed)}; ffmpeg x264 superfast and aac ${round(peerComposed)}, ratio ${(composed / peerComposed).toFixed(2)}`,
  );
} finally {
  for (const child of children) child.kill('SIGKILL');
  await gateway.close();
  await target.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
