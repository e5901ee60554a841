import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { Ingress } from '#core/ingress.ts';
import type { Room } from '#core/room.ts';
import { MediaPool } from '#jobs/pool.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { NumberedSource, type NumberedSourceOptions } from '#test/support/numbered-source.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';
import { WebRtcStack } from '#test/support/webrtc-stack.ts';

const log = new KeepingLog();
let stack: WebRtcStack;
let pool: MediaPool;

beforeAll(async () => {
  stack = await WebRtcStack.start();
  pool = new MediaPool({ config: { ...configSchema.parse({}).media, workers: 1 }, log });
});

afterAll(async () => {
  await pool.close();
  await stack.close();
});

async function openRoom(name: string): Promise<Room> {
  return stack.rooms.open(await stack.room(name));
}

function start(room: Room, options: NumberedSourceOptions = {}): Promise<Ingress> {
  return Ingress.start({
    room,
    media: pool,
    user: 'camera',
    displayName: 'Camera',
    log,
    spec: {
      kind: 'ingress',
      source: { via: 'fed' },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      stallTimeoutMs: 3_000,
    },
    openSource: () => new NumberedSource(options),
  });
}

/** Both of its streams, once they are in the room. */
async function published(ingress: Ingress, count = 2): Promise<void> {
  while (ingress.participant.publications.size < count) await once(ingress.room.events, 'publicationAdded');
}

test('an ingress is a participant with its streams; it leaves when it is closed, and closes when it is kicked', async () => {
  const room = await openRoom('ingress-participant');
  const ingress = await start(room);
  await published(ingress);
  expect(ingress.participant).toMatchObject({ kind: 'ingress', displayName: 'Camera', isConnected: true });
  await ingress.close();
  expect(ingress.job?.info).toMatchObject({ state: 'ended', reason: 'owner_closed' });
  expect(room.participants.size).toBe(0);
  const kicked = await start(room);
  await published(kicked);
  void kicked.participant.close('kicked');
  expect(await kicked.done).toBe('kicked');
  expect(kicked.job?.isOver).toBe(true);
  expect(pool.jobs.size).toBe(0);
});

test('when the SFU worker of its room dies, the same participant publishes the same streams again', async () => {
  const room = await openRoom('ingress-sfu-lost');
  const ingress = await start(room);
  await published(ingress);
  const before = [...ingress.participant.publications.keys()].sort();
  const reconnecting = new Promise<void>((resolve) =>
    ingress.events.on('changed', ({ reason }) => {
      if (reason === 'sfu_lost') resolve();
    }),
  );
  for (const { pid } of await stack.sfu.describeWorkers()) process.kill(pid, 'SIGKILL');
  await reconnecting;
  await published(ingress);
  expect([...ingress.participant.publications.keys()].sort()).toEqual(before);
  await ingress.job?.whenLive();
  const viewer = await RoomViewer.join(room.media);
  const video = [...ingress.participant.publications.values()].find(({ kind }) => kind === 'video');
  if (!video) throw new Error('no video');
  await viewer.watch(video.producer);
  await viewer.until(({ pictures }) => pictures.length >= 20);
  viewer.close();
  await ingress.close();
});

test('starting and stopping leaves nothing behind', async () => {
  const room = await openRoom('ingress-cycles');
  const cycle = async () => {
    const ingress = await start(room, { width: 160, height: 96 });
    await published(ingress);
    await ingress.close();
  };
  const residentMb = (pid: number) => (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4_096) / 1e6;
  for (let n = 0; n < 100; n++) await cycle();
  const pid = pool.describeWorkers().find(({ state }) => state === 'ready')?.pid ?? 0;
  const files = (pid: number | 'self') => readdirSync(`/proc/${pid}/fd`).length;
  const filesBefore = { worker: files(pid), own: files('self') };
  const before = residentMb(pid);
  for (let n = 0; n < 200; n++) await cycle();
  expect(files(pid)).toBeLessThanOrEqual(filesBefore.worker);
  expect(files('self')).toBeLessThanOrEqual(filesBefore.own + 2);
  const after = pool.describeWorkers().find((worker) => worker.pid === pid);
  expect(after).toMatchObject({ jobs: 0, costMsPerS: 0 });
  const grownMb = residentMb(pid) - before;
  console.log(`the media worker grew by ${grownMb.toFixed(1)} MB over 200 cycles, from ${before.toFixed(1)} MB`);
  expect(pool.jobs.size).toBe(0);
  expect(room.participants.size).toBe(0);
});
