// The listeners on real sockets: what arrives there is not always HTTP, and not always friendly.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createMetricsApp } from '#api/app.ts';
import { HttpListener } from '#api/http-listener.ts';
import { createServers, type Servers } from '#api/server.ts';
import type { UpgradeMap } from '#api/upgrades.ts';
import { configSchema } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { usualLimits } from '#test/support/client-limits.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { someApi } from '#test/support/some-api.ts';

let data: string;
let servers: Servers | undefined;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'switchyard-server-'));
});
afterEach(async () => {
  await servers?.close();
  rmSync(data, { recursive: true });
});

const free = { host: '127.0.0.1', port: 0 };

async function listen(
  options: { upgrades?: UpgradeMap; http?: object; https?: object; metrics?: object; limits?: object } = {},
) {
  const api = await someApi();
  const config = configSchema.parse({
    data,
    http: { ...free, ...options.http },
    https: { port: 0, ...options.https },
    metrics: { ...free, ...options.metrics },
    limits: { ...options.limits },
  });
  const started = await createServers({
    config,
    fetch: api.app.fetch,
    metricsFetch: createMetricsApp(api).fetch,
    upgrades: options.upgrades ?? {},
    log: api.log,
  });
  servers = started;
  const { http, https, metrics } = started.addresses;
  return { ...api, servers: started, http: http?.port ?? 0, https: https?.port ?? 0, metricsPort: metrics?.port ?? 0 };
}

/** Sends bytes as they are and reads until the server closes or has sent a whole answer. */
async function talk(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  // Being cut off is an answer too.
  socket.on('error', () => undefined);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.write(bytes);
  await closing(socket);
  return text;
}

function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const get = (path: string, extra = '') =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${extra}\r\n`;

describe('the listeners', () => {
  test('answer on HTTP, on HTTPS with a certificate that holds for localhost, and on the scraper’s port', async () => {
    const { http, https, metricsPort, servers, admin } = await listen();
    assert.equal((await fetch(`http://127.0.0.1:${http}/health`)).status, 200);
    const answer = httpsRequest({
      host: '127.0.0.1',
      port: https,
      path: '/health',
      ca: servers.certificate?.cert,
    }).end();
    const [response] = await once(answer, 'response');
    assert.equal(response.statusCode, 200);
    response.resume();
    assert.equal((await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).status, 200);
    assert.equal((await fetch(`http://127.0.0.1:${http}/metrics`)).status, 401);
    const rooms = await fetch(`http://127.0.0.1:${http}/api/rooms`, { headers: { 'x-auth-token': admin } });
    assert.deepEqual(await rooms.json(), { items: [], next: null });
  });

  test('take nothing at all for no body where none is needed, also when it is called JSON', async () => {
    const { http, admin, rooms } = await listen();
    await rooms.create({ name: 'demo' });
    const post = async (path: string, extra = '') => {
      const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Auth-Token: ${admin}\r\n`;
      return (await talk(http, `${head}Content-Type: application/json\r\n${extra}\r\n`)).slice(9, 12);
    };
    expect(await post('/api/rooms/demo/recording/start')).toBe('201');
    expect(await post('/api/rooms/demo/recordings', 'Content-Length: 0\r\n')).toBe('201');
    expect(await post('/api/rooms', 'Content-Length: 0\r\n')).toBe('400');
  });

  test('that are turned off are not there', async () => {
    const { servers } = await listen({ https: { isEnabled: false }, metrics: { isEnabled: false } });
    assert.deepEqual([servers.addresses.https, servers.addresses.metrics], [undefined, undefined]);
  });

  test('whose port is taken say which and what to do, and leave nothing behind', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      for (const [setting, where] of [
        ['http.port', { http: { port } }],
        ['https.port', { https: { port } }],
        ['metrics.port', { metrics: { port } }],
      ] as const) {
        await assert.rejects(listen(where), (thrown) => {
          assert.ok(thrown instanceof GatewayError && thrown.code === 'conflict');
          assert.match(thrown.message, new RegExp(`Port ${port} is taken.*${setting}.*--port-base`));
          return true;
        });
      }
    } finally {
      other.close();
    }
  });

  test('on an address that is not of this machine say so', async () => {
    await assert.rejects(listen({ http: { host: '192.0.2.1' } }), /no address 192\.0\.2\.1 \(http\.host\)/);
  });

  test('take a renewed certificate for new connections', async () => {
    const { servers } = await listen();
    const [one, two] = [servers.certificate, servers.certificate];
    assert.ok(one && two);
    const listener = await HttpListener.listen({
      ...free,
      setting: 'https.port',
      log: new KeepingLog(),
      fetch: () => new Response('ok'),
      maxConnections: 10,
      limits: usualLimits,
      tls: one,
    });
    const { generate } = await import('selfsigned');
    const renewed = await generate([{ name: 'commonName', value: 'renewed' }], { keyType: 'ec', algorithm: 'sha256' });
    listener.setCertificate({ cert: renewed.cert, key: renewed.private });
    const socket = connectTls({ port: listener.address.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    assert.equal(socket.getPeerCertificate().subject.CN, 'renewed');
    socket.destroy();
    await listener.close();
  });
});

describe('bytes that are no good request', () => {
  test.each<[string, string, RegExp]>([
    ['not HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.repeat(20), /^HTTP\/1\.1 400/],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400/],
    ['an empty Host', 'GET /health HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400/],
    ['a Host that is none', 'GET /health HTTP/1.1\r\nHost: a b/c?@#\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400/],
    [
      'two Content-Lengths',
      'POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
      /^HTTP\/1\.1 400/,
    ],
    [
      'Content-Length and chunks (smuggling)',
      'POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400/,
    ],
    ['headers without end', get('/health', `X: ${'y'.repeat(20_000)}\r\n`), /^HTTP\/1\.1 431/],
    ['a body past the limit, in chunks', chunked(1_100), /^HTTP\/1\.1 413/],
    ['a path out of the folder', get('/assets/../../../etc/passwd'), /^HTTP\/1\.1 404/],
    ['an encoded path out of the folder', get('/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd'), /^HTTP\/1\.1 404/],
    ['a path that is no text', get('/api/rooms/%ff%fe%80'), /^HTTP\/1\.1 401/],
    ['a path that is no path', get('//evil.example/health'), /^HTTP\/1\.1 (404|400)/],
    ['a whole address as path', get('http://evil.example/health'), /^HTTP\/1\.1 (200|400)/],
    ['a path of 10 000', get(`/${'x'.repeat(10_000)}`), /^HTTP\/1\.1 404/],
    ['HTTP/1.0', 'GET /health HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 (200|400)/],
    ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n', /^$/],
    ['an upgrade to nowhere', get('/nowhere', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'), /^HTTP\/1\.1 404/],
    ['an upgrade to a prototype', get('/constructor', 'Connection: Upgrade\r\nUpgrade: x\r\n'), /^HTTP\/1\.1 404/],
  ])('%s are refused, and the next request is answered', async (_what, bytes, expected) => {
    const { http, log } = await listen();
    const answer = await talk(http, bytes);
    expect(answer.slice(0, 200)).toMatch(expected);
    assert.ok(!answer.includes('root:'));
    assert.equal((await fetch(`http://127.0.0.1:${http}/health`)).status, 200);
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'error'),
      [],
    );
  });

  function chunked(kilobytes: number): string {
    const chunk = `400\r\n${'x'.repeat(1_024)}\r\n`.repeat(kilobytes);
    return `POST /api/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
  }
});

test('connections of one address past its limit are cut, until one of them ends', async () => {
  const { http } = await listen({ limits: { maxConnectionsPerAddress: 2 } });
  const open = async () => {
    const socket = connect(http, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    const first = await Promise.race([once(socket, 'data'), closing(socket).then(() => undefined)]);
    return { socket, isAnswered: first !== undefined };
  };
  const [one, two, three] = [await open(), await open(), await open()];
  assert.deepEqual([one.isAnswered, two.isAnswered, three.isAnswered], [true, true, false]);
  const gone = closing(one.socket);
  one.socket.end();
  await gone;
  // The server hears of the end at about the same time as we do.
  await expect.poll(async () => (await open()).isAnswered).toBe(true);
});

describe('an upgrade', () => {
  test('reaches who owns its path, on HTTP and HTTPS, whatever its query', async () => {
    const sockets = new WebSocketServer({ noServer: true });
    const upgrades: UpgradeMap = {
      '/ws': (request, socket, head) => sockets.handleUpgrade(request, socket, head, (peer) => peer.send('welcome')),
    };
    const { http, https } = await listen({ upgrades });
    for (const url of [`ws://127.0.0.1:${http}/ws`, `wss://127.0.0.1:${https}/ws?x=1`]) {
      const client = new WebSocket(url, { rejectUnauthorized: false });
      const [message] = await once(client, 'message');
      assert.equal(String(message), 'welcome');
      client.close();
      await once(client, 'close');
    }
  });

  test('whose handler throws is answered, and the server lives', async () => {
    const upgrades: UpgradeMap = {
      '/ws': () => {
        throw new Error('bug');
      },
    };
    const { http, log } = await listen({ upgrades });
    assert.match(await talk(http, get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')), /^HTTP\/1\.1 500/);
    assert.ok(log.lines.some(({ level, message }) => level === 'error' && message === 'upgrade failed'));
    assert.equal((await fetch(`http://127.0.0.1:${http}/health`)).status, 200);
  });
});

describe('closing', () => {
  test('refuses new connections, lets an answer under way end, and cuts who stays', async () => {
    const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
    const arrived = new Set<string>();
    const { promise: allArrived, resolve } = Promise.withResolvers<void>();
    const arrive = (path: string) => {
      if (arrived.add(path).size === 3) resolve();
    };
    const listener = await HttpListener.listen({
      ...free,
      setting: 'http.port',
      log: new KeepingLog(),
      maxConnections: 10,
      limits: usualLimits,
      // Takes the connection and says nothing, like a peer that hangs.
      upgrades: { '/ws': () => arrive('/ws') },
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        arrive(pathname);
        if (pathname === '/never') return new Promise<never>(() => undefined);
        await mayAnswer;
        return new Response('done');
      },
    });
    const { port } = listener.address;
    const slow = fetch(`http://127.0.0.1:${port}/slow`);
    const never = talk(port, get('/never'));
    const upgraded = talk(port, get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'));
    const idle = connect(port, '127.0.0.1').on('error', () => undefined);
    const idleClosed = closing(idle);
    await allArrived;
    const closed = listener.close();
    await assert.rejects(fetch(`http://127.0.0.1:${port}/late`));
    answer();
    assert.equal(await (await slow).text(), 'done');
    assert.equal(await closed, 'requested');
    assert.deepEqual([await never, await upgraded], ['', '']);
    await idleClosed;
  });
});
