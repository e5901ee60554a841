import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { describe, test } from 'vitest';
import { someApi } from '#test/support/some-api.ts';

async function apiWithRoom() {
  const api = await someApi();
  await api.rooms.create({ name: 'demo' });
  const ask = (method: string, path: string, json?: unknown) =>
    api.call(method, path, { as: api.admin, ...(json === undefined ? {} : { json }) });
  return { ...api, ask };
}

describe('stream keys', () => {
  test('a key is shown once, with where to push, and is nowhere to be read again', async () => {
    const { ask, store, log } = await apiWithRoom();
    const { status, json, headers } = await ask('POST', '/api/stream-keys', { room: 'demo', name: 'OBS' });
    assert.equal(status, 201);
    assert.match(json.key, /^[A-Za-z0-9]{28}$/);
    assert.deepEqual([json.url, json.serverUrl], [`rtmp://gateway.test/live/${json.key}`, 'rtmp://gateway.test/live']);
    assert.deepEqual([json.room, json.protocol, json.onConflict, json.isLive], ['demo', 'rtmp', 'reject', false]);
    const read = await ask('GET', headers.get('location') ?? '');
    const list = await ask('GET', '/api/stream-keys?room=demo');
    const kept = JSON.stringify([await store.list('stream-keys'), await store.list('stream-key-hashes')]);
    for (const text of [read.text, list.text, kept]) assert.ok(!text.includes(json.key));
    assert.equal(list.json.items[0].id, json.id);
    // Under a name that ends in "key" the log would not have shown which one it was.
    assert.equal(log.lines.find(({ message }) => message === 'stream key made')?.fields.publisher, json.id);
  });

  test('one of SRT may have a passphrase, which is shown with it and never again', async () => {
    const { ask, ingest } = await apiWithRoom();
    const input = { room: 'demo', name: 'Field', protocol: 'srt', isEncrypted: true };
    const { json } = await ask('POST', '/api/stream-keys', input);
    assert.match(json.passphrase, /^\w{32}$/);
    assert.equal(json.url, `srt://gateway.test/live/${json.key}?${json.passphrase}`);
    const list = await ask('GET', '/api/stream-keys');
    assert.deepEqual([list.json.items[0].isEncrypted, list.text.includes(json.passphrase)], [true, false]);
    const grant = await ingest.pushes.authorize({ protocol: 'srt', key: json.key, remoteAddress: '192.0.2.1' });
    assert.equal(grant.passphrase, json.passphrase);
  });

  test('it lets its owner in until it is deleted, and goes with its room', async () => {
    const { ask, ingest, rooms } = await apiWithRoom();
    const make = () => ask('POST', '/api/stream-keys', { room: 'demo', name: 'OBS' }).then(({ json }) => json);
    const [first, second] = [await make(), await make()];
    const enter = (key: string) => ingest.pushes.authorize({ protocol: 'rtmp', key, remoteAddress: '192.0.2.1' });
    assert.equal((await enter(first.key)).publisherId, first.id);
    await assert.rejects(ingest.pushes.authorize({ protocol: 'rtsp', key: first.key, remoteAddress: '192.0.2.1' }), {
      code: 'unauthorized',
    });
    assert.equal((await ask('DELETE', `/api/stream-keys/${first.id}`)).status, 204);
    await assert.rejects(enter(first.key), { code: 'unauthorized' });
    assert.equal((await ask('GET', `/api/stream-keys/${first.id}`)).status, 404);
    const gone = once(ingest.streamKeys.events, 'deleted');
    await rooms.delete('demo');
    await gone;
    await assert.rejects(enter(second.key), { code: 'unauthorized' });
    assert.deepEqual((await ask('GET', '/api/stream-keys')).json.items, []);
  });

  test.each([
    [{ name: 'x' }, 400],
    [{ room: 'nowhere', name: 'x' }, 404],
    [{ room: 'demo', name: 'x', protocol: 'whip' }, 422],
    [{ room: 'demo', name: 'x', isEncrypted: true }, 422],
    [{ room: 'demo', name: '' }, 400],
    [{ room: 'demo', name: 'x', onConflict: 'maybe' }, 400],
  ])('%j is answered with %i', async (input, status) => {
    const { ask } = await apiWithRoom();
    assert.equal((await ask('POST', '/api/stream-keys', input)).status, status);
  });
});

describe('streaming-ins', () => {
  const path = '/api/rooms/demo/streaming-ins';
  const secret = 'rtsp://admin:hunter2@camera.example:8554/main?token=not-for-lists';

  test('one is made, shown without its credentials, comes into the room and says how far it is', async () => {
    const { ask, log, rooms, media } = await apiWithRoom();
    const { status, json, text, headers } = await ask('POST', path, { url: secret, media: { audio: false } });
    assert.equal(status, 202);
    assert.equal(json.url, 'rtsp://***:***@camera.example:8554/main?token=***');
    assert.equal(json.name, 'camera.example');
    assert.deepEqual(json.media, { audio: false, video: 'auto' });
    assert.equal(json.state, 'starting');
    const { json: read } = await ask('GET', headers.get('location') ?? '');
    assert.deepEqual([read.state, read.id], ['starting', json.id]);
    const room = await rooms.open('demo');
    assert.equal(room.participants.get(read.participantId)?.displayName, 'camera.example');
    const spec = media.started[0]?.spec;
    assert.equal(spec?.kind === 'ingress' && spec.source.via === 'opened' && spec.source.options.url, secret);
    assert.deepEqual((await ask('GET', '/api/jobs')).json.items[0].id, read.jobId);
    for (const shown of [text, JSON.stringify(log.lines)]) assert.ok(!/hunter2|not-for-lists/.test(shown));
  });

  test('one whose node was emptied waits, and goes on at once when that takes work again', async () => {
    const { ask, media, rooms } = await apiWithRoom();
    const { json } = await ask('POST', path, { url: secret });
    const read = async () => (await ask('GET', `${path}/${json.id}`)).json;
    const until = async (state: string) => {
      for (;;) {
        const found = await read();
        if (found.state === state) return found;
        await new Promise((wake) => setTimeout(wake, 5));
      }
    };
    await ask('POST', '/api/nodes/self/drain', { timeoutMs: 0 });
    const waiting = await until('failed');
    assert.deepEqual([waiting.reason, [...rooms.liveRooms()].length], ['owner_closed', 0]);
    assert.notEqual(waiting.nextAttemptAt, null);
    await ask('POST', '/api/nodes/self/undrain');
    const again = await read();
    assert.deepEqual([again.state, again.nextAttemptAt], ['starting', null]);
    while (media.started.length < 2) await new Promise((wake) => setTimeout(wake, 5));
  });

  test('states of its job are its own, with reasons; a failure is kept and tried again', async () => {
    const { ask, media } = await apiWithRoom();
    const { json } = await ask('POST', path, { url: secret });
    const one = `${path}/${json.id}`;
    const job = () => [...media.jobs.values()][0];
    job()?.move('live', 'media_flowing', 'Flowing.');
    assert.equal((await ask('GET', one)).json.state, 'live');
    job()?.move('reconnecting', 'source_lost', 'Gone.');
    const { json: away } = await ask('GET', one);
    assert.deepEqual([away.state, away.reason, away.lastError.message], ['reconnecting', 'source_lost', 'Gone.']);
    job()?.move('failed', 'source_refused', 'The password is wrong.');
    await job()?.done;
    const { json: failed } = await ask('GET', one);
    assert.deepEqual([failed.state, failed.reason, failed.participantId], ['failed', 'source_refused', null]);
    assert.ok(Date.parse(failed.nextAttemptAt) > Date.now() + 10_000, 'not hammered with a wrong password');
  });

  test('turned off it leaves the room, and is begun again with new settings', async () => {
    const { ask, rooms, media } = await apiWithRoom();
    const { json } = await ask('POST', path, { url: secret });
    const one = `${path}/${json.id}`;
    const { json: off } = await ask('PATCH', one, { isEnabled: false });
    assert.deepEqual([off.state, off.reason, media.jobs.size], ['stopped', 'disabled', 0]);
    const { json: on } = await ask('PATCH', one, { isEnabled: true, name: 'Gate', media: { audio: true } });
    assert.equal(on.state, 'starting');
    const { json: read } = await ask('GET', one);
    assert.equal((await rooms.open('demo')).participants.get(read.participantId)?.displayName, 'Gate');
    assert.deepEqual([media.started.length, media.started[1]?.spec.kind], [2, 'ingress']);
    assert.equal((await ask('DELETE', one)).status, 204);
    assert.deepEqual([media.jobs.size, (await ask('GET', one)).status], [0, 404]);
  });

  test('what was said of its quality is taken back by null, as it is read', async () => {
    const { ask, media } = await apiWithRoom();
    const wished = { maxHeight: 720, maxBitrateBps: 1e6, hardware: 'vaapi', latency: 'low' };
    const { json } = await ask('POST', path, { url: secret, ...wished });
    const one = `${path}/${json.id}`;
    const nothing = Object.fromEntries(Object.keys(wished).map((key) => [key, null]));
    const { status, json: off } = await ask('PATCH', one, nothing);
    assert.deepEqual([status, off.name], [200, json.name]);
    for (const key of Object.keys(wished)) assert.equal(off[key], null, key);
    assert.deepEqual((await ask('GET', one)).json.maxHeight, null);
    assert.equal(media.started.length, 2);
  });

  test('on demand it waits for somebody in the room, and stops when nobody is there any more', async () => {
    const { ask, rooms, media } = await apiWithRoom();
    const { json } = await ask('POST', path, { url: secret, onDemand: true });
    assert.deepEqual([json.state, json.reason, media.jobs.size], ['stopped', 'no_viewers', 0]);
    const room = await rooms.open('demo');
    const viewer = room.join({ kind: 'webrtc', user: 'v', displayName: 'V', role: 'viewer' });
    const camera = (await ask('GET', `${path}/${json.id}`)).json;
    assert.equal(camera.state, 'starting');
    await viewer.close();
    const [job] = media.jobs.values();
    await job?.done;
    assert.equal((await ask('GET', `${path}/${json.id}`)).json.reason, 'no_viewers');
  });

  test('who is kicked out of the room stays out until it is turned on again', async () => {
    const { ask } = await apiWithRoom();
    const { json } = await ask('POST', path, { url: secret });
    const { json: read } = await ask('GET', `${path}/${json.id}`);
    await ask('DELETE', `/api/rooms/demo/participants/${read.participantId}`);
    const { json: kicked } = await ask('GET', `${path}/${json.id}`);
    assert.deepEqual([kicked.state, kicked.isEnabled], ['stopped', false]);
  });

  test.each([
    ['file:///etc/passwd', 422],
    ['http://camera.example/', 422],
    ['nonsense', 422],
    ['rtsp://127.0.0.1/x', 403],
    ['rtsp://user:pass@169.254.169.254/x', 403],
    ['rtsp://[::1]/x', 403],
    ['rtsp://[::ffff:127.0.0.1]/x', 403],
  ])('%s is answered with %i', async (url, status) => {
    const { ask } = await apiWithRoom();
    const answer = await ask('POST', path, { url });
    assert.equal(answer.status, status);
    assert.ok(!answer.text.includes('pass@'));
    if (status === 422) assert.match(answer.json.detail, /rtsp:\/\//);
  });

  test('one that would take neither sound nor picture is refused, also when it becomes so', async () => {
    const { ask } = await apiWithRoom();
    const neither = await ask('POST', path, { url: secret, media: { audio: false, video: false } });
    assert.deepEqual([neither.status, neither.json.detail.includes('media.video')], [422, true]);
    const { json: silent } = await ask('POST', path, { url: secret, media: { audio: false }, isEnabled: false });
    const patch = { media: { video: false } };
    assert.equal((await ask('PATCH', `${path}/${silent.id}`, patch)).status, 422);
    assert.deepEqual((await ask('GET', `${path}/${silent.id}`)).json.media, { audio: false, video: 'auto' });
    const other = await ask('PATCH', `${path}/${silent.id}`, { media: { audio: true, video: false } });
    assert.deepEqual([other.status, other.json.media], [200, { audio: true, video: false }]);
  });

  test('what is no URL at all, and a wish that is none, are refused in words', async () => {
    const { ask } = await apiWithRoom();
    const detailOf = async (json: object) => (await ask('POST', path, json)).json.detail;
    assert.match(await detailOf({ url: 'rtsp//camera/main' }), /does not begin with a scheme/);
    assert.match(await detailOf({ url: secret, media: { audio: 'yes' } }), /media\.audio: .*"auto", true or false/);
  });

  test('one that is not to be started is made when it is answered, and a wait has its end', async () => {
    const { ask } = await apiWithRoom();
    const off = await ask('POST', path, { url: secret, isEnabled: false });
    assert.deepEqual([off.status, off.json.state], [201, 'stopped']);
    const slow = await ask('POST', `${path}?wait=0.05`, { url: secret });
    assert.deepEqual([slow.status, slow.json.state], [202, 'starting']);
    assert.equal(slow.headers.get('location'), `/api/rooms/${slow.json.roomId}/streaming-ins/${slow.json.id}`);
    assert.equal((await ask('POST', `${path}?wait=61`, { url: secret })).status, 400);
  });

  test('a room takes so many and no more', async () => {
    const { ask } = await apiWithRoom();
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await ask('POST', path, { url: secret })).status);
    assert.deepEqual(statuses, [202, 202, 202, 409]);
  });

  test('what was pulled before a restart is pulled after it', async () => {
    const { ask, store, rooms, media, log, ingest } = await apiWithRoom();
    await ask('POST', path, { url: secret });
    await ingest.streamingIns.close();
    assert.equal(media.jobs.size, 0);
    const { StreamingIns } = await import('#core/streaming-ins.ts');
    const pull = (options: object) =>
      ({ source: { via: 'opened', protocol: 'rtsp', options: { ...options } } }) as const;
    const again = await StreamingIns.create({
      ...{ store, rooms, media, log, lingerMs: 1, stallTimeoutMs: 1_000, maxPerRoom: 9, latency: 'smooth' },
      pullers: [{ schemes: ['rtsp'], check: () => undefined, pull }],
    });
    const [one] = again.of((await rooms.get('demo')).record.id);
    const started = new Promise((resolve) => one?.events.on('changed', resolve));
    await started;
    assert.equal(one?.status.state, 'starting');
    await again.close();
  });
});
