// What ffmpeg pushes to us goes on, packet by packet, to GStreamer's RECORD server and to a server of our own.
import { afterEach, describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { MediaSource } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { createRtspGateway, defaultRtspConfig, pushRtsp } from '#gateways/rtsp/index.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

const policy = new NetPolicy({ schemes: ['rtsp'], allow: ['127.0.0.1'] });
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function receiver(): Promise<{ sink: CollectingSink; url: string }> {
  const sink = new CollectingSink();
  const gateway = await createRtspGateway(
    {
      log: new KeepingLog(),
      passwordOf: async (username) => (username === 'pusher' ? 'secret' : undefined),
      authorizePublish: async ({ path, username }) => {
        if (path === 'locked' && username !== 'pusher') throw new GatewayError('unauthorized', 'Sign in.');
        return { publisherId: path, whenBusy: 'reject', accept: (source: MediaSource) => source.start(sink) };
      },
      authorizePlay: () => Promise.reject(new GatewayError('not_found', 'There is nothing to play.')),
    },
    { ...defaultRtspConfig, host: '127.0.0.1', port: 0, tlsPort: undefined },
  );
  cleanups.push(() => gateway.close());
  return { sink, url: `127.0.0.1:${gateway.port}` };
}

async function source(): Promise<CollectingSink> {
  const { sink, url } = await receiver();
  const encoder = new PeerProcess('ffmpeg', [
    ...['-hide_banner', '-nostdin', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=30', '-an'],
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-g', '15', '-pix_fmt', 'yuv420p'],
    ...['-t', '30', '-f', 'rtsp', '-rtsp_transport', 'tcp', `rtsp://${url}/key`],
  ]);
  cleanups.push(() => encoder.stop());
  await sink.until(() => sink.units.length > 10);
  return sink;
}

/** Passes on what comes, and what came before. */
function feed(from: CollectingSink, deliver: (unit: (typeof from.units)[number]) => void): void {
  for (const unit of from.units) deliver(unit);
  const push = from.units.push.bind(from.units);
  from.units.push = (...units) => {
    for (const unit of units) deliver(unit);
    return push(...units);
  };
}

describe.each(['tcp', 'udp'] as const)('by %s', (transport) => {
  test('a server of ours gets every packet, after a login', async () => {
    const from = await source();
    const { sink, url } = await receiver();
    const streams = from.described;
    const push = await pushRtsp({ url: `rtsp://pusher:secret@${url}/locked`, policy, streams, transport });
    cleanups.push(() => push.close());
    feed(from, (unit) => push.deliver(unit));
    await sink.until(() => sink.units.length > 60);
    expect(sink.stream('video')?.rtp?.formatParameters).toEqual(from.stream('video')?.rtp?.formatParameters);
    const sent = from.units
      .filter(({ kind }) => kind === 'rtp')
      .map((unit) => 'data' in unit && Buffer.from(unit.data));
    const got = sink.units.filter(({ kind }) => kind === 'rtp').map((unit) => 'data' in unit && Buffer.from(unit.data));
    expect(got.slice(0, 40)).toEqual(sent.slice(0, 40));
    expect(push.droppedPackets).toBe(0);
  });

  test('GStreamer records it, and reports back', async () => {
    const from = await source();
    const script = new URL('../support/gst-camera.py', import.meta.url).pathname;
    const server = new PeerProcess('/usr/bin/python3', [script]);
    cleanups.push(() => server.stop());
    const [, port] = await server.says(/listening on (\d+)/);
    const reports: Uint8Array[] = [];
    const push = await pushRtsp({
      url: `rtsp://127.0.0.1:${port}/record`,
      policy,
      streams: from.described,
      transport,
      onRtcp: (_streamId, packet) => reports.push(packet),
    });
    cleanups.push(() => push.close());
    feed(from, (unit) => push.deliver(unit));
    // A receiver report with a block about our packets: they were understood as RTP of a known source.
    await expect
      .poll(() => reports.some((one) => one[1] === 201 && ((one[0] ?? 0) & 0x1f) === 1), { timeout: 15_000 })
      .toBe(true);
    expect(push.failure).toBeUndefined();
  });
});

test('a refused push fails with the reason', async () => {
  const from = await source();
  const { url } = await receiver();
  const refused = pushRtsp({ url: `rtsp://pusher:wrong@${url}/locked`, policy, streams: from.described });
  await expect(refused).rejects.toMatchObject({ code: 'upstream_refused' });
});
