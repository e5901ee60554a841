// A GStreamer RTSP server as the camera: transports, logins, codecs, and what happens when it stops.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NetPolicy } from '#core/net-policy.ts';
import { RtspPull, type RtspPullOptions } from '#gateways/rtsp/index.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

const policy = new NetPolicy({ schemes: ['rtsp', 'rtsps'], allow: ['127.0.0.1'] });
const script = new URL('../support/gst-camera.py', import.meta.url).pathname;

class Camera {
  readonly process: PeerProcess;
  readonly port: number;

  static async start(...args: string[]): Promise<Camera> {
    const process = new PeerProcess('/usr/bin/python3', [script, ...args]);
    const [, port] = await process.says(/listening on (\d+)/);
    return new Camera(process, Number(port));
  }

  private constructor(process: PeerProcess, port: number) {
    this.process = process;
    this.port = port;
  }

  pull(path: string, options: Partial<RtspPullOptions> = {}, login = ''): { pull: RtspPull; sink: CollectingSink } {
    const url = `rtsp://${login}127.0.0.1:${this.port}${path}`;
    const pull = new RtspPull({ url, policy, ...options });
    const sink = new CollectingSink();
    pull.start(sink);
    return { pull, sink };
  }
}

/** Waits, and says why when the pull ends instead. */
async function flows(pull: RtspPull, sink: CollectingSink, isSo: () => boolean): Promise<void> {
  const ended = pull.done.then((end) => Promise.reject(new Error(JSON.stringify(end))));
  await Promise.race([sink.until(isSo), ended]);
}

let camera: Camera;
beforeAll(async () => {
  camera = await Camera.start();
});
afterAll(() => camera.process.stop());

describe.each(['tcp', 'udp'] as const)('by %s', (transport) => {
  test('H264 and PCMU arrive as RTP with sender reports, in order', async () => {
    const { pull, sink } = camera.pull('/h264-pcmu', { transport });
    await flows(
      pull,
      sink,
      () =>
        sink.of('video').filter(({ kind }) => kind === 'rtp').length > 60 &&
        sink.units.some(({ kind }) => kind === 'rtcp'),
    );
    expect(sink.stream('video')).toMatchObject({ codec: 'h264', rtp: { encodingName: 'H264', clockRateHz: 90_000 } });
    expect(sink.stream('video')?.rtp?.formatParameters['sprop-parameter-sets']).toBeDefined();
    expect(sink.stream('audio')).toMatchObject({ codec: 'pcmu', sampleRateHz: 8_000, rtp: { payloadType: 0 } });
    const sequence = sink
      .of('video')
      .flatMap((unit) => (unit.kind === 'rtp' ? Buffer.from(unit.data).readUInt16BE(2) : []));
    expect(sequence.every((number, i) => i === 0 || number === ((sequence[i - 1] as number) + 1) % 65_536)).toBe(true);
    pull.close();
    expect(await pull.done).toEqual({ reason: 'requested', error: undefined, mayReturn: false });
  });
});

test.each([
  ['/h265', { codec: 'h265' }, undefined],
  ['/mjpeg', { codec: 'mjpeg', rtp: { payloadType: 26 } }, undefined],
  ['/h264-aac', { codec: 'h264' }, { codec: 'aac', config: expect.any(Uint8Array), sampleRateHz: 44_100, channels: 2 }],
  ['/h264-opus', { codec: 'h264' }, { codec: 'opus', channels: 2 }],
  ['/h264-g726', { codec: 'h264' }, { codec: 'g726', rtp: { encodingName: 'G726-32' } }],
  ['/h264-l16', { codec: 'h264' }, { codec: 'l16', sampleRateHz: 16_000 }],
])('%s is described and flows', async (path, video, audio) => {
  const { pull, sink } = camera.pull(path);
  await flows(pull, sink, () => sink.of('video').length > 5 && (!audio || sink.of('audio').length > 5));
  expect(sink.stream('video')).toMatchObject(video);
  if (audio) expect(sink.stream('audio')).toMatchObject(audio);
  else expect(sink.stream('audio')).toBeUndefined();
  pull.close();
  await pull.done;
});

test('only what is wanted is set up', async () => {
  const { pull, sink } = camera.pull('/h264-pcmu', { wantsVideo: false });
  await flows(pull, sink, () => sink.units.length > 10);
  expect(sink.described.map((stream) => stream.kind)).toEqual(['audio']);
  pull.close();
  await pull.done;
});

describe('logins', () => {
  let locked: Camera;
  beforeAll(async () => {
    locked = await Camera.start('tcp,udp', 'digest');
  });
  afterAll(() => locked.process.stop());

  test('by digest', async () => {
    const log = new KeepingLog();
    const { pull, sink } = locked.pull('/h264', { log }, 'viewer:pass%3Aw%40rd@');
    await flows(pull, sink, () => sink.units.length > 5);
    pull.close();
    await pull.done;
    expect(JSON.stringify(log.lines)).not.toContain('w@rd');
  });

  test('by Basic', async () => {
    const basic = await Camera.start('tcp,udp', 'basic');
    const { pull, sink } = basic.pull('/h264', {}, 'viewer:pass:w@rd@');
    await flows(pull, sink, () => sink.units.length > 5);
    pull.close();
    await pull.done;
    await basic.process.stop();
  });

  test.each([
    ['none', '', 'asks for a user name'],
    ['a wrong one', 'viewer:wrong@', 'refused the user name or password'],
  ])('%s is refused for good, with the reason and without the password', async (_name, login, words) => {
    const { pull } = locked.pull('/h264', {}, login);
    const end = await pull.done;
    expect(end).toMatchObject({ error: { code: 'upstream_refused' }, mayReturn: false });
    expect(end.error?.message).toContain(words);
    expect(end.error?.message).not.toContain('wrong@');
  });
});

test('a path that does not exist is refused for good', async () => {
  const { pull } = camera.pull('/nothing');
  expect(await pull.done).toMatchObject({
    error: { message: expect.stringContaining('no such stream') },
    mayReturn: false,
  });
});

test('a camera without TCP is pulled by UDP', async () => {
  const udpOnly = await Camera.start('udp');
  const { pull, sink } = udpOnly.pull('/h264-pcmu');
  await flows(pull, sink, () => sink.of('video').length > 5 && sink.of('audio').length > 5);
  pull.close();
  await pull.done;
  await udpOnly.process.stop();
});

test('a camera that hangs is noticed, and one that dies too; both may return', async () => {
  const frail = await Camera.start();
  const hung = frail.pull('/h264', { stallTimeoutMs: 700 });
  await flows(hung.pull, hung.sink, () => hung.sink.units.length > 5);
  frail.process.child.kill('SIGSTOP');
  expect(await hung.pull.done).toMatchObject({ reason: 'timeout', error: { code: 'timeout' }, mayReturn: true });
  frail.process.child.kill('SIGCONT');
  const lost = frail.pull('/h264');
  await flows(lost.pull, lost.sink, () => lost.sink.units.length > 5);
  await frail.process.stop('SIGKILL');
  expect(await lost.pull.done).toMatchObject({
    reason: 'peer_left',
    error: { code: 'upstream_failed' },
    mayReturn: true,
  });
});

test('closing while it connects ends at once', async () => {
  const { pull, sink } = camera.pull('/h264');
  pull.close();
  expect(await pull.done).toMatchObject({ reason: 'requested' });
  expect(sink.described).toEqual([]);
});

test('a paused pull lets the camera wait, and goes on', async () => {
  const { pull, sink } = camera.pull('/h264', { transport: 'tcp', stallTimeoutMs: 500 });
  await flows(pull, sink, () => sink.units.length > 5);
  pull.pause();
  pull.resume();
  const seen = sink.units.length;
  await flows(pull, sink, () => sink.units.length > seen + 20);
  pull.close();
  await pull.done;
});
