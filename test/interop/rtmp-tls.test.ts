// RTMPS and RTSPS: ffmpeg as the client, and our own clients with a certificate that they trust, or do not.
import { generate } from 'selfsigned';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MediaSource } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { createRtmpGateway, defaultRtmpConfig, pushRtmp } from '#gateways/rtmp/index.ts';
import { createRtspGateway, defaultRtspConfig, type RtspOutlet, RtspPull } from '#gateways/rtsp/index.ts';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

const policy = new NetPolicy({ schemes: ['rtmps', 'rtsps'], allow: ['127.0.0.1'] });
const lookup = async () => ['127.0.0.1'];
const { cert, private: key } = await generate([{ name: 'commonName', value: 'gateway.test' }], {
  keyType: 'ec',
  algorithm: 'sha256',
  extensions: [
    { name: 'basicConstraints', cA: true },
    { name: 'subjectAltName', altNames: [{ type: 2, value: 'gateway.test' }] },
  ],
});
const input = ['-hide_banner', '-nostdin', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=30'];
const codec = ['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-t', '30'];
const peers: PeerProcess[] = [];
let sink: CollectingSink;

beforeEach(() => {
  sink = new CollectingSink();
});

afterEach(() => Promise.all(peers.splice(0).map((peer) => peer.stop())));

const grant = async () =>
  ({ publisherId: 'SK_test', whenBusy: 'reject', accept: (source: MediaSource) => source.start(sink) }) as const;

describe('RTMPS', () => {
  let gateway: Awaited<ReturnType<typeof createRtmpGateway>>;
  beforeEach(async () => {
    gateway = await createRtmpGateway(
      { log: new KeepingLog(), authorizePublish: grant, certificate: { cert, key } },
      { ...defaultRtmpConfig, host: '127.0.0.1', port: undefined, tlsPort: 0 },
    );
  });
  afterEach(() => gateway.close());

  test('ffmpeg pushes over it', async () => {
    const url = `rtmps://127.0.0.1:${gateway.tlsPort}/live/key`;
    peers.push(new PeerProcess('ffmpeg', [...input, ...codec, '-f', 'flv', url]));
    await sink.until(() => sink.of('video').length > 20);
    expect(sink.stream('video')?.codec).toBe('h264');
  });

  test('our push goes where it trusts the certificate, and nowhere else', async () => {
    const url = `rtmps://gateway.test:${gateway.tlsPort}/live/key`;
    const push = await pushRtmp({ url, policy, lookup, authorities: cert });
    await push.close();
    await expect(pushRtmp({ url, policy, lookup })).rejects.toMatchObject({ code: 'upstream_refused' });
    const other = url.replace('gateway.test', 'other.test');
    await expect(pushRtmp({ url: other, policy, lookup, authorities: cert })).rejects.toMatchObject({
      code: 'upstream_refused',
    });
  });
});

describe('RTSPS', () => {
  let gateway: Awaited<ReturnType<typeof createRtspGateway>>;
  beforeEach(async () => {
    gateway = await createRtspGateway(
      {
        log: new KeepingLog(),
        passwordOf: async () => undefined,
        authorizePublish: grant,
        authorizePlay: async () => ({
          name: 'tone',
          tracks: [
            {
              kind: 'audio',
              rtp: { payloadType: 0, encodingName: 'PCMU', clockRateHz: 8_000, channels: 1, formatParameters: {} },
            },
          ],
          open: () => {
            let timer: NodeJS.Timeout;
            let outlet: RtspOutlet | undefined;
            return {
              relay: async (_track, given) => {
                outlet = given;
                return { ssrc: 7 };
              },
              receiveRtcp: () => undefined,
              play: async () => {
                let count = 0;
                timer = setInterval(() => outlet?.send('rtp', silence(++count)), 20);
              },
              pause: async () => clearInterval(timer),
              close: () => clearInterval(timer),
            };
          },
        }),
        certificate: { cert, key },
      },
      { ...defaultRtspConfig, host: '127.0.0.1', port: undefined, tlsPort: 0 },
    );
  });
  afterEach(() => gateway.close());

  test('our pull plays over it where it trusts the certificate or asks for no trust', async () => {
    const url = `rtsps://gateway.test:${gateway.tlsPort}/tone`;
    for (const trust of [{ authorities: cert }, { checksCertificate: false }]) {
      const own = new CollectingSink();
      const pull = new RtspPull({ url, policy, lookup, ...trust });
      pull.start(own);
      await own.until(() => own.units.length > 5);
      pull.close();
      await pull.done;
    }
    const untrusting = new RtspPull({ url, policy, lookup });
    untrusting.start(sink);
    expect(await untrusting.done).toMatchObject({ error: { code: 'upstream_refused' }, mayReturn: false });
  });

  test('ffmpeg plays over it', async () => {
    const url = `rtsps://127.0.0.1:${gateway.tlsPort}/tone`;
    const player = new PeerProcess('ffmpeg', ['-hide_banner', '-nostdin', '-i', url, '-t', '1', '-f', 'null', '-']);
    peers.push(player);
    expect([await player.exited, player.output.includes('Audio: pcm_mulaw')]).toEqual([0, true]);
  });
});

/** The RTP packet of 20 ms of silence in PCMU. */
function silence(count: number): Buffer {
  const packet = Buffer.alloc(172, 0xff);
  packet.writeUInt16BE(0x8000);
  packet.writeUInt16BE(count, 2);
  packet.writeUInt32BE(count * 160, 4);
  packet.writeUInt32BE(7, 8);
  return packet;
}
