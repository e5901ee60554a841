import { strict as assert } from 'node:assert';
import { Hono } from 'hono';
import { describe, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';
import { createMetricsApp } from './app.ts';

describe('a refusal', () => {
  test('of an address that is not is a problem, with the id that the log has', async () => {
    const { call, log } = await someApi({ config: { log: { level: 'debug' } } });
    const { status, json, headers } = await call('GET', '/nowhere', { headers: { 'x-request-id': 'my-id-1' } });
    assert.deepEqual(
      [status, json.code, json.requestId, headers.get('x-request-id')],
      [404, 'not_found', 'my-id-1', 'my-id-1'],
    );
    assert.ok(log.lines.some(({ fields, message }) => message === 'request' && fields.request === 'my-id-1'));
  });

  test('of a method says which there are, and OPTIONS does too', async () => {
    const { call, admin } = await someApi();
    const { status, headers } = await call('PUT', '/api/rooms/demo', { as: admin });
    assert.deepEqual([status, headers.get('allow')], [405, 'DELETE, GET, HEAD, OPTIONS, PATCH']);
    const options = await call('OPTIONS', '/health');
    assert.deepEqual([options.status, options.headers.get('allow')], [204, 'GET, HEAD, OPTIONS']);
    for (const method of ['BREW', 'TRACY', 'PROPFIND']) assert.equal((await call(method, '/health')).status, 405);
  });

  test('of a body from who has not said who it is: too long 413, whatever others may send', async () => {
    const { call } = await someApi();
    const body = `{"code":"${'x'.repeat(9_000)}"}`;
    const said = { headers: { 'content-type': 'application/json', 'content-length': String(body.length) }, body };
    const unsaid = { headers: { 'content-type': 'application/json' }, body };
    for (const path of ['/api/login', '/api/rooms/demo/guest-tokens']) {
      for (const how of [said, unsaid]) assert.equal((await call('POST', path, how)).status, 413);
      assert.equal((await call('POST', path, { json: { code: 'x', pin: 1 } })).status, 400);
    }
  });

  test('of a body: not JSON 400, other type 415, too long 413', async () => {
    const { call, admin } = await someApi({ config: { http: { maxBodyBytes: 1_000 } } });
    const post = (body: string, type?: string) =>
      call('POST', '/api/rooms', { as: admin, body, headers: type === undefined ? {} : { 'content-type': type } });
    const broken = await post('{"name":', 'application/json');
    assert.deepEqual([broken.status, broken.json.detail], [400, 'The request body is not valid JSON.']);
    assert.equal((await post('name=demo', 'application/x-www-form-urlencoded')).status, 415);
    assert.equal((await post('<name/>', 'text/xml')).status, 415);
    assert.equal((await post(JSON.stringify({ name: 'x'.repeat(1_000) }), 'application/json')).status, 413);
    assert.equal((await post('{"name":"demo"}', 'application/json; charset=utf-8')).status, 201);
  });

  test('for anything unexpected is internal, without a word of what it was, and logged with all of it', async () => {
    const { call, admin, store, log } = await someApi();
    Object.assign(store, { list: () => Promise.reject(new Error('SQLITE_CORRUPT at /var/lib/secret')) });
    const { status, json, text } = await call('GET', '/api/rooms', { as: admin });
    assert.deepEqual([status, json.code], [500, 'internal']);
    assert.ok(!/SQLITE|secret|at /.test(text));
    const line = log.lines.find(({ level }) => level === 'error');
    assert.match(String(line?.fields.err), /SQLITE_CORRUPT/);
    assert.equal(line?.fields.request, json.requestId);
  });

  test('that is to be tried again says when, and is a warning in the log', async () => {
    const { call, admin, rooms, log } = await someApi();
    await rooms.create({ name: 'demo' });
    const { video } = await joinAndPublish(await rooms.open('demo'), 'alice');
    const lost = new GatewayError('media_lost', 'The room is getting a new media worker.', { retryAfterMs: 1_200 });
    Object.assign(video.producer, { pause: () => Promise.reject(lost) });
    const path = `/api/rooms/demo/streams/${video.id}`;
    const { status, json, headers } = await call('PATCH', path, { as: admin, json: { isMuted: true } });
    assert.deepEqual([status, json.code, headers.get('retry-after')], [503, 'media_lost', '2']);
    const levels = log.lines.filter(({ fields }) => fields.code === 'media_lost').map(({ level }) => level);
    assert.deepEqual(levels, ['warn']);
  });
});

describe('a request id', () => {
  test.each(['', 'x'.repeat(65), 'a b', '<script>', 'é'.repeat(3)])(
    'like "%s" from outside is replaced',
    async (given) => {
      const { call } = await someApi();
      const { headers } = await call('GET', '/health', { headers: given === 'ééé' ? {} : { 'x-request-id': given } });
      assert.match(headers.get('x-request-id') ?? '', /^[\da-f-]{36}$/);
    },
  );
});

describe('limits', () => {
  test('hold for an address, not for its neighbours, and say when to come back', async () => {
    const { call, admin } = await someApi({ config: { limits: { requestsPerMinute: 5 } } });
    const get = (address: string) => call('GET', '/api/rooms', { as: admin, address });
    for (let i = 0; i < 5; i++) assert.equal((await get('192.0.2.1')).status, 200);
    const { status, json, headers } = await get('192.0.2.1');
    assert.deepEqual([status, json.code, headers.get('retry-after')], [429, 'rate_limited', '12']);
    assert.equal((await get('192.0.2.2')).status, 200);
    // A load balancer that checks health from there is not hindered.
    assert.equal((await call('GET', '/health', { address: '192.0.2.1' })).status, 200);
  });

  test('count clients behind a trusted proxy one by one, and take no stranger’s word', async () => {
    const { call, admin } = await someApi({
      config: { limits: { requestsPerMinute: 2 }, http: { trustedProxies: ['10.0.0.0/8'] } },
    });
    const get = (address: string, forwardedFor: string) =>
      call('GET', '/api/rooms', { as: admin, address, headers: { 'x-forwarded-for': forwardedFor } });
    for (let i = 0; i < 5; i++) assert.equal((await get('10.0.0.1', `192.0.2.${i}`)).status, 200);
    for (let i = 0; i < 2; i++) assert.equal((await get('198.51.100.1', `192.0.2.${i}`)).status, 200);
    assert.equal((await get('198.51.100.1', '192.0.2.9')).status, 429);
  });

  test('of wrong credentials end in 429 with Retry-After', async () => {
    const { call, admin } = await someApi({ config: { limits: { failedLoginsPerMinute: 3 } } });
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push((await call('GET', '/api/me', { as: `sk_wrong_${i}` })).status);
    assert.deepEqual(statuses, [401, 401, 401, 429, 429]);
    assert.equal((await call('GET', '/api/me', { as: admin })).headers.get('retry-after'), '20');
    assert.equal((await call('POST', '/api/login', { json: { code: 'guess' } })).status, 429);
    assert.equal((await call('GET', '/api/me', { as: admin, address: '192.0.2.2' })).status, 200);
  });
});

describe('CORS', () => {
  const preflight = { origin: 'https://app.example', 'access-control-request-method': 'PATCH' };

  test('lets any page call by default: it sends a token, never a cookie', async () => {
    const { call, admin } = await someApi();
    const asked = await call('OPTIONS', '/api/rooms/demo', { headers: preflight });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers.get('access-control-allow-origin'), '*');
    assert.match(asked.headers.get('access-control-allow-methods') ?? '', /PATCH/);
    assert.match(asked.headers.get('access-control-allow-headers') ?? '', /authorization.*if-match/);
    assert.equal(asked.headers.get('access-control-allow-credentials'), null);
    const answer = await call('GET', '/api/rooms', { as: admin, headers: { origin: 'https://app.example' } });
    assert.match(answer.headers.get('access-control-expose-headers') ?? '', /etag.*location/);
  });

  test('lets in only those origins that the configuration names, when it names some', async () => {
    const { call } = await someApi({ config: { http: { corsOrigins: ['https://app.example'] } } });
    const mine = await call('OPTIONS', '/api/rooms', { headers: preflight });
    assert.deepEqual(
      [mine.headers.get('access-control-allow-origin'), mine.headers.get('vary')],
      ['https://app.example', 'Origin'],
    );
    const other = await call('OPTIONS', '/api/rooms', { headers: { ...preflight, origin: 'https://evil.example' } });
    assert.deepEqual(
      [other.headers.get('access-control-allow-origin'), other.headers.get('access-control-allow-methods')],
      [null, null],
    );
    const refused = await call('GET', '/api/rooms', { headers: { origin: 'https://app.example' } });
    assert.deepEqual(
      [refused.status, refused.headers.get('access-control-allow-origin')],
      [401, 'https://app.example'],
    );
  });
});

test('what a gateway mounts has limits, CORS and problems like the API’s own', async () => {
  const { app, call } = await someApi({ config: { http: { maxBodyBytes: 100 } } });
  const whip = new Hono();
  whip.post('/:room', async (c) => {
    if ((await c.req.text()) === '') throw new GatewayError('invalid_sdp', 'Send an offer.');
    return c.text('v=0', 201);
  });
  whip.options('/:room', (c) => c.body(null, 204, { 'accept-post': 'application/sdp' }));
  app.route('/whip', whip);
  const refused = await call('POST', '/whip/demo');
  assert.deepEqual([refused.status, refused.json.code], [400, 'invalid_sdp']);
  assert.equal((await call('POST', '/whip/demo', { body: 'x'.repeat(101) })).status, 413);
  const published = await call('POST', '/whip/demo', { body: 'v=0', headers: { origin: 'https://obs.example' } });
  assert.deepEqual([published.status, published.headers.get('access-control-allow-origin')], [201, '*']);
  assert.equal((await call('OPTIONS', '/whip/demo')).headers.get('accept-post'), 'application/sdp');
  assert.equal((await call('GET', '/whip/demo')).headers.get('allow'), 'OPTIONS, POST');
});

test('every answer carries the policies that browsers keep', async () => {
  const { call } = await someApi();
  for (const path of ['/', '/health', '/r/demo', '/docs', '/nowhere', '/api/rooms']) {
    const { headers } = await call('GET', path);
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'self'.*connect-src 'self' ws: wss:.*object-src 'none'/);
    assert.ok(!/script-src|unsafe-eval/.test(policy));
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
  }
});

test('requests that change something are logged with who and what, reads only for debugging', async () => {
  const { call, admin, log } = await someApi();
  await call('POST', '/api/rooms', { as: admin, json: { name: 'demo' }, address: '192.0.2.7' });
  await call('GET', '/api/rooms', { as: admin });
  const [post, get] = log.lines.filter(({ message }) => message === 'request');
  assert.deepEqual([post?.level, get?.level], ['info', 'debug']);
  const { method, path, status, address } = post?.fields ?? {};
  assert.deepEqual([method, path, status, address], ['POST', '/api/rooms', 201, '192.0.2.7']);
});

test('the scraper’s listener shows metrics and health without a credential, and nothing else', async () => {
  const { metrics, health } = await someApi();
  const app = createMetricsApp({ metrics, health });
  const get = async (path: string) => (await app.request(path)).status;
  assert.deepEqual(
    [await get('/metrics'), await get('/health'), await get('/ready'), await get('/api/rooms'), await get('/')],
    [200, 200, 200, 404, 404],
  );
});
