import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { configSchema, type SfuConfig } from '#config/schema.ts';
import type { SfuRoom } from '#core/ports.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { createSfu, type Sfu } from './index.ts';

const log = new KeepingLog();
const open = new Set<Sfu>();

async function start(change: Partial<SfuConfig> = {}, heartbeatMs?: number): Promise<Sfu> {
  const config = { ...configSchema.parse({}).sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }], ...change };
  const sfu = await createSfu(config, { log, heartbeatMs });
  open.add(sfu);
  return sfu;
}

afterEach(async () => {
  for (const sfu of open) await sfu.close();
  open.clear();
});

const pidsOf = async (sfu: Sfu): Promise<number[]> => (await sfu.describeWorkers()).map(({ pid }) => pid);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH
  }
}

const opusParameters = {
  codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 }],
  encodings: [{ ssrc: 4_242 }],
};

/** A room with every kind of object, and a promise for each that settles when it says it is closed. */
async function populate(room: SfuRoom) {
  const webRtc = await room.createWebRtcTransport({ hasData: true });
  const plain = await room.createPlainTransport();
  const producer = await webRtc.produce({ kind: 'audio', rtpParameters: { ...opusParameters, mid: '0' } });
  const consumer = await plain.consume({ producer, rtpCapabilities: room.rtpCapabilities });
  const dataProducer = await webRtc.produceData({ sctpStreamParameters: { streamId: 1 }, label: '', protocol: '' });
  const dataConsumer = await webRtc.consumeData({ dataProducer });
  await room.observeAudio(producer);
  const objects = [webRtc, plain, producer, consumer, dataProducer, dataConsumer];
  return { webRtc, plain, producer, consumer, objects, closed: objects.map(({ events }) => closing(events)) };
}

const closing = (events: { once(event: 'closed', listener: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => events.once('closed', resolve));

test('a worker that dies fails its rooms, is replaced, and new rooms work', async () => {
  const sfu = await start();
  const room = await sfu.createRoom({ log });
  const { objects, closed, webRtc } = await populate(room);
  const told: string[] = [];
  room.events.on('failed', () => told.push('failed'));
  room.events.on('closed', () => told.push('closed'));
  const [pid] = await pidsOf(sfu);
  assert.ok(pid);
  const failed = once(room.events, 'closed');
  process.kill(pid, 'SIGKILL');
  await Promise.all([...closed, failed]);
  expect(told).toEqual(['failed', 'closed']);
  expect(objects.every(({ isClosed }) => isClosed)).toBe(true);
  expect(room.isClosed).toBe(true);
  await expect(room.createWebRtcTransport()).rejects.toMatchObject({ code: 'media_lost' });
  await expect(webRtc.restartIce()).rejects.toMatchObject({ code: 'media_lost' });

  const next = await sfu.createRoom({ log });
  await populate(next);
  const [replacement] = await sfu.describeWorkers();
  expect(replacement).toMatchObject({ rooms: 1, consumers: 1, restarts: 1 });
  expect(replacement?.pid).not.toBe(pid);
  expect(sfu.problems()).toEqual([]);
});

test('requests that are under way when the worker dies say that media was lost', async () => {
  const sfu = await start();
  const room = await sfu.createRoom({ log });
  const { webRtc, producer, consumer, plain } = await populate(room);
  const [pid] = await pidsOf(sfu);
  assert.ok(pid);
  process.kill(pid, 'SIGSTOP'); // so that nothing is answered before it dies
  const asked = [
    room.createWebRtcTransport(),
    room.createPlainTransport(),
    webRtc.getStats(),
    webRtc.produce({ kind: 'audio', rtpParameters: { ...opusParameters, encodings: [{ ssrc: 1 }] } }),
    plain.consume({ producer, rtpCapabilities: room.rtpCapabilities }),
    producer.pause(),
    consumer.resume(),
  ];
  process.kill(pid, 'SIGKILL');
  const outcomes = await Promise.allSettled(asked);
  expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
    asked.map(() => 'media_lost'),
  );
});

test('a room over two workers fails whole when either dies, and nothing is thrown by what it was doing', async () => {
  const sfu = await start({ workers: 2, maxConsumersPerRouter: 1 });
  const room = await sfu.createRoom({ log });
  const { producer } = await populate(room);
  const far = await room.createPlainTransport();
  const consumer = await far.consume({ producer, rtpCapabilities: room.rtpCapabilities });
  expect((await sfu.describeWorkers()).map(({ rooms }) => rooms)).toEqual([1, 1]);
  const [, pid] = await pidsOf(sfu);
  assert.ok(pid);
  process.kill(pid, 'SIGSTOP');
  const failed = once(room.events, 'failed');
  // The pause reaches the stopped worker by the pipe, and is never answered.
  await producer.pause();
  process.kill(pid, 'SIGKILL');
  await failed;
  expect([producer.isClosed, consumer.isClosed]).toEqual([true, true]);
});

test('a worker that hangs is killed and replaced', async () => {
  const sfu = await start({}, 100);
  const room = await sfu.createRoom({ log });
  const [pid] = await pidsOf(sfu);
  assert.ok(pid);
  const failed = once(room.events, 'failed');
  process.kill(pid, 'SIGSTOP');
  await expect(room.createWebRtcTransport()).rejects.toMatchObject({ code: 'media_lost' });
  await failed;
  await expect(sfu.createRoom({ log })).resolves.toMatchObject({ isClosed: false });
  expect(isRunning(pid)).toBe(false);
});

test('a worker that hangs does not hold up close', async () => {
  const sfu = await start();
  const [pid] = await pidsOf(sfu);
  assert.ok(pid);
  process.kill(pid, 'SIGSTOP');
  await sfu.close();
  expect(isRunning(pid)).toBe(false);
});

test('no worker process is left after close', async () => {
  const sfu = await start({ workers: 3 });
  const room = await sfu.createRoom({ log });
  const { closed } = await populate(room);
  const pids = await pidsOf(sfu);
  expect(pids).toHaveLength(3);
  await Promise.all([sfu.close(), sfu.close(), ...closed]);
  expect(pids.filter(isRunning)).toEqual([]);
  expect(room.isClosed).toBe(true);
  expect(sfu.problems()).toEqual(['The SFU has been closed.']);
  await expect(sfu.createRoom({ log })).rejects.toMatchObject({ code: 'closed' });
});

test('close waits for a worker that is being replaced, and leaves none', async () => {
  const sfu = await start();
  const [pid] = await pidsOf(sfu);
  assert.ok(pid);
  const room = await sfu.createRoom({ log });
  const failed = once(room.events, 'failed');
  const before = log.lines.length;
  process.kill(pid, 'SIGKILL');
  await failed;
  await sfu.close();
  const started = log.lines
    .slice(before)
    .flatMap(({ message, fields }) => (message === 'sfu worker started' ? [Number(fields.pid)] : []));
  expect(started.filter(isRunning)).toEqual([]);
});

test('rooms spread over the workers', async () => {
  const sfu = await start({ workers: 2 });
  await Promise.all(Array.from({ length: 6 }, () => sfu.createRoom({ log })));
  const rooms = (await sfu.describeWorkers()).map((worker) => worker.rooms);
  expect(rooms.reduce((sum, count) => sum + count, 0)).toBe(6);
  expect(Math.max(...rooms)).toBeLessThanOrEqual(4);
  const one = await sfu.createRoom({ log });
  one.close();
  one.close();
  expect((await sfu.describeWorkers()).reduce((sum, worker) => sum + worker.rooms, 0)).toBe(6);
});

test('a UDP port in use is named, with what to do about it', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await expect(start({ firstPort: port })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(new RegExp(`UDP 127\\.0\\.0\\.1:${port} is in use.*sfu\\.firstPort`)),
  });
  socket.close();
});

test('a TCP port in use is named too, and UDP alone may then be had', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await expect(start({ firstPort: port })).rejects.toMatchObject({
    message: expect.stringContaining(`TCP 127.0.0.1:${port} is in use`),
  });
  const sfu = await start({ firstPort: port, hasTcp: false });
  const transport = await (await sfu.createRoom({ log })).createWebRtcTransport();
  expect(transport.iceCandidates).toMatchObject([{ protocol: 'udp', ip: '127.0.0.1', port }]);
  server.close();
});

test('an address that is not of this machine is named', async () => {
  await expect(start({ firstPort: 0, listen: [{ ip: '192.0.2.254' }] })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(/192\.0\.2\.254.*sfu\.listen/),
  });
});

test('neither UDP nor TCP is refused', async () => {
  await expect(start({ hasUdp: false, hasTcp: false })).rejects.toMatchObject({
    message: expect.stringContaining('sfu.hasUdp'),
  });
});

test('a worker binary that does not run is named', async () => {
  await expect(start({ workerBin: '/nonexistent/worker' })).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringMatching(/\/nonexistent\/worker.*sfu\.workerBin/),
  });
});

test('without any address configured, all of this machine are offered, loopback among them', async () => {
  const sfu = await start({ listen: [] });
  const transport = await (await sfu.createRoom({ log })).createWebRtcTransport();
  const addresses = transport.iceCandidates.map(({ ip }) => ip);
  expect(addresses).toContain('127.0.0.1');
  expect(addresses.filter((ip) => /^fe80/i.test(ip) || ip === '0.0.0.0')).toEqual([]);
});

test('the announced address stands in the candidates', async () => {
  const sfu = await start({ listen: [{ ip: '127.0.0.1', announcedAddress: 'media.example.org' }] });
  const transport = await (await sfu.createRoom({ log })).createWebRtcTransport();
  expect(transport.iceCandidates.map(({ address }) => address)).toEqual(['media.example.org', 'media.example.org']);
});

test('signals are left to the application', async () => {
  const before = [process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')];
  await start({ workers: 2 });
  expect([process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')]).toEqual(before);
});

test('a new room waits for the replacement, and is refused when none comes', async () => {
  const sfu = await start();
  const [pid] = await pidsOf(sfu);
  assert.ok(pid);
  const first = await sfu.createRoom({ log });
  const failed = once(first.events, 'failed');
  process.kill(pid, 'SIGKILL');
  await failed;
  const [reason] = sfu.problems();
  expect(reason).toContain('No SFU worker is running');
  await expect(sfu.createRoom({ log })).resolves.toMatchObject({ isClosed: false });
});
