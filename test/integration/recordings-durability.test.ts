// Recordings when the disk is full and when the gateway is killed: a clear end, and what was written plays.
import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RecordingResource } from '#api/contract.ts';
import { probeFile, pushFlashes } from '#test/support/flash-and-beep.ts';
import { adminKey, startGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

const waitMs = 60_000;
const testMs = 240_000;
const path = '/api/rooms/daily/recordings';
let folder: string;
let source: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchyard-kept-'));
});

afterEach(async () => {
  source?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

type Api = <T = unknown>(method: string, path: string, body?: unknown) => Promise<T>;

/** Of a gateway at any address. */
function apiOf(url: string): Api {
  return async <T>(method: string, path: string, body?: unknown) => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await fetch(`${url}${path}`, { method, headers, ...(text !== undefined && { body: text }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
}

/** A room with a source in it, recorded as it comes. @returns id of the recording, which runs */
async function record(api: Api): Promise<string> {
  await api('POST', '/api/rooms', { name: 'daily' });
  const made = { room: 'daily', protocol: 'rtmp', name: 'source' };
  const { url } = await api<{ url: string }>('POST', '/api/stream-keys', made);
  source = pushFlashes(url, { isSteady: true });
  const streams = async () => (await api<{ items: unknown[] }>('GET', '/api/rooms/daily/streams')).items;
  await vi.waitFor(async () => expect(await streams()).toHaveLength(2), { timeout: waitMs, interval: 100 });
  const { id } = await api<{ id: string }>('POST', path, { source: { kind: 'participants' }, video: 'copy' });
  await reaches(api, id, 'recording');
  return id;
}

async function reaches(api: Api, id: string, state: RecordingResource['state']): Promise<RecordingResource> {
  const read = () => api<RecordingResource>('GET', `${path}/${id}`);
  await vi.waitFor(async () => expect((await read()).state).toBe(state), { timeout: waitMs, interval: 100 });
  return read();
}

async function saved(url: string, { parts }: RecordingResource): Promise<string[]> {
  const headers = { authorization: `Bearer ${adminKey}` };
  return Promise.all(
    parts.map(async ({ downloadPath, number }) => {
      const answer = await fetch(`${url}${downloadPath}`, { headers });
      const file = join(folder, `saved-${number}`);
      await writeFile(file, Buffer.from(await answer.arrayBuffer()));
      return file;
    }),
  );
}

/** @returns unmounts it; undefined where one may not mount */
function mountSmallDisk(at: string, size: string): (() => void) | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', at], { stdio: 'ignore' });
    return () => execFileSync('umount', ['-l', at]);
  } catch {
    return undefined;
  }
}

test(
  'a disk that becomes full ends the recording with its reason; what was written plays, and the gateway goes on',
  async ({ skip }) => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    const unmount = mountSmallDisk(disk, '128k');
    if (!unmount) skip('only root may mount a small disk');
    const gateway = await startGateway({
      recordings: { folder: disk, minFreeBytes: 0 },
      media: { maxLoadPercent: 100 },
    });
    try {
      const id = await record(gateway.api);
      const failed = await reaches(gateway.api, id, 'failed');
      expect(failed).toMatchObject({ reason: 'disk_full', message: 'The disk is full.' });
      expect(failed.parts).toHaveLength(1);
      const [file = ''] = await saved(gateway.url, failed);
      const facts = await probeFile(file);
      expect(facts.codecs).toEqual(['aac', 'h264']);
      expect(facts.durationS).toBeGreaterThan(1);
      expect(facts.complaints).toBe('');
      await gateway.api('DELETE', `${path}/${id}`);
      const { id: next } = await gateway.api<{ id: string }>('POST', path, { format: 'm4a', video: 'off' });
      await reaches(gateway.api, next, 'recording');
      await gateway.api('POST', `${path}/${next}/stop`);
      await reaches(gateway.api, next, 'finished');
    } finally {
      await gateway.close();
      unmount?.();
    }
  },
  testMs,
);

test(
  'kill -9 of the gateway: at its next start the recording is finished, says why it ended, and plays',
  async () => {
    const data = join(folder, 'data');
    const script = join(import.meta.dirname, 'gateway-process.ts');
    const killed = new PeerProcess(process.execPath, ['--no-warnings', script, data]);
    let id: string;
    let recordedMs: number;
    try {
      const [url = ''] = await killed.says(/^http\S+(?=\n)/);
      const api = apiOf(url);
      id = await record(api);
      const began = performance.now();
      const grown = async () => (await api<RecordingResource>('GET', `${path}/${id}`)).bytes;
      await vi.waitFor(async () => expect(await grown()).toBeGreaterThan(50_000), { timeout: waitMs, interval: 50 });
      recordedMs = performance.now() - began;
    } finally {
      await killed.stop('SIGKILL');
    }
    const gateway = await startGateway({ data });
    try {
      const finished = await reaches(gateway.api, id, 'finished');
      expect(finished.reason).toBe('gateway_ended');
      expect(finished.message).toMatch(/gateway was ended/);
      expect(finished.parts).toHaveLength(1);
      const [part] = finished.parts;
      expect(part).toMatchObject({ isIndexed: true });
      expect(part?.durationMs).toBeGreaterThan(recordedMs - 1_000);
      const [file = ''] = await saved(gateway.url, finished);
      expect((await probeFile(file)).complaints).toBe('');
    } finally {
      await gateway.close();
    }
  },
  testMs,
);
