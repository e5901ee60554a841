// What is looked for in a stream of a real source, told in the order of what it shows, also by another worker after the first.
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import type { AnalysisResource, EventResource } from '#api/contract.ts';
import { encodeFiles } from '#test/support/ffmpeg-clip.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';

let folder: string;
let gateway: TestGateway;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-analytics-'));
  const size = 's=320x180:r=15';
  const inputs = [
    ...['-f', 'lavfi', '-i', `testsrc2=${size}:d=1.5`, '-f', 'lavfi', '-i', `color=black:${size}:d=1.5`],
    ...['-f', 'lavfi', '-i', 'sine=f=440:r=48000:d=1.5', '-f', 'lavfi', '-i', 'anullsrc=r=48000:cl=mono:d=1.5'],
  ];
  const graph = '[0][1]concat=n=2:v=1:a=0[v];[2][3]concat=n=2:v=0:a=1[a]';
  const video = [
    '-c:v',
    'libx264',
    '-profile:v',
    'baseline',
    '-pix_fmt',
    'yuv420p',
    '-g',
    '15',
    '-preset',
    'ultrafast',
  ];
  const output = ['-c:a', 'aac', join(folder, 'fade.mp4')];
  await encodeFiles(...inputs, '-filter_complex', graph, '-map', '[v]', '-map', '[a]', ...video, ...output);
  gateway = await startGateway({ ingress: { mediaFolder: folder }, rooms: { initial: ['watched'] } });
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  rmSync(folder, { recursive: true, force: true });
});

const room = '/api/rooms/watched';

/** Asked again until it holds: bounded by the time of the test. */
async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

const told = async () =>
  (await gateway.api<{ items: EventResource[] }>('GET', `${room}/events?type=analytics.*&limit=500`)).items;
const foundBy = async (detector: string) => (await told()).filter(({ data }) => data.detector === detector);

test('a stream that goes black, still and silent is reported with its times, also after its media worker died', async () => {
  await gateway.api('POST', `${room}/streaming-ins`, { url: 'file:///fade.mp4', name: 'Fade', loop: true });
  const detectors = { black: { minDurationMs: 500 }, freeze: { minDurationMs: 500 }, silence: { minDurationMs: 500 } };
  const source = { participant: 'Fade' };
  const input = { name: 'Watch', source, detectors: { ...detectors, loudness: {} }, framerateHz: 10 };
  const { id } = await gateway.api<AnalysisResource>('POST', `${room}/analytics`, input);
  const read = () => gateway.api<AnalysisResource>('GET', `${room}/analytics/${id}`);

  // 1500 ms each; of the first it may have come in the middle.
  const isWhole = ({ type, data }: EventResource) =>
    type === 'analytics.cleared' && Number(data.durationMs) > 1_000 && Number(data.durationMs) < 6_000;
  for (const detector of ['black', 'freeze', 'silence']) {
    const [begun] = await until(
      () => foundBy(detector),
      (events) => events.some(isWhole),
    );
    assert.deepEqual([begun?.type, begun?.data.analysisId, begun?.data.name], ['analytics.detected', id, 'Watch']);
  }
  const heard = await until(read, ({ levels }) => levels.momentaryLufs !== null);
  assert.ok((heard.levels.momentaryLufs ?? 0) > -40, JSON.stringify(heard.levels));
  assert.equal(heard.state, 'live');

  const { workerPid } = await gateway.api<{ workerPid: number }>('GET', `/api/jobs/${heard.jobId}`);
  process.kill(workerPid, 'SIGKILL');
  const back = await until(read, ({ state, restarts }) => state === 'live' && restarts > 0);
  assert.equal(back.jobId, heard.jobId);
  const count = (await foundBy('black')).filter(({ type }) => type === 'analytics.detected').length;
  await until(
    () => foundBy('black'),
    (events) => events.filter(({ type }) => type === 'analytics.detected').length > count,
  );
  await gateway.api('DELETE', `${room}/analytics/${id}`);
  assert.deepEqual((await gateway.api<{ items: unknown[] }>('GET', `/api/jobs?kind=analytics`)).items, []);
}, 90_000);
