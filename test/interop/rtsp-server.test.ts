// ffmpeg and GStreamer as pushers and players of our RTSP server: the pusher's packets are what players get.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { MediaSource, SourceEnd, SourceStream, SourceUnit } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import {
  createRtspGateway,
  defaultRtspConfig,
  type RtspOutlet,
  type RtspPlayback,
  RtspPull,
} from '#gateways/rtsp/index.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

/** Gives whatever is pushed to whoever plays, packet by packet. */
class Relay extends CollectingSink {
  readonly players = new Set<(unit: SourceUnit) => void>();

  override deliver(unit: SourceUnit): void {
    super.deliver(unit);
    for (const player of this.players) player(unit);
  }

  open(): RtspPlayback {
    const outlets = new Map<number, RtspOutlet>();
    const player = (unit: SourceUnit) => {
      if (unit.kind !== 'access_unit') outlets.get(unit.streamId)?.send(unit.kind, unit.data);
    };
    return {
      relay: async (track, outlet) => {
        outlets.set(track, outlet);
        return { ssrc: undefined };
      },
      receiveRtcp: () => undefined,
      play: async () => void this.players.add(player),
      pause: async () => void this.players.delete(player),
      close: () => void this.players.delete(player),
    };
  }
}

let gateway: Awaited<ReturnType<typeof createRtspGateway>>;
let relay: Relay;
let ends: SourceEnd[];
const peers: PeerProcess[] = [];

beforeEach(async () => {
  relay = new Relay();
  ends = [];
  gateway = await createRtspGateway(
    {
      log: new KeepingLog(),
      passwordOf: async (username) => (username === 'viewer' ? 'secret' : undefined),
      authorizePublish: async ({ path, username }) => {
        if (path === 'locked' && username !== 'viewer') throw new GatewayError('unauthorized', 'Sign in.');
        const accept = (source: MediaSource) => {
          source.start(relay);
          void source.done.then((end) => ends.push(end));
        };
        return { publisherId: path, whenBusy: 'reject', accept };
      },
      authorizePlay: async ({ username }) => {
        if (username !== 'viewer') throw new GatewayError('unauthorized', 'Sign in.');
        const tracks = relay.described.map(({ kind, rtp }) => ({ kind, rtp: rtp as NonNullable<SourceStream['rtp']> }));
        return { name: 'relay', tracks, open: () => relay.open() };
      },
    },
    { ...defaultRtspConfig, host: '127.0.0.1', port: 0, tlsPort: undefined },
  );
});

afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
  await gateway.close();
});

function run(command: string, ...args: string[]): PeerProcess {
  const peer = new PeerProcess(command, args);
  peers.push(peer);
  return peer;
}

const url = (path: string, login = '') => `rtsp://${login}127.0.0.1:${gateway.port}/${path}`;

function push(codecs: readonly string[], transport: string, path = 'key', seconds = '30', login = ''): PeerProcess {
  const inputs = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=30', '-f', 'lavfi', '-i', 'sine=frequency=440'];
  const target = ['-t', seconds, '-f', 'rtsp', '-rtsp_transport', transport, url(path, login)];
  return run('ffmpeg', '-hide_banner', '-nostdin', '-re', ...inputs, ...codecs, ...target);
}

const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-g', '15', '-pix_fmt', 'yuv420p'];
const aac = ['-c:a', 'aac', '-ar', '44100'];

describe.each(['tcp', 'udp'])('by %s', (transport) => {
  test('ffmpeg pushes H264 and AAC, and ffmpeg plays them', async () => {
    push([...h264, ...aac], transport);
    await relay.until(() => relay.of('video').length > 30 && relay.of('audio').length > 10);
    expect(relay.stream('video')).toMatchObject({ codec: 'h264', framing: { kind: 'rtp' } });
    expect(relay.stream('audio')).toMatchObject({ codec: 'aac', sampleRateHz: 44_100, config: expect.any(Uint8Array) });
    expect(relay.units.some(({ kind }) => kind === 'rtcp')).toBe(true);
    const player = run(
      'ffmpeg',
      ...['-hide_banner', '-nostdin', '-rtsp_transport', transport, '-i', url('key', 'viewer:secret@')],
      ...['-t', '2', '-f', 'null', '-'],
    );
    expect([await player.exited, /Video: h264.*320x240/.test(player.output)]).toEqual([0, true]);
    expect(player.output).toMatch(/Audio: aac.*44100 Hz/);
    expect(
      Number(/frame= *(\d+)[^=]*(?:fps|q)=[^\n]*$/m.exec(player.output.split('\r').at(-1) ?? '')?.[1]),
    ).toBeGreaterThan(40);
  });

  test('GStreamer plays it too', async () => {
    push([...h264, '-an'], transport);
    await relay.until(() => relay.of('video').length > 30);
    const player = run(
      'gst-launch-1.0',
      ...['-v', 'rtspsrc', `location=${url('key')}`, 'user-id=viewer', 'user-pw=secret', `protocols=${transport}`],
      ...['!', 'rtph264depay', '!', 'avdec_h264', '!', 'fakesink', 'num-buffers=30', 'silent=true'],
    );
    expect(await player.exited).toBe(0);
    expect(player.output).toMatch(/width=\(int\)320/);
  });

  test('our own pull plays it too, with its login', async () => {
    push([...h264, ...aac], transport);
    await relay.until(() => relay.of('video').length > 10 && relay.of('audio').length > 5);
    const policy = new NetPolicy({ schemes: ['rtsp'], allow: ['127.0.0.1'] });
    const pull = new RtspPull({ url: url('key', 'viewer:secret@'), policy, transport: transport as 'tcp' | 'udp' });
    const sink = new CollectingSink();
    pull.start(sink);
    await sink.until(() => sink.of('video').length > 20 && sink.of('audio').length > 10);
    expect(sink.stream('audio')?.config).toEqual(relay.stream('audio')?.config);
    pull.close();
    await pull.done;
  });
});

test.each([
  ['MPEG-4 and G.711', ['-c:v', 'mpeg4', '-c:a', 'pcm_alaw', '-ar', '8000', '-ac', '1'], 'mpeg4', 'pcma'],
  ['H265 and Opus', ['-c:v', 'libx265', '-preset', 'ultrafast', '-c:a', 'libopus', '-ar', '48000'], 'h265', 'opus'],
  [
    'VP8 and G.722',
    ['-c:v', 'libvpx', '-deadline', 'realtime', '-c:a', 'g722', '-ar', '16000', '-ac', '1'],
    'vp8',
    'g722',
  ],
  ['MJPEG and MP3', ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-huffman', '0', '-c:a', 'libmp3lame'], 'mjpeg', 'mp3'],
])('%s are understood', async (_name, codecs, video, audio) => {
  push(codecs, 'tcp');
  await relay.until(() => relay.of('video').length > 10 && relay.of('audio').length > 5);
  expect([relay.stream('video')?.codec, relay.stream('audio')?.codec]).toEqual([video, audio]);
  if (video === 'mpeg4') expect(relay.stream('video')?.config).toBeInstanceOf(Uint8Array);
});

test('a pusher that ends in order does not return; one that needs a login gives it', async () => {
  const pusher = push([...h264, '-an'], 'tcp', 'locked', '1', 'viewer:secret@');
  expect(await pusher.exited).toBe(0);
  await expect.poll(() => ends).toMatchObject([{ reason: 'peer_left', mayReturn: false }]);
  const stranger = push([...h264, '-an'], 'tcp', 'locked', '1', 'viewer:wrong@');
  expect(await stranger.exited).not.toBe(0);
  expect(stranger.output).toContain('401');
});
