// An encoder as OBS sets it up, through the RTMP or RTSP server and a media worker into a room, to what a viewer sees and hears.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { Job, JobTrack } from '#core/job.ts';
import type { MediaSource } from '#core/media-source.ts';
import type { SfuPlainTransport, SfuProducer, SfuRoom } from '#core/ports.ts';
import { createRtmpGateway, defaultRtmpConfig } from '#gateways/rtmp/index.ts';
import { createRtspGateway, defaultRtspConfig } from '#gateways/rtsp/index.ts';
import { MediaPool } from '#jobs/pool.ts';
import { measureFrequency } from '#media/av/test-signals.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';

const log = new KeepingLog();
const config = configSchema.parse({});
let sfu: Sfu;
let pool: MediaPool;
let room: SfuRoom;
let gateway: Awaited<ReturnType<typeof createRtmpGateway>>;
let rtsp: Awaited<ReturnType<typeof createRtspGateway>>;
let job: Promise<Job>;
const producers = new Map<number, PromiseWithResolvers<SfuProducer>>();
const closers: (() => unknown)[] = [];

function producer(trackId: number): PromiseWithResolvers<SfuProducer> {
  const known = producers.get(trackId) ?? Promise.withResolvers<SfuProducer>();
  producers.set(trackId, known);
  return known;
}

beforeAll(async () => {
  sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
  pool = new MediaPool({ config: config.media, log });
  room = await sfu.createRoom({ log });
  const ports = {
    log,
    passwordOf: async () => undefined,
    authorizePlay: () => Promise.reject(new GatewayError('forbidden', 'Nothing is played here.')),
    authorizePublish: async () => ({
      publisherId: 'SK_test',
      whenBusy: 'reject' as const,
      accept: async (source: MediaSource) => {
        job = pool.startJob({
          spec: {
            kind: 'ingress',
            source: { via: 'fed' },
            audio: 'auto',
            video: 'auto',
            videoCodec: 'auto',
            stallTimeoutMs: 3_000,
          },
          host: {
            media: room,
            publishTrack: async (transport: SfuPlainTransport, { id, kind, rtpParameters }: JobTrack) =>
              producer(id).resolve(await transport.produce({ kind, rtpParameters })),
            unpublishTrack: () => undefined,
          },
          log,
          openSource: () => source,
        });
      },
    }),
  };
  const listen = { host: '127.0.0.1', port: 0, tlsPort: undefined };
  gateway = await createRtmpGateway(ports, { ...defaultRtmpConfig, ...listen });
  rtsp = await createRtspGateway(ports, { ...defaultRtspConfig, ...listen });
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  producers.clear();
});

afterAll(async () => {
  await gateway.close();
  await rtsp.close();
  await pool.close();
  await sfu.close();
});

function push(video: string, audio: string, transport?: 'tcp' | 'udp'): PeerProcess {
  // White for a tenth of a second in every second, and a beep at the same time.
  const flash = "color=black:size=640x360:rate=30,drawbox=c=white:t=fill:enable='lt(mod(t,1),0.0999)'";
  const beep = "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':sample_rate=44100";
  const peer = new PeerProcess('ffmpeg', [
    ...['-hide_banner', '-nostdin', '-re', '-f', 'lavfi', '-i', flash, '-re', '-f', 'lavfi', '-i', beep],
    ...video.split(' '),
    ...audio.split(' '),
    // Longer than it is looked at, however late a busy machine begins to.
    ...['-t', '60'],
    ...(transport
      ? ['-f', 'rtsp', '-rtsp_transport', transport, `rtsp://127.0.0.1:${rtsp.port}/live/key`]
      : ['-f', 'flv', `rtmp://127.0.0.1:${gateway.port}/live/key`]),
  ]);
  closers.push(() => peer.stop());
  return peer;
}

async function watch(): Promise<RoomViewer> {
  const viewer = await RoomViewer.join(room);
  closers.push(() => viewer.close());
  await viewer.watch(await producer(0).promise);
  await viewer.watch(await producer(1).promise);
  return viewer;
}

/** When each flash and each beep begins, by the sender reports, and for how long there was no sound to the pictures. */
function beginnings(viewer: RoomViewer): { flashesUs: number[]; beepsUs: number[]; silentUs: number } {
  const flashesUs = viewer.pictures.flatMap(({ number, unixUs }, index) => {
    const before = viewer.pictures[index - 1]?.number;
    return unixUs !== undefined && number === 255 && before === 0 ? [unixUs] : [];
  });
  const beepsUs: number[] = [];
  let quietSamples = 0;
  for (const { samples, unixUs } of viewer.heard) {
    samples.forEach((value, index) => {
      const isLoud = Math.abs(value) > 2_000;
      if (isLoud && quietSamples > 24_000 && unixUs !== undefined) beepsUs.push(unixUs + (index * 1e6) / 48_000);
      quietSamples = isLoud ? 0 : quietSamples + 1;
    });
  }
  // Sound begins when the clock of the source stands, up to a second after its picture.
  const fromUs = (beepsUs[0] ?? Number.POSITIVE_INFINITY) - 500_000;
  const silentUs = fromUs - (flashesUs[0] ?? fromUs);
  return { flashesUs: flashesUs.filter((flashUs) => flashUs > fromUs), beepsUs, silentUs };
}

const x264 = '-c:v libx264 -preset veryfast -b:v 1500k -g 60 -pix_fmt yuv420p';

test.each([
  ['OBS defaults, with B-frames: transcoded', `${x264} -bf 2`, 'transcode', undefined],
  ['without B-frames: forwarded', `${x264} -bf 0`, 'forward', undefined],
  ['by RTSP over TCP: forwarded', `${x264} -bf 0`, 'forward', 'tcp'],
  ['by RTSP over UDP: forwarded', `${x264} -bf 0`, 'forward', 'udp'],
] as const)(
  '%s; flash and beep within 60 ms of each other, from the first on',
  async (_title, video, action, transport) => {
    push(video, '-c:a aac -ar 44100 -b:a 128k', transport);
    const viewer = await watch();
    await viewer.until((seen) => {
      const { flashesUs, beepsUs } = beginnings(seen);
      return flashesUs.length >= 8 && beepsUs.length >= 8;
    });
    const { flashesUs, beepsUs, silentUs } = beginnings(viewer);
    expect(silentUs).toBeLessThan(2_500_000);
    // A machine that stands still may cost a beep.
    const offsetsMs = flashesUs.flatMap((flashUs) => {
      const offsetsUs = beepsUs.map((beepUs) => beepUs - flashUs);
      const nearestUs = offsetsUs.find((offsetUs) => Math.abs(offsetUs) < 500_000);
      return nearestUs === undefined ? [] : [nearestUs / 1_000];
    });
    console.log(action, 'audio after video, ms:', offsetsMs.map((ms) => ms.toFixed(1)).join(' '));
    expect(offsetsMs.length).toBeGreaterThan(4);
    for (const offsetMs of offsetsMs) expect(Math.abs(offsetMs)).toBeLessThan(60);
    const { verdicts } = await job;
    expect(verdicts.find(({ kind }) => kind === 'video')).toMatchObject({ action, to: 'h264' });
    expect(verdicts.find(({ kind }) => kind === 'audio')).toMatchObject({
      action: 'transcode',
      from: 'aac',
      to: 'opus',
    });
    expect(viewer.pictures.at(-1)).toMatchObject({ width: 640, height: 360 });
  },
);

test.each([
  ['MP3', '-c:a libmp3lame -ar 44100'],
  ['Nellymoser', '-c:a nellymoser -ar 22050 -ac 1'],
  ['Speex', '-c:a libspeex -ar 16000 -ac 1'],
])('Sorenson H263 and %s, as encoders of old send them, are seen and heard', async (_name, audio) => {
  push('-c:v flv1 -s 352x288 -b:v 800k', audio);
  const viewer = await watch();
  await viewer.until(({ pictures, heard }) => pictures.length >= 40 && heard.length >= 120);
  expect(viewer.pictures.at(-1)).toMatchObject({ width: 352, height: 288 });
  expect(viewer.pictures.some(({ number }) => number === 255)).toBe(true);
  const loud = viewer.heard.flatMap(({ samples }) => [...samples]).filter((value) => Math.abs(value) > 200);
  expect(loud.length).toBeGreaterThan(2_000);
  const all = Int16Array.from(viewer.heard.flatMap(({ samples }) => [...samples]));
  const start = all.findIndex((value, index) => index > 4_800 && Math.abs(value) > 4_000);
  expect(Math.abs(measureFrequency(all.subarray(start, start + 2_400), 1, 48_000) - 1_000)).toBeLessThan(30);
});
