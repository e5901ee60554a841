// CPU of receiving SRT, beside libsrt's.
//
//   node scripts/run.mjs node bench/srt.ts [streams, default 4] [seconds, default 8]
//
// The same sender (ours, in this process) pushes transport streams of about 5 Mbit/s to a process with our listener, which also
// demuxes them to access units, and to one srt-live-transmit for each stream, which writes them to /dev/null. In the clear and with
// AES-128. Printed: CPU milliseconds a second of one stream, and the ratio. Needs ffmpeg and srt-tools.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NetPolicy } from '#core/net-policy.ts';
import { pushSrt } from '#gateways/srt/index.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { freePort } from '#test/support/ports.ts';
import { cpuMsOf } from './process-usage.ts';

const streams = Number(process.argv[2] ?? 4);
const seconds = Number(process.argv[3] ?? 8);
const warmUpMs = 2_000;
const clipSeconds = 5;
const pieceBytes = 1_316;
const passphrase = 'correcthorse';
const policy = new NetPolicy({ schemes: ['srt'], allow: ['127.0.0.1'] });

async function makeClip(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-srt-'));
  const file = join(folder, 'clip.ts');
  const encode = new PeerProcess('ffmpeg', [
    ...['-nostdin', '-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=30', '-f', 'lavfi', '-i', 'sine=440'],
    ...['-t', String(clipSeconds), '-c:v', 'libx264', '-preset', 'ultrafast', '-b:v', '5M', '-minrate', '5M'],
    ...['-maxrate', '5M', '-bufsize', '1M', '-c:a', 'aac', '-f', 'mpegts', file],
  ]);
  if ((await encode.exited) !== 0) throw new Error(encode.output);
  const clip = readFileSync(file);
  rmSync(folder, { recursive: true });
  return clip;
}

/** Sends the clip again and again to all of them, in time, until the end of the run. */
async function feed(clip: Buffer, urls: readonly string[]): Promise<void> {
  const pushes = await Promise.all(urls.map((url) => pushSrt({ url, policy })));
  const bytesPerMs = clip.length / (clipSeconds * 1_000);
  const startMs = performance.now();
  for (let sent = 0; performance.now() - startMs < seconds * 1_000 + warmUpMs; await sleep(5)) {
    for (const due = (performance.now() - startMs) * bytesPerMs; sent < due; sent += pieceBytes) {
      const at = sent % (clip.length - (clip.length % pieceBytes));
      for (const push of pushes) push.write(clip.subarray(at, at + pieceBytes));
    }
  }
  await Promise.all(pushes.map((push) => push.close()));
}

async function measure(clip: Buffer, urls: readonly string[], pids: readonly number[]): Promise<number> {
  const feeding = feed(clip, urls);
  await sleep(warmUpMs);
  const [from, fromMs] = [cpuMsOf(pids), performance.now()];
  await sleep(seconds * 900);
  const perSecond = ((cpuMsOf(pids) - from) * 1_000) / (performance.now() - fromMs);
  await feeding;
  return perSecond / streams;
}

async function ours(clip: Buffer, secret: string): Promise<number> {
  const receiver = fork(new URL('srt-receiver.ts', import.meta.url), [secret]);
  const [{ port }] = (await once(receiver, 'message')) as [{ port: number }];
  const query = secret ? `&passphrase=${secret}` : '';
  const urls = Array.from({ length: streams }, (_, i) => `srt://127.0.0.1:${port}?streamid=s${i}${query}`);
  const cost = await measure(clip, urls, [receiver.pid ?? 0]);
  receiver.send('count');
  const [{ units }] = (await once(receiver, 'message')) as [{ units: number }];
  if (units < streams * seconds * 30) throw new Error(`only ${units} access units arrived`);
  receiver.disconnect();
  return cost;
}

async function libsrts(clip: Buffer, secret: string): Promise<number> {
  const query = secret ? `&passphrase=${secret}` : '';
  const peers: ChildProcess[] = [];
  const urls: string[] = [];
  for (let i = 0; i < streams; i += 1) {
    const port = await freePort();
    const listen = `srt://127.0.0.1:${port}?mode=listener${query}`;
    peers.push(spawn('srt-live-transmit', ['-a:no', '-q', listen, 'file://con'], { stdio: 'ignore' }));
    urls.push(`srt://127.0.0.1:${port}?streamid=s${i}${query}`);
  }
  await sleep(1_000);
  try {
    return await measure(
      clip,
      urls,
      peers.map(({ pid }) => pid ?? 0),
    );
  } finally {
    for (const peer of peers) peer.kill('SIGKILL');
  }
}

const clip = await makeClip();
const megabits = (clip.length * 8) / clipSeconds / 1e6;
console.log(`${streams} streams of ${megabits.toFixed(1)} Mbit/s, ${seconds} s; CPU ms a second of one stream`);
for (const [what, secret] of [
  ['in the clear', ''],
  ['AES-128', passphrase],
] as const) {
  const own = await ours(clip, secret);
  const peer = await libsrts(clip, secret);
  const ratio = (own / peer).toFixed(2);
  console.log(`${what}: ours with demuxer ${own.toFixed(2)}, srt-live-transmit ${peer.toFixed(2)}, ratio ${ratio}`);
}
process.exit(0);
