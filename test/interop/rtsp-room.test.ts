// An RTSP camera (GStreamer) pulled by a media worker itself, into a room, to what a viewer sees and hears.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import type { Job, JobChange, JobTrack } from '#core/job.ts';
import type { SfuPlainTransport, SfuProducer, SfuRoom } from '#core/ports.ts';
import { MediaPool } from '#jobs/pool.ts';
import { measureFrequency } from '#media/av/test-signals.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';

const log = new KeepingLog();
const config = configSchema.parse({});
const script = new URL('../support/gst-camera.py', import.meta.url).pathname;
let sfu: Sfu;
let pool: MediaPool;
let room: SfuRoom;
let camera: PeerProcess;
let port: number;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
  pool = new MediaPool({ config: config.media, log });
  room = await sfu.createRoom({ log });
  camera = new PeerProcess('/usr/bin/python3', [script]);
  port = Number((await camera.says(/listening on (\d+)/))[1]);
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(async () => {
  await camera.stop();
  await pool.close();
  await sfu.close();
});

interface Pull {
  readonly job: Job;
  readonly changes: JobChange[];
  producer(trackId: number): Promise<SfuProducer>;
}

async function pull(url: string, options: Record<string, unknown> = {}): Promise<Pull> {
  const producers = [0, 1].map(() => Promise.withResolvers<SfuProducer>());
  const job = await pool.startJob({
    spec: {
      kind: 'ingress',
      source: {
        via: 'opened',
        protocol: 'rtsp',
        options: { url, policy: { schemes: ['rtsp'], allow: ['127.0.0.1'] }, ...options },
      },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      stallTimeoutMs: 2_000,
    },
    host: {
      media: room,
      publishTrack: async (transport: SfuPlainTransport, { id, kind, rtpParameters }: JobTrack) =>
        producers[id]?.resolve(await transport.produce({ kind, rtpParameters })),
      unpublishTrack: () => undefined,
    },
    log,
  });
  closers.push(() => job.close());
  const changes: JobChange[] = [];
  job.events.on('changed', (change) => {
    changes.push(change);
  });
  const ended = job.done.then(() => Promise.reject(new Error(`the job ended: ${job.info.message}`)));
  ended.catch(() => undefined);
  return { job, changes, producer: (id) => Promise.race([producers[id]?.promise ?? ended, ended]) };
}

async function join(): Promise<RoomViewer> {
  const viewer = await RoomViewer.join(room);
  closers.push(() => viewer.close());
  return viewer;
}

const secondsOf = (heard: readonly { samples: Int16Array }[]) =>
  heard.reduce((sum, { samples }) => sum + samples.length, 0) / 48_000;

test.each([
  ['h264-pcmu', 'tcp', 'video forward h264', 'audio forward pcmu'],
  ['h264-opus', 'udp', 'video forward h264', 'audio forward opus'],
  ['h264-aac', 'udp', 'video forward h264', 'audio transcode opus'],
  ['h265-l16', 'tcp', 'video transcode h264', 'audio transcode opus'],
  ['mjpeg-pcma', 'udp', 'video transcode h264', 'audio forward pcma'],
] as const)('%s by %s: seen and heard', async (path, transport, video, audio) => {
  const { job, producer } = await pull(`rtsp://127.0.0.1:${port}/${path}`, { transport });
  const viewer = await join();
  await viewer.watch(await producer(0));
  await viewer.watch(await producer(1));
  await viewer.until(({ pictures, heard }) => pictures.length >= 25 && secondsOf(heard) >= 1.5);
  expect(viewer.pictures.at(-1)).toMatchObject({ width: 320, height: 240 });
  const samples = Int16Array.from(viewer.heard.slice(2).flatMap((frame) => [...frame.samples]));
  expect(Math.abs(measureFrequency(samples, 1, 48_000) - 440)).toBeLessThan(15);
  expect(job.verdicts.map(({ kind, action, to }) => `${kind} ${action} ${to}`).sort()).toEqual([audio, video]);
  expect(job.state).toBe('live');
});

test('a path that is not there, and an address that must not be reached, fail with their reasons', async () => {
  for (const [url, options] of [
    [`rtsp://127.0.0.1:${port}/nothing`, {}],
    [`rtsp://127.0.0.1:${port}/h264`, { policy: { schemes: ['rtsp'] } }],
    ['http://127.0.0.1/', {}],
  ] as const) {
    const { job } = await pull(url, options);
    await job.done;
    expect(job.info.state).toBe('failed');
    expect(job.info.message.length).toBeGreaterThan(10);
  }
});
