import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSdp } from '#test/support/sdp-fixtures.ts';
import { WebRtcStack } from '#test/support/webrtc-stack.ts';

// Offers here are recorded ones: their peers never come, so everything but media can be looked at without a browser.

let stack: WebRtcStack;
let room: string;
let token: string;

const adminKey = 'an-admin-key-for-tests';
const fragmentType = 'application/trickle-ice-sdpfrag';
const fragment =
  'a=ice-ufrag:0EeY\r\na=ice-pwd:7E+1BG3BVx/vEZqImtxgX2o1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=end-of-candidates\r\n';
const restart = 'a=ice-ufrag:newOne\r\na=ice-pwd:aNewPasswordOf24Letters1\r\n';

beforeAll(async () => {
  stack = await WebRtcStack.start({
    iceServers: [{ urls: ['turn:turn.example.org?transport=udp'], username: 'u', credential: 'c' }],
  });
  room = await stack.room('http');
  await stack.room('other');
  token = await stack.token(room);
});

afterAll(() => stack?.close());

interface Sending {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

function send({ method = 'POST', path = `/whip/${room}`, headers = {}, body, ...rest }: Sending = {}) {
  const credential = 'token' in rest ? rest.token : token;
  return fetch(new URL(path, stack.url), {
    method,
    headers: { ...(credential ? { authorization: `Bearer ${credential}` } : {}), ...headers },
    ...(body === undefined ? {} : { body }),
  });
}

const offer = (sending: Sending = {}) =>
  send({
    body: readSdp('chromium-send'),
    ...sending,
    headers: { 'content-type': 'application/sdp', ...sending.headers },
  });

const patch = (path: string, sending: Sending = {}) =>
  send({
    method: 'PATCH',
    path,
    token: undefined,
    body: fragment,
    ...sending,
    headers: { 'content-type': fragmentType, ...sending.headers },
  });

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  const problem = (await response.json()) as { status: number; code: string; detail: string; title: string };
  expect(problem).toMatchObject({ status: response.status, detail: expect.stringMatching(/.{15}/) });
  return problem;
}

async function open(): Promise<{ location: string; etag: string }> {
  const response = await offer();
  expect(response.status).toBe(201);
  return { location: response.headers.get('location') ?? '', etag: response.headers.get('etag') ?? '' };
}

test('POST of an offer creates a session and says all that RFC 9725 wants', async () => {
  const response = await offer();
  expect(response.status).toBe(201);
  expect(response.headers.get('content-type')).toBe('application/sdp');
  expect(response.headers.get('location')).toMatch(/^\/whip\/http\/session\/[0-9A-Za-z]{32}$/);
  expect(response.headers.get('etag')).toMatch(/^"[0-9A-Za-z]{16}"$/);
  expect(response.headers.get('accept-patch')).toBe(fragmentType);
  expect(response.headers.get('link')).toBe(
    '<turn:turn.example.org?transport=udp>; rel="ice-server"; username="u"; credential="c"; credential-type="password"',
  );
  expect(response.headers.get('access-control-expose-headers')).toContain('Location');
  expect(await response.text()).toMatch(/^v=0\r\n.*a=ice-lite\r\n.*a=candidate:.*127\.0\.0\.1/s);
});

test.each(['/whip/http', '/whep/http', '/whep/http/anna', '/whip/http/session/none'])(
  'OPTIONS %s answers for browsers and clients, without a token',
  async (path) => {
    const response = await send({
      method: 'OPTIONS',
      path,
      token: undefined,
      headers: { origin: 'https://a.example' },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-allow-headers')).toContain('Authorization');
    const isSession = path.includes('session');
    expect(response.headers.get('access-control-allow-methods')).toBe(
      isSession ? 'PATCH, DELETE, OPTIONS' : 'POST, OPTIONS',
    );
    expect(response.headers.get(isSession ? 'accept-patch' : 'accept-post')).toBe(
      isSession ? fragmentType : 'application/sdp',
    );
    const exposed = response.headers.get('access-control-expose-headers');
    for (const name of ['Location', 'ETag', 'Link']) expect(exposed).toContain(name);
  },
);

describe('refused', () => {
  test.each<[string, number, string, () => Promise<Response>]>([
    ['no token', 401, 'unauthorized', () => offer({ token: undefined })],
    ['a token that is none', 401, 'unauthorized', () => offer({ token: 'abc' })],
    [
      'a token in the address',
      401,
      'unauthorized',
      () => offer({ token: undefined, path: `/whip/http?token=${token}` }),
    ],
    ['a token for another room', 403, 'forbidden', () => offer({ path: '/whip/other' })],
    ['a room that is not', 403, 'forbidden', () => offer({ path: '/whip/nowhere' })],
    ['WHEP from another room', 403, 'forbidden', () => offer({ path: '/whep/other' })],
    ['a name that cannot be one', 404, 'not_found', () => offer({ path: `/whip/${'x'.repeat(65)}` })],
    ['control characters', 404, 'not_found', () => offer({ path: '/whep/http/%00' })],
    ['GET', 405, 'method_not_allowed', () => send({ method: 'GET' })],
    ['PUT', 405, 'method_not_allowed', () => send({ method: 'PUT', body: 'x' })],
    ['PATCH of the endpoint', 405, 'method_not_allowed', () => send({ method: 'PATCH', body: 'x' })],
    ['POST to a session', 405, 'method_not_allowed', () => offer({ path: '/whip/http/session/none' })],
    ['an answer in JSON only', 406, 'not_acceptable', () => offer({ headers: { accept: 'application/json' } })],
    ['a body of 70 kB', 413, 'too_large', () => offer({ body: `${readSdp('obs')}${'a=x\r\n'.repeat(14_000)}` })],
    ['JSON', 415, 'unsupported_media_type', () => offer({ headers: { 'content-type': 'application/json' } })],
    ['no type', 415, 'unsupported_media_type', () => send({ body: readSdp('obs') })],
    ['an empty body', 400, 'invalid_sdp', () => offer({ body: '' })],
    ['no SDP', 400, 'invalid_sdp', () => offer({ body: 'hello' })],
    ['an offer that only receives', 422, 'unprocessable', () => offer({ body: readSdp('chromium-receive') })],
    [
      'an offer without BUNDLE',
      422,
      'unprocessable',
      () => offer({ body: readSdp('obs').replace('a=group:BUNDLE 0 1\r\n', '') }),
    ],
    [
      'codecs that the room lacks',
      422,
      'no_common_codec',
      () => offer({ body: readSdp('obs').replaceAll('opus/48000/2', 'ISAC/16000').replaceAll('H264/', 'H263/') }),
    ],
    ['a session that is not', 404, 'not_found', () => patch('/whip/http/session/none')],
    ['the end of one that is not', 404, 'not_found', () => send({ method: 'DELETE', path: '/whep/http/session/none' })],
  ])('%s: %i %s', async (_, status, code, action) => {
    const response = await action();
    expect(await problemOf(response)).toMatchObject({ status, code });
    expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer realm="switchyard"' : null);
    expect(response.headers.has('allow')).toBe(status === 405);
  });

  test('a viewer may not publish', async () => {
    const viewer = await stack.token(room, { role: 'viewer' });
    expect(await problemOf(await offer({ token: viewer }))).toMatchObject({ status: 403, code: 'forbidden' });
  });

  test('a refused publisher leaves nobody in the room', async () => {
    const viewer = await stack.token(room, { role: 'viewer', user: 'refused' });
    await offer({ token: viewer });
    const live = stack.rooms.live((await stack.rooms.get(room)).record.id);
    expect([...(live?.participants.values() ?? [])].filter(({ user }) => user === 'refused')).toEqual([]);
  });

  test('a full room is a conflict', async () => {
    await stack.rooms.create({ name: 'small', maxParticipants: 1 });
    const small = await stack.token('small');
    expect((await offer({ path: '/whip/small', token: small })).status).toBe(201);
    expect(await problemOf(await offer({ path: '/whip/small', token: small }))).toMatchObject({ code: 'room_full' });
  });
});

test('an admin key publishes into a room that it names for the first time', async () => {
  const response = await offer({ path: '/whip/brand-new', token: adminKey });
  expect(response.status).toBe(201);
  expect((await stack.rooms.get('brand-new')).record.name).toBe('brand-new');
});

describe('PATCH', () => {
  test('candidates of the current generation are taken', async () => {
    const { location, etag } = await open();
    expect((await patch(location, { headers: { 'if-match': etag } })).status).toBe(204);
    expect((await patch(location, { headers: { 'if-match': `"other", ${etag}` } })).status).toBe(204);
  });

  test('If-Match: * restarts ICE: new credentials, new ETag, and the old one is past', async () => {
    const { location, etag } = await open();
    const response = await patch(location, { headers: { 'if-match': '*' }, body: restart });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(fragmentType);
    expect(response.headers.get('etag')).toMatch(/^"[0-9A-Za-z]{16}"$/);
    expect(response.headers.get('etag')).not.toBe(etag);
    expect(await response.text()).toMatch(/a=ice-ufrag:.+a=ice-pwd:.+a=candidate:/s);
    expect(await problemOf(await patch(location, { headers: { 'if-match': etag } }))).toMatchObject({ status: 412 });
  });

  test.each<[string, number, Sending]>([
    ['without If-Match', 428, {}],
    ['with another ETag', 412, { headers: { 'if-match': '"other"' } }],
    ['of another type', 415, { headers: { 'if-match': '*', 'content-type': 'text/plain' } }],
    ['of a new offer', 422, { headers: { 'if-match': '*', 'content-type': 'application/sdp' } }],
    ['of a whole SDP as a fragment', 422, { headers: { 'if-match': '*' }, body: readSdp('obs') }],
    ['of a restart without credentials', 422, { headers: { 'if-match': '*' }, body: 'm=audio 9 RTP/AVP 0\r\n' }],
    ['of nothing', 400, { headers: { 'if-match': '*' }, body: '' }],
  ])('%s: %i', async (_, status, sending) => {
    const { location } = await open();
    expect(await problemOf(await patch(location, sending))).toMatchObject({ status });
  });

  test('candidates under new credentials want If-Match: *', async () => {
    const { location, etag } = await open();
    const response = await patch(location, { headers: { 'if-match': etag }, body: restart });
    expect(await problemOf(response)).toMatchObject({ status: 422, detail: expect.stringContaining('If-Match: *') });
  });
});

test('DELETE ends a session once; whoever knows the address may', async () => {
  const { location } = await open();
  const remove = () => send({ method: 'DELETE', path: location, token: undefined });
  expect((await remove()).status).toBe(200);
  expect(await problemOf(await remove())).toMatchObject({ status: 404 });
  expect((await patch(location, { headers: { 'if-match': '*' }, body: restart })).status).toBe(404);
});

test('a session address is good for its own protocol only', async () => {
  const { location } = await open();
  expect((await send({ method: 'DELETE', path: location.replace('whip', 'whep') })).status).toBe(404);
});

describe('limits', () => {
  let small: WebRtcStack;
  const post = async () =>
    fetch(`${small.url}/whip/limits`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', authorization: `Bearer ${adminKey}` },
      body: readSdp('obs'),
    });

  test('a peer that never connects is let go', async () => {
    small = await WebRtcStack.start({ settings: { connectTimeoutMs: 300 } });
    const response = await post();
    const live = small.rooms.live((await small.rooms.get('limits')).record.id);
    if (!live) throw new Error('the room is not open');
    const [, reason] = await once(live.events, 'participantLeft');
    expect(reason).toBe('timeout');
    const location = new URL(response.headers.get('location') ?? '', small.url);
    expect((await fetch(location, { method: 'DELETE' })).status).toBe(404);
    await small.close();
  });

  test('joins by address are counted, refused ones too', async () => {
    small = await WebRtcStack.start({ joinsPerMinute: 2 });
    expect((await post()).status).toBe(201);
    expect((await post()).status).toBe(201);
    const response = await post();
    expect(response.status).toBe(429);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    await small.close();
  });

  test('no more sessions than configured, and none while draining', async () => {
    small = await WebRtcStack.start({ settings: { maxSessions: 1 } });
    expect((await post()).status).toBe(201);
    expect(small.gateway.sessionCounts.whip).toBe(1);
    expect(await problemOf(await post())).toMatchObject({ status: 503, code: 'overloaded' });
    small.gateway.drain();
    const response = await post();
    expect(response.headers.get('retry-after')).toBe('5');
    expect(await problemOf(response)).toMatchObject({ status: 503, code: 'draining' });
    const live = small.rooms.live((await small.rooms.get('limits')).record.id);
    expect(live?.participants.size).toBe(1);
    await small.gateway.close();
    expect(live?.participants.size).toBe(0);
    await small.close();
  });
});
