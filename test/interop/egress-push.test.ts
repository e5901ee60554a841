// A room pushed to what others run: nginx-rtmp, ffmpeg as RTSP and SRT listener. What they took is decoded and measured.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StreamingOutResource } from '#api/contract.ts';
import { toYuv } from '#media/mixer/backdrop.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { encodeClip, probePackets } from '#test/support/ffmpeg-clip.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { heardTone, PushTarget, seenColors } from '#test/support/push-target.ts';
import { usualLevel } from '#test/support/tone.ts';
import { VoicePeer } from '#test/support/voice-peer.ts';

const color = '#2020c0';
const toneHz = 440;
const path = '/api/rooms/demo/streaming-outs';
const video = { width: 320, height: 180, framerateHz: 15 };
let gateway: TestGateway;
let camera: CameraPeer;
let voice: VoicePeer;
let folder: string;
const running: PeerProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'egress-push-'));
  gateway = await startGateway({ netPolicy: { allow: ['127.0.0.1'] }, media: { maxLoadPercent: 100 } });
  const room = await gateway.app.rooms.open('demo');
  camera = await CameraPeer.join(room, { name: 'blue', color });
  voice = await VoicePeer.join(room, { name: 'blue', toneHz, participant: camera.participant });
});

afterAll(async () => {
  await voice?.close();
  await camera?.close();
  await gateway?.close();
  for (const peer of running) await peer.stop('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function startNginx(port: number): Promise<PeerProcess> {
  const file = join(folder, `nginx-${port}.conf`);
  writeFileSync(
    file,
    `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; pid ${folder}/pid-${port}; error_log stderr info;
events { worker_connections 64; }
rtmp { server { listen 127.0.0.1:${port}; application live { live on; wait_key on; wait_video on; } application refused { live on; deny publish all; } } }\n`,
  );
  const nginx = new PeerProcess('/usr/sbin/nginx', ['-p', folder, '-c', file]);
  running.push(nginx);
  await nginx.says(/using the "epoll"|start worker|built by/);
  return nginx;
}

function start(program: string, args: readonly string[]): PeerProcess {
  const peer = new PeerProcess(program, args);
  running.push(peer);
  return peer;
}

const push = (input: Record<string, unknown>) =>
  gateway.api<StreamingOutResource>('POST', `${path}?wait=30`, { video, ...input }, 40_000);
const read = (id: string) => gateway.api<StreamingOutResource>('GET', `${path}/${id}`);
const end = (id: string) => gateway.api('DELETE', `${path}/${id}`);

/** What ffmpeg decodes of some seconds of a stream, kept as it comes. */
async function recorded(name: string, input: readonly string[], seconds: number): Promise<string> {
  const file = join(folder, name);
  const recorder = start('ffmpeg', [
    ...['-hide_banner', '-nostdin', '-y', ...input, '-t', String(seconds), '-c', 'copy', file],
  ]);
  expect([await recorder.exited, recorder.output]).toEqual([0, expect.anything()]);
  return file;
}

/** The middle of the last picture and the level of the tone, as ffmpeg decodes them without an error. */
async function assertContent(file: string): Promise<void> {
  const strict = ['-xerror', '-i', file];
  const pixels = await encodeClip(...strict, '-vf', 'crop=2:2,format=yuv420p', '-f', 'rawvideo');
  const last = pixels.subarray(-6);
  const wanted = toYuv(color);
  expect(Math.abs((last[0] ?? 0) - wanted.y)).toBeLessThan(12);
  expect(Math.abs((last[4] ?? 0) - wanted.u)).toBeLessThan(12);
  expect(Math.abs((last[5] ?? 0) - wanted.v)).toBeLessThan(12);
  const sound = await encodeClip(...strict, '-vn', '-ac', '1', '-ar', '48000', '-f', 's16le');
  const samples = new Int16Array(sound.buffer, sound.byteOffset, sound.length >> 1);
  expect(usualLevel(samples.subarray(samples.length >> 1), toneHz, 48_000)).toBeGreaterThan(-30);
}

test('nginx-rtmp takes it, and what is played from there has picture and tone; nginx away and back: it streams again', async () => {
  const port = await freePort();
  const nginx = await startNginx(port);
  const made = await push({ url: `rtmp://127.0.0.1:${port}/live/show?token=secret` });
  expect(made).toMatchObject({ state: 'live', reason: 'media_flowing' });
  expect(JSON.stringify(made)).not.toMatch(/secret|show/);
  const url = `rtmp://127.0.0.1:${port}/live/show?token=secret`;
  await assertContent(await recorded('nginx.flv', ['-i', url], 5));
  const probe = start('ffprobe', ['-v', 'error', '-show_streams', '-i', url]);
  await probe.exited;
  expect(probe.output).toMatch(/codec_name=h264[\s\S]*width=320\s+height=180/);
  expect(probe.output).toMatch(/codec_name=aac[\s\S]*sample_rate=48000\s+channels=2/);
  await nginx.stop('SIGKILL');
  await expect
    .poll(() => read(made.id), { timeout: 20_000 })
    .toMatchObject({
      state: 'reconnecting',
      targets: [{ reason: expect.stringMatching(/target_(lost|unreachable)/) }],
    });
  await startNginx(port);
  const isBackMs = performance.now();
  await expect.poll(() => read(made.id), { timeout: 20_000, interval: 50 }).toMatchObject({ state: 'live' });
  console.info(`streams again ${Math.round(performance.now() - isBackMs)} ms after nginx is back`);
  await assertContent(await recorded('again.flv', ['-i', url], 5));
  await end(made.id);
}, 90_000);

test('of two targets one is stopped dead: the other has every picture and all sound; a refusing one says so', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const blocked = await startNginx(first);
  await startNginx(second);
  const url = (port: number) => `rtmp://127.0.0.1:${port}/live/both`;
  const made = await push({ urls: [url(first), url(second)], source: { participant: 'blue' } });
  await expect
    .poll(() => read(made.id), { timeout: 30_000 })
    .toMatchObject({
      targets: [{ state: 'live' }, { state: 'live' }],
    });
  blocked.child.kill('SIGSTOP');
  const file = await recorded('steady.flv', ['-i', url(second)], 6);
  blocked.child.kill('SIGCONT');
  await assertContent(file);
  const packets = await probePackets(await readFile(file));
  const gapsOf = (kind: string) => {
    const times = packets.filter((one) => one.codec_type === kind).map(({ dts_time }) => Number(dts_time));
    return times.slice(1).map((time, at) => time - (times[at] ?? 0));
  };
  // Frames of AAC last 21 ms and milliseconds are rounded; pictures come as often as the machine can make them.
  expect(Math.max(...gapsOf('audio'))).toBeLessThan(0.03);
  expect(Math.max(...gapsOf('video'))).toBeLessThan(2);
  const refused = await gateway.api<StreamingOutResource>('PATCH', `${path}/${made.id}`, {
    addUrls: [`rtmp://127.0.0.1:${second}/refused/x`],
    removeTargets: [made.targets[0]?.id],
  });
  await expect
    .poll(() => read(refused.id), { timeout: 30_000 })
    .toMatchObject({
      state: 'live',
      targets: [{ state: 'live' }, { state: 'reconnecting', reason: 'target_refused' }],
    });
  await end(made.id);
}, 90_000);

test('HEVC, AV1 and Opus go to a server that says that it takes them; nginx, which does not, gets H264 and AAC if asked so', async () => {
  const enhanced = await PushTarget.start();
  const port = await freePort();
  await startNginx(port);
  const url = `rtmp://127.0.0.1:${port}/live/plain`;
  const made = await push({
    ...{ urls: [enhanced.url('room'), url], source: { participant: 'blue' }, audioCodec: 'opus', hasFallback: true },
    video: { ...video, codec: 'h265' },
  });
  expect(made).toMatchObject({ hasFallback: true, video: { codec: 'h265' } });
  const { y, u, v } = toYuv(color);
  const isBlue = (one: { y: number; u: number; v: number } | undefined) =>
    one !== undefined && [one.y - y, one.u - u, one.v - v].every((off) => Math.abs(off) < 12);
  /** Whichever connection it is: a busy machine may need another. */
  const takes = async (codec: string) => {
    const look = () => {
      const sink = enhanced.sinks.find((one) => one.stream('video')?.codec === codec);
      return sink && { isBlue: isBlue(seenColors(sink).at(-1)), isHeard: heardTone(sink, toneHz) > -30 };
    };
    await expect.poll(look, { timeout: 60_000, interval: 250 }).toEqual({ isBlue: true, isHeard: true });
    expect(enhanced.sinks.map((one) => one.stream('audio')?.codec)).not.toContain('aac');
  };
  await takes('h265');
  await expect
    .poll(async () => (await read(made.id)).targets[1], { timeout: 30_000 })
    .toMatchObject({
      state: 'live',
      message: expect.stringMatching(/H264 and AAC: .*does not say that it takes h265/),
    });
  await assertContent(await recorded('fallback.flv', ['-i', url], 2));
  const before = enhanced.sinks.length;
  await gateway.api('PATCH', `${path}/${made.id}`, { video: { codec: 'av1' }, hasFallback: false });
  await takes('av1');
  // What was replaced sends nothing more, and does not come again.
  const [past, now] = [enhanced.sinks.slice(0, before), enhanced.sinks.slice(before)];
  const sent = () => past.map(({ units }) => units.length);
  const [sentBefore, newest] = [sent(), now.find((one) => one.stream('video')?.codec === 'av1')];
  const seen = newest?.units.length ?? 0;
  await newest?.until(() => newest.units.length > seen + 50);
  expect(sent()).toEqual(sentBefore);
  expect(enhanced.sinks.slice(before).map((one) => one.stream('video')?.codec)).not.toContain('h265');
  await expect
    .poll(async () => (await read(made.id)).targets[1], { timeout: 30_000 })
    .toMatchObject({
      state: 'reconnecting',
      reason: 'unsupported_media',
      message: expect.stringMatching(/takes (av1|opus)/),
    });
  await end(made.id);
  await enhanced.close();
}, 150_000);

test.each(['tcp', 'udp'] as const)(
  'RTSP by %s: ffmpeg records what is announced to it',
  async (transport) => {
    const port = await freePort();
    const url = `rtsp://127.0.0.1:${port}/in`;
    const file = join(folder, `rtsp-${transport}.mkv`);
    const ffmpeg = start('ffmpeg', [
      ...['-hide_banner', '-nostdin', '-y', '-rtsp_flags', 'listen', '-i', url, '-t', '3', '-c', 'copy', file],
    ]);
    const made = await push({ url, transport });
    await ffmpeg.exited;
    await end(made.id);
    await assertContent(file);
  },
  90_000,
);

test('SRT: ffmpeg listens, and gets a transport stream that it decodes', async () => {
  const port = await freePort();
  const file = join(folder, 'srt.mkv');
  const ffmpeg = start('ffmpeg', [
    ...['-hide_banner', '-nostdin', '-y', '-i', `srt://127.0.0.1:${port}?mode=listener&passphrase=0123456789ab`],
    ...['-t', '3', '-c', 'copy', file],
  ]);
  const made = await push({ url: `srt://127.0.0.1:${port}?passphrase=0123456789ab` });
  expect(JSON.stringify(made)).not.toContain('0123456789ab');
  await ffmpeg.exited;
  await end(made.id);
  await assertContent(file);
}, 90_000);
