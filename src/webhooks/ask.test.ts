import { strict as assert } from 'node:assert';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, test } from 'vitest';
import { NetPolicy } from '#core/net-policy.ts';
import { createHookAsker } from './ask.ts';

const secret = `whsec_${Buffer.alloc(24, 5).toString('base64')}`;
const question = {
  dialled: '+4930',
  from: '+4989',
  trunk: undefined,
  account: 'alice',
  divertedFrom: ['+4940'],
  address: '192.0.2.1',
};
let asked: { headers: Record<string, string | string[] | undefined>; body: string } | undefined;
let answer = { status: 200, text: '{}' };
let url = '';
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  asked = { headers: request.headers, body };
  if (answer.status > 0) response.writeHead(answer.status).end(answer.text);
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/decide`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const ask = (allow: string[], timeoutMs = 3_000) => {
  const policy = new NetPolicy({ schemes: ['http'], allow });
  const asker = createHookAsker({ policy, userAgent: 'test', signal: new AbortController().signal });
  return asker({ url, secret, timeoutMs }, question);
};

test('the call is told, signed, and the room of the answer is taken', async () => {
  answer = { status: 200, text: '{"room": "desk", "access": "open"}' };
  assert.deepEqual(await ask(['127.0.0.1']), { room: 'desk', access: 'open' });
  const { headers, body } = asked ?? assert.fail();
  assert.deepEqual(JSON.parse(body), {
    type: 'call.dispatch',
    dialled: '+4930',
    from: '+4989',
    account: 'alice',
    divertedFrom: ['+4940'],
    address: '192.0.2.1',
  });
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const expected = createHmac('sha256', Buffer.alloc(24, 5)).update(signed).digest('base64');
  assert.equal(headers['webhook-signature'], `v1,${expected}`);
});

test('a rejection has its status and reason', async () => {
  answer = { status: 200, text: '{"reject": {"reason": "Closed today."}}' };
  assert.deepEqual(await ask(['127.0.0.1']), { reject: { status: 603, reason: 'Closed today.' } });
});

test.each([
  ['an error', { status: 500, text: '' }, 'upstream_refused'],
  ['something else', { status: 200, text: '{"room": 5}' }, 'upstream_refused'],
  ['no JSON', { status: 200, text: '<html>' }, 'upstream_refused'],
  ['nothing', { status: 0, text: '' }, 'timeout'],
])('one that answers with %s does not decide', async (_what, given, code) => {
  answer = given;
  await assert.rejects(ask(['127.0.0.1'], 500), { code });
});

test('one that may not be reached is not asked', async () => {
  asked = undefined;
  await assert.rejects(ask([]), { code: 'forbidden' });
  assert.equal(asked, undefined);
});
