// What leaves a room while people come and go in it, by HLS, fMP4, RTSP and a push at once: pictures and sound without a break,
// times that only grow, whatever changes. What was recorded is read packet by packet.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StreamingOutResource } from '#api/contract.ts';
import type { Room } from '#core/room.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { launchChromium } from '#test/support/chromium.ts';
import { probePackets } from '#test/support/ffmpeg-clip.ts';
import { FragmentReader } from '#test/support/fragment-reader.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { type Watched, watchByFfmpeg } from '#test/support/live-player.ts';
import { MeetingPeer } from '#test/support/meeting-peer.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { accessUnits, PushTarget } from '#test/support/push-target.ts';
import { VoicePeer } from '#test/support/voice-peer.ts';

const waitMs = 40_000;
let gateway: TestGateway;
let room: Room;
let browser: Browser;
let target: PushTarget;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'live-continuity-'));
  browser = await launchChromium();
  gateway = await startGateway({
    ...{ media: { workers: 1, maxLoadPercent: 100 }, netPolicy: { allow: ['127.0.0.1'] } },
    hls: { segmentMs: 1_000, maxHeight: 180, lingerMs: 5_000, startTimeoutMs: 60_000 },
  });
  const video = { width: 320, height: 180, framerateHz: 15 };
  await gateway.api('PATCH', '/api/rooms/demo/views/common', { video });
  room = await gateway.app.rooms.open('demo');
  target = await PushTarget.start();
});

afterAll(async () => {
  await browser?.close();
  await gateway?.close();
  await target?.close();
  await rm(folder, { recursive: true, force: true });
});

const isBlueTone = ({ numbers, color, toneDbov }: Watched) => numbers.length > 10 && color === 'blue' && toneDbov > -30;
/** Of three encodings the larger ones stop and come back, as on a line that becomes narrow. */
const setLayers = `(count) => Promise.all(peers.flatMap((peer) => peer.getSenders()).map((sender) => {
  const parameters = sender.getParameters();
  if (sender.track?.kind !== 'video' || parameters.encodings.length < 2) return 0;
  parameters.encodings.forEach((encoding, index) => { encoding.active = index < count; });
  return sender.setParameters(parameters).then(() => parameters.encodings.length);
})).then((counts) => Math.max(0, ...counts))`;
const keepPeers = `globalThis.peers = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) { super(...options); peers.push(this); }
};`;

interface Taken {
  readonly video: readonly number[];
  readonly audio: readonly number[];
}

/** Decoding times, seconds. */
async function timesOf(media: Buffer): Promise<Taken> {
  const packets = await probePackets(media);
  const of = (kind: string) => packets.filter((one) => one.codec_type === kind).map(({ dts_time }) => Number(dts_time));
  return { video: of('video'), audio: of('audio') };
}

function assertUnbroken(way: string, { video, audio }: Taken, sinceS: number): void {
  const steps = (times: readonly number[]) => times.slice(1).map((time, index) => time - (times[index] ?? 0));
  const lengthOf = (times: readonly number[]) => (times.at(-1) ?? 0) - (times[0] ?? 0);
  expect([way, Math.min(...steps(video)) > 0, Math.min(...steps(audio)) > 0]).toEqual([way, true, true]);
  // Of sound nothing is missing; pictures stand while the next is being waited for.
  expect([way, Math.max(...steps(audio))]).toEqual([way, expect.toSatisfy((gapS: number) => gapS < 0.06)]);
  expect([way, Math.max(...steps(video))]).toEqual([way, expect.toSatisfy((gapS: number) => gapS < 3)]);
  // Both go on to the end, side by side.
  expect([way, Math.abs(lengthOf(video) - lengthOf(audio))]).toEqual([way, expect.toSatisfy((off: number) => off < 2)]);
  expect([way, lengthOf(audio)]).toEqual([way, expect.toSatisfy((lengthS: number) => lengthS > sinceS - 8)]);
}

test('HLS, fMP4, RTSP and a push go on through an empty room, joins, mutes, other sizes, layers of a browser, and leaves', async () => {
  const outs = '/api/rooms/demo/streaming-outs';
  const { id } = await gateway.api<StreamingOutResource>('POST', outs, { url: target.url('all') }, 40_000);
  const made = await gateway.api<{ play: { rtsp: string } }>('POST', '/api/rooms/demo/tokens', {
    ...{ user: 'player', role: 'viewer' },
  });
  const hls = `${gateway.url}/hls/demo/index.m3u8?token=${adminKey}`;
  const fmp4 = `${gateway.url}/fmp4/demo?token=${adminKey}`;
  const reader = new FragmentReader(fmp4.replace(/^http/, 'ws'));
  const copy = (input: readonly string[], name: string) =>
    new PeerProcess('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...input, '-c', 'copy', join(folder, name)]);
  const recorders = {
    HLS: copy(['-i', hls], 'hls.mkv'),
    RTSP: copy(['-rtsp_transport', 'tcp', '-i', made.play.rtsp], 'rtsp.mkv'),
  };
  const late: FragmentReader[] = [];
  // Nobody is there: black, and silence.
  await expect.poll(() => reader.count, { timeout: waitMs }).toBeGreaterThan(50);
  const beganAt = performance.now();
  const camera = await CameraPeer.join(room, { name: 'blue', color: '#2020c0', codec: 'vp8' });
  const voice = await VoicePeer.join(room, { name: 'blue', toneHz: 440, participant: camera.participant });
  // Who comes late sees and hears it too.
  for (const url of [fmp4, hls]) expect(await watchByFfmpeg(url, isBlueTone)).toSatisfy(isBlueTone);
  await voice.publication.setMuted(true, 'owner');
  camera.setSize(160, 90);
  late.push(new FragmentReader(fmp4.replace(/^http/, 'ws')));
  await expect.poll(() => late[0]?.count, { timeout: waitMs }).toBeGreaterThan(100);
  await voice.publication.setMuted(false, 'owner');
  camera.setSize(320, 180);
  const guest = await MeetingPeer.join(browser, gateway, { name: 'Guest', room: 'demo', script: keepPeers });
  const layersOf = (count: number) => guest.page.evaluate<number>(`(${setLayers})(${count})`);
  await expect.poll(() => layersOf(3), { timeout: waitMs }).toBe(3);
  for (const count of [1, 3, 2]) {
    await layersOf(count);
    const before = reader.count;
    await expect.poll(() => reader.count, { timeout: waitMs }).toBeGreaterThan(before + 120);
  }
  await voice.close();
  await camera.close();
  await guest.close();
  const before = reader.count;
  await expect.poll(() => reader.count, { timeout: waitMs }).toBeGreaterThan(before + 120);
  const sinceS = (performance.now() - beganAt) / 1_000;
  for (const recorder of Object.values(recorders)) await recorder.stop('SIGINT');
  for (const one of [reader, ...late]) one.close();
  await gateway.api('DELETE', `${outs}/${id}`);

  expect(reader.pieces).toHaveLength(1);
  assertUnbroken('fMP4', await timesOf(Buffer.concat(reader.pieces.flat())), sinceS);
  assertUnbroken('fMP4, late', await timesOf(Buffer.concat(late.flatMap(({ pieces }) => pieces.flat()))), 0);
  assertUnbroken('HLS', await timesOf(await readFile(join(folder, 'hls.mkv'))), sinceS);
  assertUnbroken('RTSP', await timesOf(await readFile(join(folder, 'rtsp.mkv'))), sinceS);
  expect(target.sinks).toHaveLength(1);
  const [sink] = target.sinks;
  const sent = (kind: 'video' | 'audio') => (sink ? accessUnits(sink, kind).map(({ dtsUs }) => dtsUs / 1e6) : []);
  assertUnbroken('push', { video: sent('video'), audio: sent('audio') }, sinceS);
}, 240_000);
