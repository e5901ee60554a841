import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type FromWorkerMessage, silenceLimitMs } from '#media/protocol.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { MediaWorker } from './media-worker.ts';

// Forking Node and loading codecs several times over takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const log = new KeepingLog();
const workers: MediaWorker[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-media-worker-'));
});

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
});

afterAll(() => rm(folder, { recursive: true }));

function start(file?: string): MediaWorker {
  const worker = new MediaWorker({ id: 1, log, logLevel: 'warn', file });
  workers.push(worker);
  return worker;
}

async function program(name: string, code: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, code);
  return file;
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a worker starts, is a spare until it has a port, and tells how it is', async () => {
  const worker = start();
  await worker.whenUp();
  expect(worker.state).toBe('spare');
  await worker.configure(0);
  expect(worker.state).toBe('ready');
  expect(worker.rtpPort).toBeGreaterThan(0);
  await once(worker.events, 'message');
  expect(worker.heartbeat?.rssBytes).toBeGreaterThan(10_000_000);
  const { pid } = worker;
  await worker.close();
  expect(isAlive(pid)).toBe(false);
});

test('the next worker takes over the port of one that was killed', async () => {
  const first = start();
  await first.configure(0);
  const died = once(first.events, 'died');
  process.kill(first.pid, 'SIGKILL');
  expect(await died).toEqual(['was ended by SIGKILL']);
  const second = start();
  await second.configure(first.rtpPort);
  expect(second.rtpPort).toBe(first.rtpPort);
});

test('a port that is taken is replaced by another', async () => {
  const first = start();
  const second = start();
  await first.configure(0);
  await second.configure(first.rtpPort);
  expect(second.rtpPort).not.toBe(first.rtpPort);
});

test('a worker that hangs is killed', async () => {
  const worker = start();
  await worker.configure(0);
  const died = once(worker.events, 'died');
  process.kill(worker.pid, 'SIGSTOP');
  expect(await died).toEqual(['fell silent']);
  expect(isAlive(worker.pid)).toBe(false);
});

test('a worker is not taken for silent by a gateway that did not listen', async () => {
  const worker = start();
  await worker.configure(0);
  const died = vi.fn();
  worker.events.on('died', died);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, silenceLimitMs + 500);
  for (let beats = 0; beats < 2; )
    beats += ((await once(worker.events, 'message')) as [FromWorkerMessage])[0].type === 'heartbeat' ? 1 : 0;
  expect(died).not.toHaveBeenCalled();
});

test('a worker of another release is refused', async () => {
  const worker = start(
    await program('other.mjs', `process.send({ type: 'hello', version: 99 }); setInterval(() => 0, 1e3);`),
  );
  await expect(worker.whenUp()).rejects.toMatchObject({ code: 'media_lost' });
  expect(log.lines.some(({ message }) => message === 'media worker speaks another protocol')).toBe(true);
});

test('a worker that ends at once is told of, with what it wrote', async () => {
  const worker = start(
    await program('broken.mjs', `process.stderr.write('cannot load codecs'); process.exitCode = 3;`),
  );
  const died = once(worker.events, 'died');
  await expect(worker.configure(0)).rejects.toMatchObject({
    code: 'media_lost',
    message: 'The media worker exited with 3.',
  });
  expect(await died).toEqual(['exited with 3']);
  expect(log.lines.some(({ fields }) => fields.text === 'cannot load codecs')).toBe(true);
});

test('a program that is not there is told of', async () => {
  const worker = start(join(folder, 'absent.mjs'));
  await expect(worker.whenUp()).rejects.toMatchObject({ code: 'media_lost' });
});

test('what a worker cannot swallow is dropped, not queued without end', async () => {
  const worker = start();
  await worker.configure(0);
  process.kill(worker.pid, 'SIGSTOP');
  const data = Buffer.alloc(1024 * 1024);
  const unit = { kind: 'access_unit', streamId: 0, ptsUs: 0, dtsUs: 0, isKey: false, data } as const;
  const taken = Array.from({ length: 40 }, () =>
    worker.sendMedia({ type: 'deliverUnit', jobId: 'JB_x', unit, isReplay: false }, data.length),
  ).filter((isTaken) => isTaken).length;
  expect(taken).toBeLessThanOrEqual(16);
  expect(worker.backlog).toBeGreaterThan(0.9);
  process.kill(worker.pid, 'SIGKILL');
});
