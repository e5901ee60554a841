// What one client may take, and what browsers are told, over real connections to a whole gateway.
import { strict as assert } from 'node:assert';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { WebSocket } from 'ws';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { Refusal, SignallingPeer } from '#test/support/signalling-peer.ts';

let gateway: TestGateway;
let port: number;
beforeAll(async () => {
  gateway = await startGateway({
    http: {
      ...{ corsOrigins: ['https://app.example'], maxBodyBytes: 2_000, maxHeaderBytes: 8_192 },
      ...{ headersTimeoutMs: 600, requestTimeoutMs: 900 },
      // Each test is a client of its own.
      trustedProxies: ['127.0.0.0/8'],
    },
    limits: {
      ...{ requestsPerMinute: 30, requestsPerMinutePerKey: 20, roomsPerMinute: 3, tokensPerMinute: 4 },
      ...{ joinsPerMinute: 2, failedLoginsPerMinute: 100 },
    },
  });
  port = Number(new URL(gateway.url).port);
});
afterAll(() => gateway.close());

interface Asking {
  readonly from: string;
  readonly key?: string;
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

function ask(path: string, { from, key = adminKey, method = 'GET', body, headers }: Asking): Promise<Response> {
  return fetch(`${gateway.url}${path}`, {
    method,
    headers: {
      ...{ authorization: `Bearer ${key}`, 'x-forwarded-for': from },
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** Each answer as it comes, whole: its length is said. */
async function* answersOf(socket: Socket): AsyncGenerator<string> {
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    text += chunk;
    for (;;) {
      const end = text.indexOf('\r\n\r\n');
      const [, length = '0'] = /content-length: (\d+)/i.exec(text) ?? [];
      const whole = end + 4 + Number(length);
      if (end < 0 || text.length < whole) break;
      yield text.slice(0, whole);
      text = text.slice(whole);
    }
  }
}

/** Asks again and again. @param usual status of the others @returns how many passed, and the refusal */
async function until429(next: (i: number) => Promise<Response>, usual?: number) {
  for (let passed = 0; ; passed++) {
    const response = await next(passed);
    const text = await response.text();
    if (usual === undefined ? response.ok : response.status === usual) continue;
    assert.equal(response.status, 429, text);
    assert.match(response.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
    assert.match(response.headers.get('content-type') ?? '', /problem\+json/);
    return { passed, detail: (JSON.parse(text) as { detail: string }).detail };
  }
}

async function keyOf(scopes: readonly string[], from: string): Promise<string> {
  const made = await ask('/api/keys', { from, method: 'POST', body: { name: 'limited', scopes } });
  return ((await made.json()) as { key: string }).key;
}

/** Sends a piece and reads until the server closes. @returns what it said */
function talk(...pieces: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    for (const piece of pieces) socket.write(piece);
  });
}

describe('token buckets', () => {
  test('of an address stop it, and no other', async () => {
    // What is not there has to be asked for all the same, and costs no key anything.
    const { passed, detail } = await until429(() => ask('/api/nothing', { from: '198.51.100.1' }), 404);
    assert.equal(passed, 30);
    assert.match(detail, /^Too many requests: at most 30 in 60 s/);
    assert.equal((await ask('/api/nothing', { from: '198.51.100.2' })).status, 404);
  });

  test('of a key hold from wherever it is used, and for no other key', async () => {
    const key = await keyOf(['rooms:read'], '198.51.100.10');
    const { passed, detail } = await until429((i) => ask('/api/rooms', { from: `198.51.100.${20 + i}`, key }));
    assert.equal(passed, 20);
    assert.match(detail, /^Too many requests with this key/);
    const other = await keyOf(['rooms:read'], '198.51.100.11');
    assert.equal((await ask('/api/rooms', { from: '198.51.100.12', key: other })).status, 200);
  });

  test('of rooms that are made count by key and by address; asked again under the same key makes none', async () => {
    const [one, two] = await Promise.all(['13', '14'].map((n) => keyOf(['rooms:write'], `198.51.100.${n}`)));
    const make = (from: string, key: string | undefined, i: number, extra: Record<string, string> = {}) => {
      const body = { name: `limited-${from.replaceAll('.', '-')}-${i}` };
      return ask('/api/rooms', { from, key: key ?? '', method: 'POST', body, headers: extra });
    };
    const byKey = await until429((i) => make(`203.0.113.${i + 1}`, one, i));
    assert.deepEqual([byKey.passed, /^Too many rooms made/.test(byKey.detail)], [3, true]);
    const first = await make('203.0.113.50', two, 0, { 'idempotency-key': 'a' });
    assert.equal(first.status, 201);
    for (let again = 0; again < 5; again++) {
      const replayed = await make('203.0.113.50', two, 0, { 'idempotency-key': 'a' });
      assert.equal(replayed.headers.get('idempotency-replayed'), 'true');
    }
    const byAddress = await until429((i) => make('203.0.113.50', i === 0 ? two : adminKey, i + 1));
    assert.equal(byAddress.passed, 2);
  });

  test('of join tokens stop who hands out too many', async () => {
    const key = await keyOf(['tokens:write'], '198.51.100.15');
    const body = { user: 'guest', role: 'viewer' };
    const made = await until429((i) =>
      ask('/api/rooms/demo/tokens', { from: `203.0.113.${100 + i}`, key, method: 'POST', body }),
    );
    assert.deepEqual([made.passed, /^Too many join tokens made/.test(made.detail)], [4, true]);
  });

  test('of joins stop one address at every door', async () => {
    const key = await keyOf(['tokens:write'], '198.51.100.16');
    const body = { user: 'many', role: 'presenter' };
    const answer = await ask('/api/rooms/demo/tokens', { from: '198.51.100.16', key, method: 'POST', body });
    const { token } = (await answer.json()) as { token: string };
    const socket = () => SignallingPeer.join(gateway.webSocketUrl, { token }).then(({ peer }) => peer.socket.close());
    await socket();
    await socket();
    await assert.rejects(socket(), (thrown) => thrown instanceof Refusal && thrown.code === 'rate_limited');
    const whip = await fetch(`${gateway.url}/whip/demo`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
      body: 'v=0',
    });
    assert.equal(whip.status, 429);
    assert.match(whip.headers.get('retry-after') ?? '', /^[1-9]/);
  });
});

describe('a request that is too much', () => {
  const headers = `Host: x\r\nContent-Type: application/json\r\nX-Auth-Token: ${adminKey}\r\n`;

  test('by its body is refused 413, said or not', async () => {
    const response = await ask('/api/rooms', { from: '192.0.2.1', method: 'POST', body: { name: 'x'.repeat(2_000) } });
    assert.equal(response.status, 413);
    const problem = (await response.json()) as { code: string; detail: string };
    assert.equal(problem.code, 'too_large');
    assert.match(problem.detail, /more than 2000 bytes/);
    const chunk = `400\r\n${'x'.repeat(1_024)}\r\n`.repeat(3);
    const chunked = `POST /api/rooms HTTP/1.1\r\n${headers}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
    assert.match(await talk(chunked), /^HTTP\/1\.1 413/);
  });

  test('and was refused for its length leaves the connection to the requests after it', async () => {
    const socket = connect(port, '127.0.0.1');
    const answers = answersOf(socket);
    const body = 'x'.repeat(1_000_000);
    socket.write(`POST /api/rooms HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`);
    assert.match((await answers.next()).value ?? 'closed', /^HTTP\/1\.1 413/);
    // Longer than the adapter waits for the rest of a body before it cuts the connection.
    const endsAtMs = performance.now() + 800;
    while (performance.now() < endsAtMs) {
      socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
      assert.match((await answers.next()).value ?? 'closed', /^HTTP\/1\.1 200/);
    }
    socket.destroy();
  });

  test('by its headers is refused 431', async () => {
    assert.match(await talk(`GET /health HTTP/1.1\r\nHost: x\r\nX-Y: ${'y'.repeat(9_000)}\r\n\r\n`), /^HTTP\/1\.1 431/);
  });

  test('in time is refused 408, in its headers as in its body, and the connection ends', async () => {
    assert.match(await talk('GET /health HTTP/1.1\r\nHost: x\r\nX-Slow'), /^HTTP\/1\.1 408/);
    const body = `POST /api/rooms HTTP/1.1\r\n${headers}Content-Length: 20\r\n\r\n{"name": `;
    assert.match(await talk(body), /^HTTP\/1\.1 408/);
  });

  test('over WebSocket, before it is known who it is, ends it without a look at it', async () => {
    for (const text of ['['.repeat(70_000), `{"type":"join","x":"${'x'.repeat(70_000)}"}`]) {
      const socket = new WebSocket(gateway.webSocketUrl);
      const heard: string[] = [];
      const closed = new Promise<number>((resolve) => socket.once('close', resolve));
      socket.on('error', () => undefined);
      socket.on('message', (data) => heard.push(String(data)));
      socket.once('open', () => socket.send(text));
      assert.deepEqual([await closed, heard], [1009, []]);
    }
  });

  test('over WebSocket, in one message, ends it', async () => {
    const socket = new WebSocket(gateway.webSocketUrl);
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.once('open', () => socket.send('x'.repeat(300_000)));
    // RFC 6455 §7.4.1: too big to process.
    assert.equal(await closed, 1009);
  });
});

describe('browsers', () => {
  const preflight = (origin: string, path = '/api/rooms') =>
    fetch(`${gateway.url}${path}`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'x-auth-token' },
    });

  test('of an origin that is listed may call, and read what they have to', async () => {
    const answer = await preflight('https://app.example');
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example');
    assert.match(answer.headers.get('access-control-allow-methods') ?? '', /PATCH/);
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /x-auth-token/);
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    const read = await ask('/api/rooms', { from: '192.0.2.2', headers: { origin: 'https://app.example' } });
    assert.equal(read.headers.get('access-control-allow-origin'), 'https://app.example');
    assert.match(read.headers.get('access-control-expose-headers') ?? '', /retry-after/);
    assert.match(read.headers.get('vary') ?? '', /origin/i);
  });

  test('of any other origin may not, nor of one that only looks like it', async () => {
    for (const origin of ['https://evil.example', 'https://app.example.evil.example', 'http://app.example', 'null']) {
      const answer = await preflight(origin);
      assert.equal(answer.headers.get('access-control-allow-origin'), null, origin);
      const read = await ask('/api/rooms', { from: '192.0.2.3', headers: { origin } });
      assert.equal(read.headers.get('access-control-allow-origin'), null, origin);
    }
    const whip = await preflight('https://evil.example', '/whip/demo');
    assert.equal(whip.headers.get('access-control-allow-origin'), null);
  });

  test('are told what pages and answers may do: no frames elsewhere, no sniffing, no scripts of others', async () => {
    for (const path of [
      '/',
      '/console',
      '/r/demo',
      '/docs',
      '/api/rooms',
      '/api/nothing',
      '/health',
      '/openapi.json',
    ]) {
      const { headers } = await ask(path, { from: '192.0.2.4' });
      assert.match(headers.get('content-security-policy') ?? '', /default-src 'self'.*frame-ancestors 'self'/, path);
      assert.doesNotMatch(headers.get('content-security-policy') ?? '', /script-src[^;]*unsafe/, path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
      assert.equal(headers.get('referrer-policy'), 'no-referrer', path);
      assert.match(headers.get('permissions-policy') ?? '', /camera=\(self\)/, path);
      assert.equal(headers.get('x-powered-by'), null, path);
      assert.equal(headers.get('set-cookie'), null, path);
    }
    assert.equal((await ask('/api/rooms', { from: '192.0.2.4' })).headers.get('cache-control'), 'no-store');
  });
});
