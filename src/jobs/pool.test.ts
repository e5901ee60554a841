import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
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

async function startJob(pool: MediaPool, source = new CountingSource()) {
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
    host: { media: room, publishTrack: async () => undefined, unpublishTrack: () => undefined },
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
  const pool = await poolOf(`process.send({ type: 'costAsked', jobId, costMsPerS: 500 });`);
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
