// What comes from outside when no media worker has room for it: who asked is told, and nothing of it stays.
import { strict as assert } from 'node:assert';
import { afterAll, beforeAll, test } from 'vitest';
import type { JobList, NewStreamKeyResource } from '#api/contract.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { freePort } from '#test/support/ports.ts';
import { obsEncoding, testInputs } from '#test/support/test-picture.ts';

let gateway: TestGateway;
/** Nobody listens there: what is pulled from it stays a job that tries. */
let url: string;

beforeAll(async () => {
  // Room for two forwarded streams with sound.
  gateway = await startGateway({ media: { maxLoadPercent: 10 }, netPolicy: { allow: ['127.0.0.1'] } });
  await gateway.api('POST', '/api/rooms', { name: 'full' });
  url = `rtsp://127.0.0.1:${await freePort()}/camera`;
});

afterAll(() => gateway?.close());

const path = '/api/rooms/full/streaming-ins';
const jobs = async () => (await gateway.api<JobList>('GET', '/api/jobs')).items;

test('the third camera is refused with 503, what it would need and when to come again, and is not kept', async () => {
  const made = [];
  for (let n = 0; n < 2; n++) made.push(await gateway.api<{ id: string }>('POST', path, { url }));
  const response = await fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url, name: 'Third' }),
  });
  const problem = (await response.json()) as { code: string; detail: string };
  assert.deepEqual([response.status, problem.code], [503, 'overloaded']);
  assert.match(problem.detail, /needs about 4 % of a core/);
  assert.match(response.headers.get('retry-after') ?? '', /^\d+$/);
  const { items } = await gateway.api<{ items: { id: string }[] }>('GET', path);
  assert.deepEqual(items.map(({ id }) => id).sort(), made.map(({ id }) => id).sort());
  assert.equal((await jobs()).length, 2);
});

test('an encoder is refused with the same reason', async () => {
  const key = await gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', { room: 'full', name: 'OBS' });
  const encoder = new PeerProcess('ffmpeg', [...testInputs, ...obsEncoding(0), '-f', 'flv', key.url]);
  assert.notEqual(await encoder.exited, 0);
  const lines = gateway.log.lines.filter(({ message }) => message === 'rtmp publisher refused');
  assert.match(JSON.stringify(lines), /overloaded.*needs about 4 % of a core/);
  assert.equal((await jobs()).length, 2);
});
