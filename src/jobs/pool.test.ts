import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { JobChange } from '#core/job.ts';
import type { MediaSource, SourceSink } from '#core/media-source.ts';
import type { SfuRoom } from '#core/ports.ts';
import { FakeSfu } from '#test/support/fake-sfu.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { MediaPool } from './pool.ts';

const log = new KeepingLog();
const { media } = configSchema.parse({});
const pools: MediaPool[] = [];
let folder: string;
let room: SfuRoom;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-pool-'));
  room = await new FakeSfu().createRoom();
});

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

afterAll(() => rm(folder, { recursive: true }));

/** A worker that speaks the protocol and does `onJob` with each job. */
async function poolOf(onJob: string): Promise<MediaPool> {
  const workerFile = join(folder, `${pools.length}-${Math.random()}.mjs`);
  await writeFile(
    workerFile,
    `process.send({ type: 'hello', version: 1 });
     process.on('disconnect', () => process.exit());
     const beat = () => process.send({ type: 'heartbeat', cpuMs: 1, rssBytes: 1, eventLoopDelayP99Ms: 1, jobs: [] });
     setInterval(beat, 500);
     process.on('message', (message) => {
       if (message.type === 'configure') process.send({ type: 'ready', rtpPort: message.rtpPort || 40000 });
       if (message.type === 'startJob') { const { jobId } = message; ${onJob} }
     });`,
  );
  const pool = new MediaPool({ config: { ...media, workers: 1 }, log, workerFile });
  pools.push(pool);
  return pool;
}

class CountingSource implements MediaSource {
  readonly done = new Promise<never>(() => undefined);
  sink: SourceSink | undefined;
  isClosed = false;
  start(sink: SourceSink): void {
    this.sink = sink;
  }
  requestKeyFrame = () => false;
  pause = () => undefined;
  resume = () => undefined;
  close = () => {
    this.isClosed = true;
  };
}

async function startJob(
  pool: MediaPool,
  source = new CountingSource(),
  mediaOf: () => SfuRoom = () => room,
  publishTrack: () => Promise<void> = async () => undefined,
) {
  const changes: JobChange[] = [];
  const job = await pool.startJob({
    spec: {
      kind: 'ingress',
      source: { via: 'fed' },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      stallTimeoutMs: 1_000,
    },
    host: {
      get media() {
        return mediaOf();
      },
      publishTrack,
      unpublishTrack: () => undefined,
    },
    log,
    openSource: () => source,
  });
  job.events.on('changed', (change) => changes.push(change));
  return { job, changes, source };
}

test('a job that kills every worker it gets is given up after a bounded number of them', {
  timeout: 30_000,
}, async () => {
  const pool = await poolOf(`process.send({ type: 'openSource', jobId }, () => process.kill(process.pid, 'SIGKILL'));`);
  const { job, changes, source } = await startJob(pool);
  expect(await job.done).toBe('failed');
  expect(job.info).toMatchObject({ state: 'failed', reason: 'worker_lost' });
  expect(job.info.message).toMatch(/died \d+ times/);
  expect(changes.filter(({ state }) => state === 'reconnecting').length).toBeGreaterThanOrEqual(1);
  expect(job.info.restarts).toBeLessThanOrEqual(9);
  expect(source.isClosed).toBe(true);
  expect(pool.jobs.size).toBe(0);
});

test('what a job found out to cost counts, and what does not fit any more is refused', async () => {
  const pool = await poolOf(`process.send({ type: 'costAsked', jobId, askId: 1, costMsPerS: 500 });`);
  const { job } = await startJob(pool);
  await expect.poll(() => job.costMsPerS).toBe(500);
  const second = await startJob(pool);
  await expect.poll(() => second.job.state).toBe('starting');
  // 500 and 500 are more than the 800 of a worker: the second keeps what it was reckoned at.
  expect(second.job.costMsPerS).toBeLessThan(500);
  for (let n = 0; n < 20; n++) {
    try {
      await startJob(pool);
    } catch (error) {
      expect(error).toMatchObject({ code: 'overloaded', retryAfterMs: 10_000 });
      return;
    }
  }
  expect.unreachable('it took more than it can do');
});

test('an answer about what a job may cost says which question it is to', async () => {
  const pool = await poolOf(`
    process.on('message', ({ type, askId }) => {
      if (type === 'costRefused') process.send({ type: 'costAsked', jobId, askId: 1, costMsPerS: 100 + askId });
    });
    process.send({ type: 'costAsked', jobId, askId: 7, costMsPerS: 5_000 });
  `);
  const { job } = await startJob(pool);
  await expect.poll(() => job.costMsPerS).toBe(107);
});

test('a job whose room has no media just now is answered all the same', async () => {
  const pool = await poolOf(`
    let costMsPerS = 100;
    setInterval(() => process.send({ type: 'costAsked', jobId, askId: 1, costMsPerS: ++costMsPerS }), 20);
  `);
  let isRebuilt = true;
  const mediaOf = () => {
    if (isRebuilt) return room;
    throw new GatewayError('media_lost', 'The room is getting a new media worker.');
  };
  const { job } = await startJob(pool, new CountingSource(), mediaOf);
  isRebuilt = false;
  const before = job.costMsPerS;
  await expect.poll(() => job.costMsPerS).toBeGreaterThan(Math.max(before, 100) + 3);
});

test('a track whose room loses its media as it is published is not refused: it is announced again where that comes back', async () => {
  const pool = await poolOf(`
    const resume = { id: 1, kind: 'audio', codec: 'opus', ssrc: 1, sequenceNumber: 1, rtpTimestamp: 1, clockUs: 1 };
    const rtpParameters = { codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48000, channels: 2 }], encodings: [{ ssrc: 1 }], rtcp: { cname: 'a', reducedSize: true } };
    let isRefused = false;
    process.on('message', ({ type }) => (isRefused ||= type === 'trackRefused'));
    process.send({ type: 'trackReady', jobId, trackId: 1, kind: 'audio', rtpParameters, resume });
    setTimeout(() => process.send({ type: 'costAsked', jobId, askId: 1, costMsPerS: isRefused ? 777 : 111 }), 300);
  `);
  let asked = 0;
  const { job } = await startJob(
    pool,
    new CountingSource(),
    () => room,
    async () => {
      asked += 1;
      throw new GatewayError('media_lost', 'The room is getting a new media worker.');
    },
  );
  await expect.poll(() => job.costMsPerS).toSatisfy((costMsPerS: number) => costMsPerS > 100);
  expect([asked, job.costMsPerS]).toEqual([1, 111]);
});

test('a track that is announced again while it is being published is published once', async () => {
  const pool = await poolOf(`
    const resume = { id: 1, kind: 'audio', codec: 'opus', ssrc: 1, sequenceNumber: 1, rtpTimestamp: 1, clockUs: 1 };
    const rtpParameters = { codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48000, channels: 2 }], encodings: [{ ssrc: 1 }], rtcp: { cname: 'a', reducedSize: true } };
    let count = 0;
    process.on('message', ({ type }) => {
      if (type === 'trackPublished' && ++count === 2) process.send({ type: 'costAsked', jobId, askId: 1, costMsPerS: 222 });
    });
    for (let n = 0; n < 2; n++) process.send({ type: 'trackReady', jobId, trackId: 1, kind: 'audio', rtpParameters, resume });
  `);
  let asked = 0;
  const publishTrack = () => {
    asked += 1;
    return new Promise<void>((resolve) => setTimeout(resolve, 50));
  };
  const { job } = await startJob(pool, new CountingSource(), () => room, publishTrack);
  await expect.poll(() => job.costMsPerS).toBe(222);
  expect(asked).toBe(1);
});

test('a pool that drains takes nothing, and one that closes ends its jobs and sources', async () => {
  const pool = await poolOf(`process.send({ type: 'openSource', jobId });`);
  const { job, source } = await startJob(pool);
  await expect.poll(() => source.sink).toBeDefined();
  pool.drain();
  await expect(startJob(pool)).rejects.toMatchObject({ code: 'draining' });
  await pool.close();
  expect(job.info).toMatchObject({ state: 'ended', reason: 'owner_closed' });
  expect(source.isClosed).toBe(true);
});
