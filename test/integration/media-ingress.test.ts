import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import type { IngressJobSpec, Job, JobChange, JobTrack, StreamVerdict } from '#core/job.ts';
import type { SfuPlainTransport, SfuProducer, SfuRoom } from '#core/ports.ts';
import { MediaPool } from '#jobs/pool.ts';
import { measureFrequency } from '#media/av/test-signals.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { NumberedSource, type NumberedSourceOptions } from '#test/support/numbered-source.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';

const log = new KeepingLog();
const config = configSchema.parse({});
let sfu: Sfu;
let pool: MediaPool;
let room: SfuRoom;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
  pool = new MediaPool({ config: { ...config.media, workers: 2 }, log });
  room = await sfu.createRoom({ log });
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await pool.close();
  await sfu.close();
});

interface Ingest {
  readonly job: Job;
  readonly sources: NumberedSource[];
  readonly changes: JobChange[];
  readonly producers: Map<number, SfuProducer>;
  readonly published: JobTrack[];
  producer(trackId: number): Promise<SfuProducer>;
  verdict(isWanted: (verdict: StreamVerdict) => boolean): Promise<StreamVerdict>;
}

async function ingest(source: NumberedSourceOptions = {}, spec: Partial<IngressJobSpec> = {}): Promise<Ingest> {
  const sources: NumberedSource[] = [];
  const producers = new Map<number, SfuProducer>();
  const published: JobTrack[] = [];
  const changes: JobChange[] = [];
  const waiting = new Map<number, (producer: SfuProducer) => void>();
  const host = {
    media: room,
    publishTrack: async (transport: SfuPlainTransport, track: JobTrack) => {
      producers.get(track.id)?.close();
      const producer = await transport.produce({ kind: track.kind, rtpParameters: track.rtpParameters });
      producers.set(track.id, producer);
      published.push(track);
      waiting.get(track.id)?.(producer);
    },
    unpublishTrack: (trackId: number) => producers.get(trackId)?.close(),
  };
  const job = await pool.startJob({
    spec: {
      kind: 'ingress',
      source: { via: 'fed' },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      stallTimeoutMs: 1_000,
      ...spec,
    },
    host,
    log,
    openSource: () => {
      const one = new NumberedSource(source);
      sources.push(one);
      return one;
    },
  });
  job.events.on('changed', (change) => changes.push(change));
  opened.push(job);
  return {
    job,
    sources,
    changes,
    producers,
    published,
    producer: async (trackId) =>
      producers.get(trackId) ?? new Promise<SfuProducer>((resolve) => waiting.set(trackId, resolve)),
    verdict: (isWanted) =>
      new Promise((resolve) => {
        const look = (verdicts: readonly StreamVerdict[]) => {
          const found = verdicts.find(isWanted);
          if (found) resolve(found);
        };
        job.events.on('verdictsChanged', look);
        look(job.verdicts);
      }),
  };
}

async function joinRoom(): Promise<RoomViewer> {
  const viewer = await RoomViewer.join(room);
  opened.push(viewer);
  return viewer;
}

function moved(job: Job, state: JobChange['state']): Promise<JobChange> {
  return new Promise((resolve) => {
    const look = (change: JobChange) => {
      if (change.state !== state) return;
      job.events.off('changed', look);
      resolve(change);
    };
    job.events.on('changed', look);
  });
}

/** Numbers that follow each other, however many were missed at the start. */
function isConsecutive(numbers: readonly number[]): boolean {
  return numbers.slice(1).every((number, index) => number === (((numbers[index] ?? 0) + 1) & 255));
}

test('H264 is forwarded untouched, other audio becomes Opus, and both are right', async () => {
  const { job, producer, sources } = await ingest();
  const viewer = await joinRoom();
  await viewer.watch(await producer(0));
  await viewer.watch(await producer(1));
  await job.whenLive();
  await viewer.until(({ pictures, heard }) => pictures.length >= 60 && heard.length >= 120);
  expect(isConsecutive(viewer.pictures.map(({ number }) => number))).toBe(true);
  const samples = viewer.heard.slice(20).flatMap((frame) => [...frame.samples]);
  expect(Math.abs(measureFrequency(Int16Array.from(samples), 1, 48_000) - 440)).toBeLessThan(5);
  expect(viewer.packetsLost).toBe(0);
  expect(job.verdicts.map(({ kind, action, from, to }) => [kind, action, from, to].join(' ')).sort()).toEqual([
    'audio transcode l16 opus',
    'video forward h264 h264',
  ]);
  expect(sources).toHaveLength(1);
});

/** Sound leaves so much sooner than its picture: browsers keep so much more of it until they have had reports. */
const soundLeadUs = 50_000;

test('audio and video leave in step from the first sender reports on, by which receivers go', async () => {
  const { producer, sources } = await ingest();
  const viewer = await joinRoom();
  await viewer.watch(await producer(0));
  await viewer.watch(await producer(1));
  await viewer.until(({ pictures, heard }) => {
    return pictures.filter(({ unixUs }) => unixUs).length > 90 && heard.filter(({ unixUs }) => unixUs).length > 120;
  });
  expect(sources).toHaveLength(1);
  // Both began at the same moment: what is shown now of each must be as old as what is heard.
  const lateness = (frames: readonly { arrivalUs: number; unixUs: number | undefined }[], count: number) => {
    const delays = frames.flatMap(({ arrivalUs, unixUs }) =>
      unixUs ? [arrivalUs - (unixUs - (Date.now() * 1_000 - clockNowUs()))] : [],
    );
    const some = delays.slice(0, count).sort((a, b) => a - b);
    return some[some.length >> 1] ?? 0;
  };
  for (const seconds of [0.5, 3]) {
    const apartUs = lateness(viewer.pictures, 30 * seconds) - lateness(viewer.heard, 50 * seconds);
    expect(Math.abs(apartUs - soundLeadUs)).toBeLessThan(60_000);
  }
});

test('who joins in the middle of a long group of pictures sees it at once', async () => {
  const { producer, job } = await ingest({ gop: 1_000 });
  const first = await joinRoom();
  await first.watch(await producer(0));
  await first.until(({ pictures }) => pictures.length >= 45);
  const seenBefore = first.pictures.length;
  const second = await joinRoom();
  const joinedUs = clockNowUs();
  await second.watch(await producer(0));
  await second.until(({ pictures }) => pictures.length >= 60);
  expect((second.pictures[0]?.arrivalUs ?? Number.POSITIVE_INFINITY) - joinedUs).toBeLessThan(1_000_000);
  expect(isConsecutive(second.pictures.map(({ number }) => number))).toBe(true);
  // The one who was there has not noticed.
  await first.until(({ pictures }) => pictures.length >= seenBefore + 30);
  expect(isConsecutive(first.pictures.map(({ number }) => number))).toBe(true);
  expect(job.verdicts.find(({ kind }) => kind === 'video')?.action).toBe('forward');
});

test('who joins in a group too long to be sent again sees it at once, made for the purpose until the next key frame', async () => {
  // 10 packets a picture: 1450 are kept, which is reached before the viewer joins.
  const { producer, job } = await ingest({ gop: 240, ballastBytes: 11_500 });
  const first = await joinRoom();
  await first.watch(await producer(0));
  await first.until(({ pictures }) => pictures.length >= 170);
  const forwardedMsPerS = job.costMsPerS;
  const second = await joinRoom();
  const joinedUs = clockNowUs();
  await second.watch(await producer(0));
  await second.until(({ pictures }) => pictures.length >= 5);
  const waitedMs = ((second.pictures[0]?.arrivalUs ?? Number.POSITIVE_INFINITY) - joinedUs) / 1_000;
  console.log(`picture after ${waitedMs.toFixed(0)} ms, number ${second.pictures[0]?.number}`);
  // Not that of the source's next key frame, which has the number 240.
  expect(second.pictures[0]?.number).toBeLessThan(235);
  expect(job.costMsPerS).toBeGreaterThan(forwardedMsPerS);
  await second.until(({ pictures }) => pictures.length >= 110);
  expect(isConsecutive(second.pictures.map(({ number }) => number))).toBe(true);
  await first.until(({ pictures }) => pictures.length >= 280);
  expect(isConsecutive(first.pictures.map(({ number }) => number))).toBe(true);
  // The decoder and the encoder are gone with the source's own key frame.
  expect(job.costMsPerS).toBe(40);
  expect(job.verdicts.find(({ kind }) => kind === 'video')?.action).toBe('forward');
});

test('a source with reordered frames is transcoded, and the job says why', async () => {
  const { producer, verdict } = await ingest({ isReordered: true, gop: 1_000 });
  const found = await verdict(({ action, kind }) => action === 'transcode' && kind === 'video');
  expect(found.reasons[0]).toContain('B-frames');
  const viewer = await joinRoom();
  await viewer.watch(await producer(0));
  await viewer.until(({ pictures }) => pictures.length >= 40);
  expect(isConsecutive(viewer.pictures.map(({ number }) => number))).toBe(true);
});

test('VP8 is forwarded as it is, and made H264 when that is asked for', async () => {
  for (const videoCodec of ['auto', 'h264'] as const) {
    const { producer, job } = await ingest({ codec: 'vp8', hasAudio: false }, { videoCodec });
    const viewer = await joinRoom();
    const stream = await producer(0);
    expect(stream.rtpParameters.codecs[0]?.mimeType.toLowerCase()).toBe(
      videoCodec === 'auto' ? 'video/vp8' : 'video/h264',
    );
    await viewer.watch(stream);
    await viewer.until(({ pictures }) => pictures.length >= 30);
    expect(isConsecutive(viewer.pictures.map(({ number }) => number))).toBe(true);
    await job.close();
  }
});

test('kill -9 of the media worker: the same job, producer and numbers go on', async () => {
  const { job, producer, producers, published, changes, sources } = await ingest({ gop: 1_000 });
  const viewer = await joinRoom();
  await viewer.watch(await producer(0));
  await viewer.watch(await producer(1));
  await viewer.until(({ pictures, heard }) => pictures.length >= 30 && heard.length >= 30);
  const before = { ...producers.get(0) };
  const { pid } = { pid: job.workerPid ?? 0 };
  const live = moved(job, 'live');
  const killedUs = clockNowUs();
  const numberWhenKilled = sources[0]?.lastNumber ?? 0;
  process.kill(pid, 'SIGKILL');
  await moved(job, 'reconnecting');
  await live;
  const isNew = ({ number, arrivalUs }: { number: number; arrivalUs: number }) =>
    arrivalUs > killedUs + 50_000 && ((number - numberWhenKilled) & 255) < 128;
  await viewer.until(({ pictures }) => pictures.filter(isNew).length >= 10);
  await viewer.until(({ heard }) => heard.some(({ arrivalUs }) => arrivalUs > killedUs + 300_000));
  const gapMs = ((viewer.pictures.find(isNew)?.arrivalUs ?? 0) - killedUs) / 1_000;
  console.log(`pictures again ${gapMs.toFixed(0)} ms after the kill`);
  expect(gapMs).toBeLessThan(2_000);
  expect(job.workerPid).not.toBe(pid);
  expect(job.info.restarts).toBe(1);
  expect(changes.map(({ state, reason }) => `${state} ${reason}`)).toEqual([
    'live media_flowing',
    'reconnecting worker_lost',
    'live media_flowing',
  ]);
  // The room has noticed nothing: the same producers, published once.
  expect(published.map(({ id }) => id).sort()).toEqual([0, 1]);
  expect(producers.get(0)?.isClosed).toBe(false);
  expect(before).toBeTruthy();
  expect(sources).toHaveLength(1);
});

test('a silent source stalls and comes back; a lost one is reconnected on the same producer', async () => {
  const { job, producer, published, sources } = await ingest();
  const viewer = await joinRoom();
  await viewer.watch(await producer(0));
  await viewer.until(({ pictures }) => pictures.length >= 15);
  const stalled = moved(job, 'stalled');
  sources[0]?.setSilent(true);
  expect(await stalled).toMatchObject({ reason: 'source_silent' });
  const live = moved(job, 'live');
  sources[0]?.setSilent(false);
  await live;
  const lost = moved(job, 'reconnecting');
  sources[0]?.drop();
  expect(await lost).toMatchObject({ reason: 'source_lost' });
  await moved(job, 'live');
  const again = viewer.pictures.length;
  await viewer.until(({ pictures }) => pictures.length >= again + 30);
  expect(published.filter(({ id }) => id === 0)).toHaveLength(1);
  expect(sources).toHaveLength(2);
});

test('a job that does not fit is refused with what it needs', async () => {
  const small = new MediaPool({ config: { ...config.media, workers: 1, maxLoadPercent: 10 }, log });
  opened.push(small);
  const spec = {
    kind: 'ingress',
    source: { via: 'fed' },
    audio: 'auto',
    video: 'auto',
    videoCodec: 'auto',
    stallTimeoutMs: 1_000,
  } as const;
  const host = { media: room, publishTrack: async () => undefined, unpublishTrack: () => undefined };
  const openSource = () => new NumberedSource();
  for (let n = 0; n < 2; n++) await small.startJob({ spec, host, log, openSource });
  await expect(small.startJob({ spec, host, log, openSource })).rejects.toMatchObject({ code: 'overloaded' });
});

test('a source that never sends anything fails within its bound', async () => {
  const silent = {
    done: new Promise<never>(() => undefined),
    start: () => undefined,
    requestKeyFrame: () => false,
    pause: () => undefined,
    resume: () => undefined,
    close: () => undefined,
  };
  const job = await pool.startJob({
    spec: {
      kind: 'ingress',
      source: { via: 'fed' },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      stallTimeoutMs: 1_000,
      startTimeoutMs: 300,
    },
    host: { media: room, publishTrack: async () => undefined, unpublishTrack: () => undefined },
    log,
    openSource: () => silent,
  });
  await expect(job.whenLive()).rejects.toMatchObject({ code: 'timeout' });
  expect(job.info).toMatchObject({ state: 'failed', reason: 'start_timeout' });
});
