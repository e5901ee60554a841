// nginx-rtmp as the service that we push to, and as the server that we pull from.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MediaSource } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { createRtmpGateway, defaultRtmpConfig, pushRtmp, RtmpPull } from '#gateways/rtmp/index.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

const policy = new NetPolicy({ schemes: ['rtmp'], allow: ['127.0.0.1'] });
let nginx: PeerProcess;
let port: number;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nginx-rtmp-'));
  port = await freePort();
  writeFileSync(
    join(folder, 'nginx.conf'),
    `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; pid ${folder}/pid; error_log stderr info;
events { worker_connections 64; }
rtmp { server { listen 127.0.0.1:${port};
  application live { live on; }
  application refused { live on; deny publish all; }
} }\n`,
  );
  nginx = new PeerProcess('/usr/sbin/nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')]);
  await nginx.says(/using the "epoll"|start worker|built by/);
});

afterAll(async () => {
  await nginx.stop('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return free;
}

test('what ffmpeg pushes to us goes on to nginx, decodes there, and comes back by our pull', async () => {
  const push = await pushRtmp({ url: `rtmp://127.0.0.1:${port}/live/out?token=1`, policy });
  const gateway = await createRtmpGateway(
    {
      log: new KeepingLog(),
      authorizePublish: async () => ({
        publisherId: 'SK_test',
        whenBusy: 'reject',
        accept: (source: MediaSource) => source.start(push),
      }),
    },
    { ...defaultRtmpConfig, host: '127.0.0.1', port: 0, tlsPort: undefined },
  );
  const encoder = new PeerProcess('ffmpeg', [
    ...['-hide_banner', '-nostdin', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=30'],
    ...['-f', 'lavfi', '-i', 'sine=frequency=440', '-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '30'],
    ...['-pix_fmt', 'yuv420p', '-c:a', 'aac', '-t', '30', '-f', 'flv', `rtmp://127.0.0.1:${gateway.port}/live/key`],
  ]);
  const sink = new CollectingSink();
  const pull = new RtmpPull({ url: `rtmp://127.0.0.1:${port}/live/out?token=1`, policy });
  try {
    await expect.poll(() => push.sentFrames, { timeout: 10_000 }).toBeGreaterThan(30);
    const player = new PeerProcess('ffmpeg', [
      ...['-hide_banner', '-nostdin', '-xerror', '-i', `rtmp://127.0.0.1:${port}/live/out?token=1`],
      ...['-t', '2', '-f', 'null', '-'],
    ]);
    pull.start(sink);
    expect([await player.exited, player.output.includes('Video: h264')]).toEqual([0, true]);
    expect(player.output).toMatch(/Audio: aac.*44100 Hz, mono/);
    await sink.until(() => sink.of('video').length > 30 && sink.of('audio').length > 30);
    expect(sink.stream('video')).toMatchObject({ codec: 'h264', width: 320, framing: { lengthSize: 4 } });
    expect(sink.stream('audio')?.codec).toBe('aac');
  } finally {
    await encoder.stop();
    pull.close();
    await push.close();
    await gateway.close();
  }
  expect(await pull.done).toMatchObject({ reason: 'requested', mayReturn: false });
  expect(push.droppedFrames).toBe(0);
});

test('nginx accepts what it denies and then closes: that is a refusal', async () => {
  const push = await pushRtmp({ url: `rtmp://127.0.0.1:${port}/refused/out`, policy }).catch((error) => error);
  if (!(push instanceof Error)) await push.done;
  expect(push instanceof Error ? push : push.failure).toMatchObject({ code: 'upstream_refused' });
});

test('an application that nginx does not have fails the push', async () => {
  await expect(pushRtmp({ url: `rtmp://127.0.0.1:${port}/nothing/out`, policy })).rejects.toMatchObject({
    code: expect.stringMatching(/upstream_/),
  });
});

test('a target that is stopped is noticed, and what cannot be sent is dropped instead of kept', async () => {
  const push = await pushRtmp({
    url: `rtmp://127.0.0.1:${port}/live/stopped`,
    policy,
    stallTimeoutMs: 1_500,
    maxQueuedBytes: 1_000_000,
  });
  const config = Buffer.from('0164001fffe100046764002801000468ee3cb0', 'hex');
  push.describe({ id: 0, kind: 'video', codec: 'h264', framing: { kind: 'length_prefixed', lengthSize: 4 }, config });
  nginx.child.kill('SIGSTOP');
  const data = Buffer.alloc(50_000, 1);
  let dtsUs = 0;
  while (!push.isClosed) {
    push.deliver({ kind: 'access_unit', streamId: 0, ptsUs: dtsUs, dtsUs, isKey: dtsUs % 10 === 0, data });
    dtsUs += 1;
    expect(push.queuedBytes).toBeLessThan(1_200_000);
    if (push.droppedFrames > 0) await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  nginx.child.kill('SIGCONT');
  expect(push.failure).toMatchObject({ code: 'timeout' });
  expect(push.droppedFrames).toBeGreaterThan(10);
});
