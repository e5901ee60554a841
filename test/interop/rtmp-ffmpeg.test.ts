// ffmpeg as the encoder: its signed handshake, its chunking, B-frames, codecs of old.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { MediaSource, SourceEnd } from '#core/media-source.ts';
import { createRtmpGateway, defaultRtmpConfig } from '#gateways/rtmp/index.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

let gateway: Awaited<ReturnType<typeof createRtmpGateway>>;
let sink: CollectingSink;
let source: MediaSource | undefined;
let ends: SourceEnd[];
const peers: PeerProcess[] = [];

beforeEach(async () => {
  sink = new CollectingSink();
  ends = [];
  gateway = await createRtmpGateway(
    {
      log: new KeepingLog(),
      authorizePublish: async ({ streamName }) => {
        if (streamName !== 'key') throw new GatewayError('unauthorized', 'No such stream key.');
        const accept = (accepted: MediaSource) => {
          source = accepted;
          accepted.start(sink);
          void accepted.done.then((end) => ends.push(end));
        };
        return { publisherId: 'SK_test', whenBusy: 'reject', accept };
      },
    },
    { ...defaultRtmpConfig, host: '127.0.0.1', port: 0, tlsPort: undefined },
  );
});

afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
  await gateway.close();
});

function ffmpeg(codecs: readonly string[], key = 'key', seconds = '2'): PeerProcess {
  const inputs = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=30', '-f', 'lavfi', '-i', 'sine=frequency=440'];
  const target = ['-t', seconds, '-f', 'flv', `rtmp://127.0.0.1:${gateway.port}/live/${key}`];
  const peer = new PeerProcess('ffmpeg', ['-hide_banner', '-nostdin', '-re', ...inputs, ...codecs, ...target]);
  peers.push(peer);
  return peer;
}

const obsDefaults = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '30', '-pix_fmt', 'yuv420p'];

test('H264 with two B-frames and AAC arrive whole, in decoding order, with composition times', async () => {
  const encoder = ffmpeg([...obsDefaults, '-c:a', 'aac', '-ar', '44100']);
  expect(await encoder.exited).toBe(0);
  await sink.until(() => sink.of('video').length === 60);
  expect(sink.stream('video')).toMatchObject({
    codec: 'h264',
    framing: { kind: 'length_prefixed', lengthSize: 4 },
    width: 320,
    height: 240,
    framerateHz: 30,
  });
  expect(sink.stream('audio')?.codec).toBe('aac');
  expect(sink.stream('audio')?.config?.subarray(0, 2)).toEqual(Buffer.of(0x12, 0x08)); // LC, 44.1 kHz, mono
  const frames = sink.of('video').filter((unit) => unit.kind === 'access_unit');
  expect(frames.every((frame, i) => i === 0 || frame.dtsUs > (frames[i - 1]?.dtsUs ?? 0))).toBe(true);
  expect(frames.every((frame) => frame.ptsUs >= frame.dtsUs)).toBe(true);
  expect(new Set(frames.map((frame) => frame.ptsUs)).size).toBe(60);
  expect(frames.some((frame, i) => frame.ptsUs < (frames[i - 1]?.ptsUs ?? 0))).toBe(true);
  expect(frames.filter((frame) => frame.isKey)).toHaveLength(2);
  await expect.poll(() => ends).toMatchObject([{ reason: 'peer_left', mayReturn: false }]);
});

test.each([
  ['mp3', ['-c:a', 'libmp3lame', '-ar', '44100'], { codec: 'mp3', sampleRateHz: 44_100 }],
  ['nellymoser', ['-c:a', 'nellymoser', '-ar', '22050', '-ac', '1'], { codec: 'nellymoser', sampleRateHz: 22_050 }],
  ['A-law', ['-c:a', 'pcm_alaw', '-ar', '8000', '-ac', '1'], { codec: 'pcma', sampleRateHz: 8_000, channels: 1 }],
  ['speex', ['-c:a', 'libspeex', '-ar', '16000', '-ac', '1'], { codec: 'speex', sampleRateHz: 16_000 }],
])('Sorenson H263 and %s arrive', async (_name, audio, expected) => {
  ffmpeg(['-c:v', 'flv1', '-s', '352x288', ...audio], 'key', '1');
  await sink.until(() => sink.of('video').length > 10 && sink.of('audio').length > 5);
  expect(sink.stream('video')?.codec).toBe('h263');
  expect(sink.stream('audio')).toMatchObject(expected);
});

test('a wrong key ends ffmpeg with an error that names no network fault', async () => {
  const encoder = ffmpeg([...obsDefaults, '-c:a', 'aac'], 'wrong');
  expect(await encoder.exited).not.toBe(0);
  expect(encoder.output).toContain('Operation not permitted');
  expect(sink.units).toEqual([]);
});

test('a publisher that is paused for a while loses nothing', async () => {
  const encoder = ffmpeg([...obsDefaults, '-an']);
  await sink.until(() => sink.units.length > 5);
  source?.pause();
  const before = sink.units.length;
  await encoder.says(/frame= *(3\d|4\d)/);
  expect(sink.units.length).toBeLessThanOrEqual(before + 1);
  source?.resume();
  expect(await encoder.exited).toBe(0);
  await sink.until(() => sink.units.length === 60);
});
