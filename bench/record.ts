// Recordings: three minutes of a meeting, and what they cost beside the ffmpeg command line.
//
//   node scripts/run.mjs node bench/record.ts meeting [seconds, default 180] [rtmp | page, default rtmp]
//   node scripts/run.mjs node bench/record.ts cost [seconds, default 15]
//   node scripts/run.mjs node bench/record.ts many [recordings, default 20] [seconds, default 20]
//
// `meeting`: people join, leave, are muted, share a screen, and the recording is paused; ends with 1 unless the length is right
// within 0.2 s, sound and picture are within 60 ms at both ends, ffmpeg decodes it without a complaint and Chromium plays it.
// `cost`: CPU milliseconds a second of one recording, copied and composed, and the ratio to ffmpeg doing the same.
// `many`: so many recordings that copy, at once; ends with 1 if one of them has a gap. Needs ffmpeg and Chromium.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { RecordingResource } from '#api/contract.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { packetGapsS } from '#test/support/flash-and-beep.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { offsetsAtEnds, recordMeeting } from '#test/support/recorded-meeting.ts';
import { cpuMsOf } from './ffmpeg-peer.ts';
import { attempt, datagramsLostBy, nameOf, cpuMsOf as usedMs } from './process-usage.ts';

const stepsOfMeeting = 14;
const clipS = 10;
const folder = mkdtempSync(join(tmpdir(), 'bench-record-'));
const clip = join(folder, 'clip.flv');
const sources: ChildProcess[] = [];
let isGood = true;

function check(what: string, holds: boolean): void {
  process.stdout.write(`${holds ? 'right' : 'WRONG'}  ${what}\n`);
  isGood &&= holds;
}

async function meeting(gateway: TestGateway, seconds: number, flasher: 'rtmp' | 'page'): Promise<void> {
  const browser = await launchChromium();
  try {
    const stepMs = (seconds * 1_000) / stepsOfMeeting;
    const path = join(folder, 'meeting.mp4');
    const got = await recordMeeting({ gateway, browser, room: 'meeting', stepMs, flasher, path });
    const { facts, expectedS, offsetsMs, played } = got;
    const { first, last } = offsetsAtEnds(offsetsMs);
    process.stdout.write(`sound behind picture, ms: ${offsetsMs.join(' ')}\n`);
    const offS = facts.durationS - expectedS;
    check(
      `${facts.durationS.toFixed(2)} s long, ${offS.toFixed(2)} s more than the clock on the wall`,
      Math.abs(offS) < 0.2,
    );
    check(`sound ${first} ms behind the picture at the start`, Math.abs(first) < 60);
    check(`sound ${last} ms behind the picture at the end`, Math.abs(last) < 60);
    check(`ffmpeg complains of: ${facts.complaints || 'nothing'}`, facts.complaints === '');
    check(`Chromium: ${JSON.stringify(played)}`, played.error === '' && played.width > 0);
    check(`${got.parts} part`, got.parts === 1);
  } finally {
    await browser.close();
  }
}

function makeClip(): void {
  const inputs = ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30', '-f', 'lavfi', '-i', 'sine=440:r=48000'];
  const video = '-c:v libx264 -preset veryfast -tune zerolatency -g 30 -b:v 800k -pix_fmt yuv420p'.split(' ');
  const args = [
    '-v',
    'error',
    '-nostdin',
    '-y',
    ...inputs,
    '-t',
    String(clipS),
    ...video,
    '-c:a',
    'aac',
    '-ac',
    '2',
    clip,
  ];
  execFileSync('ffmpeg', args, { stdio: 'inherit' });
}

async function pushClip(gateway: TestGateway, room: string, name: string): Promise<void> {
  const made = { room, protocol: 'rtmp', name };
  const { url } = await gateway.api<{ url: string }>('POST', '/api/stream-keys', made);
  const args = ['-v', 'error', '-nostdin', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy', '-f', 'flv', url];
  sources.push(spawn('ffmpeg', args, { stdio: 'ignore' }));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const giveUpAt = performance.now() + 120_000; !(await holds()); ) {
    if (performance.now() > giveUpAt) throw new Error('waited in vain');
    await setTimeout(50);
  }
}

async function untilStreams(gateway: TestGateway, room: string, count: number): Promise<void> {
  const path = `/api/rooms/${room}/streams?limit=100`;
  await until(async () => (await gateway.api<{ items: unknown[] }>('GET', path)).items.length >= count);
}

/** All processes of the gateway, this one too. */
function gatewayPids(): readonly number[] {
  const isOurs = (pid: number) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [name = '', parent] = [/\((.*)\)/.exec(stat)?.[1], stat.split(') ')[1]?.split(' ')[1]];
    return pid === process.pid || (Number(parent) === process.pid && name !== 'ffmpeg');
  };
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => attempt(() => isOurs(pid)) ?? false);
}

const gatewayCpuMs = () => usedMs(gatewayPids());

/** CPU milliseconds a second of everything here. */
async function rateOver(seconds: number): Promise<number> {
  const [before, startMs] = [gatewayCpuMs(), performance.now()];
  await setTimeout(seconds * 1_000);
  return (gatewayCpuMs() - before) / ((performance.now() - startMs) / 1_000);
}

/** What a recording adds, in all processes. */
async function costOf(gateway: TestGateway, body: object, seconds: number): Promise<number> {
  await setTimeout(6_000);
  const without = await rateOver(seconds);
  const path = '/api/rooms/cost/recordings';
  const { id } = await gateway.api<{ id: string }>('POST', path, body, 60_000);
  await until(async () => (await gateway.api<RecordingResource>('GET', `${path}/${id}`)).state === 'recording');
  await setTimeout(3_000);
  const added = (await rateOver(seconds)) - without;
  await gateway.api('POST', `${path}/${id}/stop`);
  await until(async () => (await gateway.api<RecordingResource>('GET', `${path}/${id}`)).state === 'finished');
  return added;
}

/** At the pace of the clip, without what its start takes. */
async function cliCost(output: readonly string[]): Promise<number> {
  const input = ['-re', '-threads', '1', '-stream_loop', '-1', '-i', clip];
  const [short, long] = [2, 2 + clipS];
  const start = await cpuMsOf([...input, '-t', String(short), ...output]);
  return ((await cpuMsOf([...input, '-t', String(long), ...output])) - start) / (long - short);
}

async function cost(gateway: TestGateway, seconds: number): Promise<void> {
  makeClip();
  await gateway.api('POST', '/api/rooms', { name: 'cost' });
  await pushClip(gateway, 'cost', 'source');
  await untilStreams(gateway, 'cost', 2);
  const copied = { source: { kind: 'participants' }, video: 'copy', format: 'mkv', audioCodec: 'opus' };
  tell('copied', await costOf(gateway, copied, seconds), await cliCost(['-c', 'copy', join(folder, 'cli.mkv')]));
  const encode = '-vf scale=1280:720 -c:v libx264 -preset ultrafast -tune zerolatency -b:v 2M -threads 1 -c:a aac';
  const cli = await cliCost([...encode.split(' '), join(folder, 'cli.mp4')]);
  tell('composed 720p30 of one, with its mix', await costOf(gateway, {}, seconds), cli);
}

function tell(what: string, ours: number, cli: number): void {
  const ratio = (ours / cli).toFixed(2);
  process.stdout.write(`${what}: ${ours.toFixed(1)} ms/s, ffmpeg ${cli.toFixed(1)} ms/s, ratio ${ratio}\n`);
}

async function many(gateway: TestGateway, count: number, seconds: number): Promise<void> {
  makeClip();
  await gateway.api('POST', '/api/rooms', { name: 'many' });
  for (let n = 0; n < count; n++) await pushClip(gateway, 'many', `source ${n}`);
  await untilStreams(gateway, 'many', Math.min(count * 2, 100));
  await setTimeout(3_000);
  const without = await rateOver(seconds / 2);
  const path = '/api/rooms/many/recordings';
  const body = { source: { kind: 'participants' }, video: 'copy', format: 'mkv', audioCodec: 'opus' };
  tellLost();
  const { id } = await gateway.api<{ id: string }>('POST', path, body, 60_000);
  const read = () => gateway.api<RecordingResource>('GET', `${path}/${id}`);
  await until(async () => (await read()).state === 'recording');
  await setTimeout(3_000);
  const perRecording = ((await rateOver(seconds)) - without) / count;
  await gateway.api('POST', `${path}/${id}/stop`, undefined, 60_000);
  tellLost();
  await until(async () => (await read()).state === 'finished');
  process.stdout.write(`${count} at once: ${perRecording.toFixed(1)} ms/s of CPU each\n`);
  const { parts } = await read();
  check(`${parts.length} files of ${count}`, parts.length === count);
  for (const part of parts) await checkPart(gateway, part, seconds);
}

/** Where packets went that do not reach a file. */
function tellLost(): void {
  const lost = gatewayPids().map((pid) => `${nameOf(pid)} ${datagramsLostBy(pid)}`);
  process.stdout.write(`datagrams that found no room: ${lost.join(', ')}\n`);
}

async function checkPart(
  gateway: TestGateway,
  part: RecordingResource['parts'][number],
  seconds: number,
): Promise<void> {
  const headers = { authorization: `Bearer ${adminKey}` };
  const answer = await fetch(`${gateway.url}${part.downloadPath}`, { headers });
  const file = join(folder, `part-${part.number}.mkv`);
  await writeFile(file, Buffer.from(await answer.arrayBuffer()));
  const longestGapS = async (kind: 'v' | 'a') => Math.max(...(await packetGapsS(file, kind)));
  const [video, audio] = await Promise.all([longestGapS('v'), longestGapS('a')]);
  const isLong = part.durationMs > seconds * 1_000;
  const words = `part ${part.number}: ${part.durationMs} ms, longest gap ${(video * 1e3).toFixed(0)} ms of video, ${(audio * 1e3).toFixed(0)} of sound`;
  check(words, isLong && video < 0.2 && audio < 0.045);
}

const [what = 'meeting', first, second] = process.argv.slice(2);
const gateway = await startGateway({ media: { workers: 2, maxLoadPercent: 100 }, recordings: { maxPerRoom: 100 } });
try {
  if (what === 'meeting') await meeting(gateway, Number(first ?? 180), second === 'page' ? 'page' : 'rtmp');
  else if (what === 'cost') await cost(gateway, Number(first ?? 15));
  else await many(gateway, Number(first ?? 20), Number(second ?? 20));
} finally {
  for (const source of sources) source.kill('SIGKILL');
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(isGood ? 0 : 1);
