// The published client against a real gateway; its types are checked with the rest of the code.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { ApiError, type Client, createClient, itemsOf, Unreachable } from '#client/index.mjs';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';
import { freePort } from '#test/support/ports.ts';

const projectDir = join(import.meta.dirname, '..', '..');

let gateway: TestGateway;
let client: Client;
beforeAll(async () => {
  gateway = await startGateway();
  client = createClient({ url: gateway.url, token: adminKey });
});
afterAll(() => gateway?.close());

test('the example of its page runs as it is written', async () => {
  const page = readFileSync(join(projectDir, 'docs/client.md'), 'utf8');
  const [, example = ''] = /^```js\n(.*?)^```\n/ms.exec(page) ?? [];
  const env = { ...process.env, SWITCHYARD_URL: gateway.url, SWITCHYARD_ADMIN_KEY: adminKey };
  const node = new PeerProcess(process.execPath, ['--input-type=module', '--eval', example], { cwd: projectDir, env });
  assert.equal(await node.exited, 0, node.output);
  assert.match(node.output, /^alice joins at http:\/\/127.0.0.1:\d+\/r\/weekly#/m);
  assert.match(node.output, /^weekly false$/m);
  assert.match(node.output, /^412 precondition_failed /m);
  await assert.rejects(
    client.readRoom({ room: 'weekly' }),
    (thrown) => thrown instanceof ApiError && thrown.status === 404,
  );
});

test('a list is read to its end, page by page, and its items have their types', async () => {
  for (const name of ['page-a', 'page-b', 'page-c', 'page-d', 'page-e']) await client.createRoom({ body: { name } });
  const names: string[] = [];
  for await (const room of itemsOf(client.listRooms, { query: { limit: 2 } })) names.push(room.name);
  assert.deepEqual(names.filter((name) => name.startsWith('page-')).sort(), [
    'page-a',
    'page-b',
    'page-c',
    'page-d',
    'page-e',
  ]);
});

test('a refusal names code and fields', async () => {
  // @ts-expect-error a room has no such setting, and the types say so
  const wrong = client.createRoom({ body: { name: 'typed', colour: 'red' } });
  const error = await wrong.catch((thrown: unknown) => thrown);
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.status, error.code, error.operation], [400, 'invalid_request', 'createRoom']);
  assert.match(JSON.stringify(error.errors), /colour/);
});

test('what an operation needs and does not know is said before anything is sent', async () => {
  // @ts-expect-error its room is missing
  await assert.rejects(client.readRoom({}), /readRoom needs room/);
  // @ts-expect-error it has no such field
  await assert.rejects(client.readRoom({ room: 'demo', foo: 1 }), /readRoom takes no foo/);
  // @ts-expect-error there is no such operation
  assert.equal(client.makeCoffee, undefined);
});

test('a gateway that is not there, and one that does not answer in time, are told apart from a refusal', async () => {
  const nobody = createClient({ url: `http://127.0.0.1:${await freePort()}`, token: adminKey });
  await assert.rejects(
    nobody.listRooms(),
    (thrown) => thrown instanceof Unreachable && /ECONNREFUSED/.test(thrown.message),
  );
  const slow = createClient({ url: gateway.url, token: adminKey, fetch: (_, init) => waitsFor(init?.signal) });
  await assert.rejects(slow.listRooms({ timeoutMs: 50 }), /no answer in time/);
});

const waitsFor = (signal: AbortSignal | null | undefined) =>
  new Promise<Response>((_, reject) => {
    // Keeps the process awake: a timer of a signal alone does not.
    const awake = setInterval(() => undefined, 1_000);
    signal?.addEventListener('abort', () => {
      clearInterval(awake);
      reject(signal.reason);
    });
  });

test('the gateway hands it out, so that a program needs nothing but the address', async () => {
  for (const [name, type] of [
    ['index.mjs', /javascript/],
    ['operations.mjs', /javascript/],
    ['operations.d.mts', /text\/plain/],
  ] as const) {
    const answer = await fetch(`${gateway.url}/client/${name}`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type') ?? '', type);
    assert.equal(await answer.text(), readFileSync(join(projectDir, 'src/client', name), 'utf8'));
  }
  assert.equal((await fetch(`${gateway.url}/client/render-operations.ts`)).status, 404);
});
