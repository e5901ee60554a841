import { strict as assert } from 'node:assert';
import { describe, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';

describe('keys', () => {
  test('are made, listed without the key itself, used and deleted', async () => {
    const { call, admin } = await someApi();
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const input = { name: 'ci', scopes: ['rooms:read', 'rooms:read'], expiresAt };
    const made = await call('POST', '/api/keys', { as: admin, json: input });
    assert.equal(made.status, 201);
    assert.deepEqual([made.json.scopes, made.json.lastUsedAt, made.json.expiresAt], [['rooms:read'], null, expiresAt]);
    assert.equal((await call('GET', '/api/rooms', { as: made.json.key })).status, 200);
    const listed = await call('GET', '/api/keys', { as: admin });
    assert.equal(listed.json.items.length, 2);
    assert.ok(!listed.text.includes(made.json.key.split('_')[2]));
    assert.equal((await call('DELETE', `/api/keys/${made.json.id}`, { as: admin })).status, 204);
    assert.equal((await call('GET', '/api/rooms', { as: made.json.key })).status, 401);
    assert.equal((await call('DELETE', `/api/keys/${made.json.id}`, { as: admin })).status, 404);
  });

  test.each<[string, object, string]>([
    ['no scopes', { name: 'x', scopes: [] }, 'scopes'],
    ['an unknown scope', { name: 'x', scopes: ['root'] }, 'scopes.0'],
    ['an expiry in the past', { name: 'x', scopes: ['admin'], expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    ['an expiry that is no time', { name: 'x', scopes: ['admin'], expiresAt: 'tomorrow' }, 'expiresAt'],
  ])('with %s are refused', async (_what, json, path) => {
    const { call, admin } = await someApi();
    const answer = await call('POST', '/api/keys', { as: admin, json });
    assert.equal(answer.status, 400);
    assert.equal(answer.json.errors[0].path, path);
  });
});

describe('sessions', () => {
  test('begin with a code and end with logout; /api/me tells them', async () => {
    const { call, auth } = await someApi();
    const code = await auth.createOneTimeLogin();
    const { status, json, headers } = await call('POST', '/api/login', { json: { code } });
    assert.deepEqual([status, headers.get('cache-control')], [200, 'no-store']);
    const me = await call('GET', '/api/me', { as: json.token });
    assert.deepEqual([me.json.kind, me.json.scopes], ['session', ['admin']]);
    assert.equal((await call('POST', '/api/login', { json: { code } })).status, 401);
    assert.equal((await call('POST', '/api/logout', { as: json.token })).status, 204);
    assert.equal((await call('GET', '/api/me', { as: json.token })).status, 401);
  });

  test('of keys and participants are shown for what they are, and have no logout', async () => {
    const { call, admin, rooms, tokenFor } = await someApi();
    const { record } = await rooms.create({ name: 'demo' });
    const key = await call('GET', '/api/me', { headers: { 'x-auth-token': admin } });
    assert.deepEqual([key.json.kind, key.json.name], ['key', 'First start']);
    const token = await tokenFor('demo', 'viewer');
    const participant = await call('GET', '/api/me', { as: token });
    assert.deepEqual(
      [participant.json.kind, participant.json.room, participant.json.role],
      ['participant', record.id, 'viewer'],
    );
    assert.equal((await call('POST', '/api/logout', { as: token })).status, 400);
    assert.equal((await call('POST', '/api/logout', { as: admin })).status, 400);
  });
});

describe('the server', () => {
  test('tells version, load and readiness', async () => {
    const { call, admin, rooms, health } = await someApi();
    await rooms.create({ name: 'demo' });
    await joinAndPublish(await rooms.open('demo'), 'alice');
    const { json } = await call('GET', '/api/server', { as: admin });
    assert.match(json.version, /^\d+\.\d+\.\d+/);
    assert.deepEqual([json.roomCount, json.participantCount, json.isReady], [1, 1, true]);
    health.drain();
    assert.equal((await call('GET', '/api/server', { as: admin })).json.isDraining, true);
  });

  test('is alive while it drains, and says why it is not ready', async () => {
    const { call, health } = await someApi();
    assert.equal((await call('GET', '/ready')).status, 200);
    health.drain();
    const { status, json } = await call('GET', '/ready');
    assert.deepEqual([status, json.isReady, json.problems[0].part], [503, false, 'server']);
    assert.equal((await call('GET', '/health')).status, 200);
  });

  test('answers while the SFU does not', async () => {
    const { call, admin, sfu } = await someApi();
    Object.assign(sfu, { describeWorkers: () => new Promise(() => undefined) });
    assert.deepEqual((await call('GET', '/api/server', { as: admin })).json.sfuWorkers, []);
  });

  test('gives metrics to who may read them, in Prometheus text, with its own requests by route', async () => {
    const { call, admin, rooms } = await someApi();
    await rooms.create({ name: 'demo' });
    await call('GET', '/api/rooms/demo', { as: admin });
    await call('GET', '/api/rooms/other', { as: admin });
    await call('GET', '/wp-admin/setup.php');
    const { status, headers, text } = await call('GET', '/metrics', { as: admin });
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(text, /^webrtc_rooms_total 0$/m);
    const requests = text.split('\n').filter((line) => line.startsWith('switchyard_http_requests_total'));
    assert.deepEqual(requests.sort(), [
      'switchyard_http_requests_total{method="GET",route="/api/rooms/:room",status="200"} 1',
      'switchyard_http_requests_total{method="GET",route="/api/rooms/:room",status="404"} 1',
      'switchyard_http_requests_total{method="GET",route="other",status="404"} 1',
    ]);
    assert.match(text, /switchyard_errors_total\{code="not_found",blame="client"\} 2/);
  });
});

describe('webhooks', () => {
  test('are shown without the password of their receiver, and keep it when what was shown is sent back', async () => {
    const { call, admin, webhooks } = await someApi();
    const url = 'https://user:secret@app.example/hook?key=hidden';
    const made = await call('POST', '/api/webhooks', { as: admin, json: { url } });
    assert.equal(made.json.url, 'https://***:***@app.example/hook?key=***');
    const path = `/api/webhooks/${made.json.id}`;
    for (const answer of [
      made,
      await call('GET', path, { as: admin }),
      await call('GET', '/api/webhooks', { as: admin }),
    ]) {
      assert.ok(!/secret@|hidden/.test(answer.text), answer.text);
    }
    const patched = await call('PATCH', path, { as: admin, json: { url: made.json.url, description: 'Billing' } });
    assert.deepEqual([patched.status, patched.json.description], [200, 'Billing']);
    assert.equal(webhooks.get(made.json.id).record.url, url);
    await call('PATCH', path, { as: admin, json: { url: 'https://other.example/' } });
    assert.equal(webhooks.get(made.json.id).record.url, 'https://other.example/');
  });
});
