// What the way from an RTMP or RTSP publisher to RTP out of the SFU adds, beside what others add that only pass it on.
//
//   node scripts/run.mjs node bench/ingest-relay.ts [seconds, default 15] [ways, by number from 0, default all: 0,4,5]
//
// The same publisher, in a process of its own, pushes H264 640x360 at 30 Hz and sound to each in turn: to a whole gateway (RTMP with
// AAC, RTSP with Opus by TCP and UDP; media worker, SFU, plain RTP out), to nginx-rtmp with a player of ours, and to `ffmpeg -c copy`
// from RTMP to RTP. Printed for each: time from handing a frame to the sender's socket to its last byte at the receiver; of sound,
// from when the publisher had sent all that a packet holds; and CPU of what lies between. CPU of the
// gateway is that of its media and SFU workers and its control process for each of five streams, beyond what they use when idle,
// in a run without the decoding viewer. Needs
// ffmpeg and nginx with the rtmp module.
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NewStreamKeyResource } from '#api/contract.ts';
import type { IngressLatency } from '#core/job.ts';
import { NetPolicy } from '#core/net-policy.ts';
import type { Publication } from '#core/track.ts';
import { RtmpPull } from '#gateways/rtmp/index.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';
import { startGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { freePort, whenListening } from '#test/support/ports.ts';
import { RoomViewer, type SeenPicture } from '#test/support/room-viewer.ts';
import type { SentMedia } from './ingest-relay-sender.ts';
import { cpuMsOf, median } from './process-usage.ts';

const seconds = Number(process.argv[2] ?? 15);
const wanted = process.argv[3]?.split(',').map(Number);
/** Of the run; connections, key frames and compilers settle in it. */
const warmUpFrames = 90;
const gatewayStreams = 5;
const framerateHz = 30;
const soundPacketUs = 20_000;

interface Result {
  readonly what: string;
  readonly addedMs: readonly number[];
  readonly cpuMsPerS: number | undefined;
  readonly soundMs?: readonly number[];
}

/** How it comes to the gateway, and whether pictures wait for sound there. */
interface Way {
  readonly protocol: 'rtmp' | 'rtsp';
  readonly transport: 'tcp' | 'udp';
  readonly latency: IngressLatency;
}

async function send(url: string, transport = 'tcp'): Promise<SentMedia> {
  const sender = fork(new URL('ingest-relay-sender.ts', import.meta.url), [url, String(seconds), transport]);
  const [sent] = (await once(sender, 'message')) as [SentMedia];
  return sent;
}

function added({ sentUs }: SentMedia, arrivals: ReadonlyMap<number, number>): number[] {
  return [...arrivals].flatMap(([frame, atUs]) => {
    const sent = frame < warmUpFrames ? undefined : sentUs[frame];
    return sent === undefined ? [] : [(atUs - sent) / 1_000];
  });
}

/** The receiver's pictures by frame: the number in them goes around after 256. */
function byFrame(viewer: RoomViewer): Map<number, SeenPicture> {
  const pictures = new Map<number, SeenPicture>();
  let frame = 0;
  for (const picture of viewer.pictures) {
    frame += (picture.number - frame) & 255;
    pictures.set(frame, picture);
  }
  return pictures;
}

/**
 * Of each packet of sound: since the publisher had sent all that it holds. Which sound that is tell the sender reports:
 * pictures, whose numbers are known, lie on the same line.
 */
function addedToSound(sent: SentMedia, heard: RoomViewer['heard'], frames: ReadonlyMap<number, SeenPicture>): number[] {
  const offsetsUs = [...frames].flatMap(([frame, { unixUs }]) =>
    unixUs === undefined ? [] : [unixUs - (frame * 1e6) / framerateHz],
  );
  const offsetUs = median(offsetsUs);
  return heard.slice(150).flatMap(({ unixUs, arrivalUs }) => {
    const endUs = (unixUs ?? Number.NaN) - offsetUs + soundPacketUs;
    // Reports of two streams agree to some milliseconds only: of two neighbours the nearer one that had been sent by then.
    const far = ({ endUs: at }: { readonly endUs: number }) => Math.abs(at - endUs);
    const near = sent.sounds.filter((one) => far(one) < soundPacketUs && one.sentUs <= arrivalUs);
    const [sound] = near.toSorted((a, b) => far(a) - far(b));
    return sound ? [(arrivalUs - sound.sentUs) / 1_000] : [];
  });
}

/** CPU milliseconds per second of these processes from the warm-up to the end. */
async function cpuDuring(pids: () => readonly number[], work: Promise<unknown>): Promise<number> {
  await sleep(3_000);
  const [from, fromMs] = [cpuMsOf(pids()), performance.now()];
  await sleep((seconds - 4) * 1_000);
  const perSecond = ((cpuMsOf(pids()) - from) * 1_000) / (performance.now() - fromMs);
  await work;
  return perSecond;
}

async function throughGateway({ protocol, transport, latency }: Way): Promise<Result> {
  const gateway = await startGateway({ media: { workers: 1 } });
  const makeKey = () =>
    gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', {
      ...{ room: 'demo', name: 'Encoder', protocol, latency },
    });
  const { url } = await makeKey();
  const room = await gateway.app.rooms.open('demo');
  const viewer = await RoomViewer.join(room.media);
  const watching: Promise<unknown>[] = [];
  const watch = ({ producer }: Publication) => watching.push(viewer.watch(producer));
  room.events.on('publicationAdded', watch);
  const sent = await send(url, transport);
  await Promise.all(watching);
  room.events.off('publicationAdded', watch);
  viewer.close();
  const frames = byFrame(viewer);
  const arrivals = new Map([...frames].map(([frame, { arrivalUs }]) => [frame, arrivalUs] as const));
  const pidsOf = (workers: readonly { pid: number }[]) => workers.map(({ pid }) => pid);
  const processes = {
    control: [process.pid],
    media: pidsOf(gateway.app.media.describeWorkers()),
    sfu: pidsOf(await gateway.app.sfu.describeWorkers()),
  };
  const cpuOfEach = (work: Promise<unknown>) =>
    Promise.all(Object.values(processes).map((pids) => cpuDuring(() => pids, work)));
  // Timers and heartbeats of four processes cost the same whether a stream comes or not.
  const idle = await cpuOfEach(sleep(seconds * 1_000));
  const urls = (await Promise.all(Array.from({ length: gatewayStreams }, makeKey))).map((key) => key.url);
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const busy = await cpuOfEach(send(urls.join(','), transport));
  const each = busy.map((ms, i) => (ms - (idle[i] ?? 0)) / gatewayStreams);
  const cpuMsPerS = each.reduce((sum, ms) => sum + ms, 0);
  const parts = Object.keys(processes).map((name, i) => `${name} ${each[i]?.toFixed(1)}`);
  console.log(
    `gateway, ms/s of a stream: ${parts.join(', ')}; event loop of control p99 ${(loop.percentile(99) / 1e6).toFixed(1)} ms`,
  );
  await gateway.close();
  const what = `gateway, ${protocol === 'rtmp' ? 'RTMP' : `RTSP ${transport.toUpperCase()}`}, latency ${latency}`;
  return { what, addedMs: added(sent, arrivals), soundMs: addedToSound(sent, viewer.heard, frames), cpuMsPerS };
}

async function throughNginx(): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'nginx-rtmp-'));
  const port = await freePort();
  const module = 'load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;';
  const rtmp = `rtmp { server { listen 127.0.0.1:${port}; application live { live on; } } }`;
  const rest = `daemon off; master_process off; pid ${folder}/pid; error_log stderr; events { worker_connections 64; }`;
  writeFileSync(join(folder, 'nginx.conf'), `${module}\n${rest}\n${rtmp}\n`);
  const nginx = new PeerProcess('/usr/sbin/nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')]);
  await whenListening(port);
  const url = `rtmp://127.0.0.1:${port}/live/x`;
  const arrivals = new Map<number, number>();
  const pull = new RtmpPull({ url, policy: new NetPolicy({ schemes: ['rtmp'], allow: ['127.0.0.1'] }) });
  pull.start({
    describe: () => undefined,
    deliver: (unit) => unit.kind === 'access_unit' && arrivals.set(Math.round((unit.ptsUs * 30) / 1e6), clockNowUs()),
  });
  const sending = send(url);
  const cpuMsPerS = await cpuDuring(() => [nginx.child.pid ?? 0], sending);
  pull.close();
  await nginx.stop('SIGKILL');
  rmSync(folder, { recursive: true });
  return { what: 'nginx-rtmp, RTMP out', addedMs: added(await sending, arrivals), cpuMsPerS };
}

async function throughFfmpeg(): Promise<Result> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const port = await freePort();
  const arrivals = new Map<number, number>();
  let first: number | undefined;
  socket.on('message', (packet) => {
    const timestamp = packet.readUInt32BE(4);
    first ??= timestamp;
    arrivals.set(Math.round(((timestamp - first) >>> 0) / 3_000), clockNowUs()); // the last packet of a frame stays
  });
  const url = `rtmp://127.0.0.1:${port}/live/x`;
  // Not `nobuffer`: with it the first key frame is thrown away, and everything up to the next.
  const input = ['-analyzeduration', '0', '-probesize', '32', '-listen', '1', '-i', url];
  const output = ['-c', 'copy', '-flush_packets', '1', '-f', 'rtp', `rtp://127.0.0.1:${socket.address().port}`];
  const ffmpeg = new PeerProcess('ffmpeg', ['-hide_banner', '-nostdin', ...input, ...output]);
  // It takes one connection, so there is no asking whether it listens.
  await sleep(1_000);
  const sending = send(url);
  const cpuMsPerS = await cpuDuring(() => [ffmpeg.child.pid ?? 0], sending);
  socket.close();
  await ffmpeg.stop('SIGKILL');
  return { what: 'ffmpeg -c copy, RTP out', addedMs: added(await sending, arrivals), cpuMsPerS };
}

const share = (values: readonly number[], part: number) =>
  (values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN).toFixed(1);

console.log(
  `640x360 at 30 Hz with sound, ${seconds} s each; added latency, and CPU of a stream in milliseconds per second`,
);
const ways: readonly (() => Promise<Result>)[] = [
  () => throughGateway({ protocol: 'rtmp', transport: 'tcp', latency: 'low' }),
  () => throughGateway({ protocol: 'rtsp', transport: 'tcp', latency: 'low' }),
  () => throughGateway({ protocol: 'rtsp', transport: 'udp', latency: 'low' }),
  () => throughGateway({ protocol: 'rtmp', transport: 'tcp', latency: 'smooth' }),
  throughNginx,
  throughFfmpeg,
];
for (const way of wanted?.flatMap((n) => ways[n] ?? []) ?? ways) {
  const { what, addedMs, soundMs, cpuMsPerS } = await way();
  const both = (values: readonly number[]) => `p50 ${share(values, 0.5)} ms, p99 ${share(values, 0.99)} ms`;
  const sound = soundMs ? `; sound ${both(soundMs)}` : '';
  console.log(`${what}: ${both(addedMs)} (${addedMs.length} frames)${sound}; ${cpuMsPerS?.toFixed(1)} ms/s`);
}
process.exit();
