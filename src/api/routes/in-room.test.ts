import { strict as assert } from 'node:assert';
import { describe, test } from 'vitest';
import type { StreamStats, TransportStats } from '#core/ports.ts';
import type { ChatMessage } from '#core/room.ts';
import { plainPng } from '#test/support/png.ts';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';
import { WebServer } from '#test/support/web-server.ts';

async function someMeeting() {
  const api = await someApi();
  await api.rooms.create({ name: 'demo' });
  const room = await api.rooms.open('demo');
  const alice = await joinAndPublish(room, 'alice');
  const bob = await joinAndPublish(room, 'bob');
  return { ...api, room, alice, bob };
}

describe('participants', () => {
  test('are listed page by page, without the hidden ones, and read one by one', async () => {
    const { call, admin, room, alice, bob } = await someMeeting();
    const hidden = room.join({ kind: 'egress', user: 'rec', displayName: 'rec', role: 'viewer', isHidden: true });
    const first = (await call('GET', '/api/rooms/demo/participants?limit=1', { as: admin })).json;
    const second = (await call('GET', `/api/rooms/demo/participants?limit=1&after=${first.next}`, { as: admin })).json;
    assert.equal(second.next, null);
    const ids = [...first.items, ...second.items].map(({ id }: { id: string }) => id);
    assert.deepEqual(ids, [alice.participant.id, bob.participant.id].sort());
    const one = await call('GET', `/api/rooms/demo/participants/${alice.participant.id}`, { as: admin });
    assert.deepEqual(
      [one.json.user, one.json.displayName, one.json.role, one.json.isMuted, one.json.streams.length],
      ['alice', 'ALICE', 'presenter', { audio: false, video: false }, 2],
    );
    assert.equal((await call('GET', `/api/rooms/demo/participants/${hidden.id}`, { as: admin })).status, 404);
  });

  test('of a room nobody is in are none; of a room that is not, not found', async () => {
    const { call, admin, rooms } = await someMeeting();
    await rooms.create({ name: 'empty' });
    assert.deepEqual((await call('GET', '/api/rooms/empty/participants', { as: admin })).json, {
      items: [],
      next: null,
    });
    assert.equal((await call('GET', '/api/rooms/empty/participants/PA_x', { as: admin })).status, 404);
    assert.equal((await call('GET', '/api/rooms/nowhere/participants', { as: admin })).status, 404);
  });

  test('have an avatar that is read as it was given, and one that is none is refused', async () => {
    const { call, admin, alice, tokenFor } = await someMeeting();
    const path = `/api/rooms/demo/participants/${alice.participant.id}/avatar`;
    const png = plainPng(32, [1, 2, 3]);
    assert.equal((await call('GET', path, { as: admin })).status, 404);
    const put = await call('PUT', path, { as: admin, json: { image: png.toString('base64') } });
    assert.match(put.json.avatarId, /^[0-9a-f]{16}$/);
    const viewer = await tokenFor('demo', 'viewer');
    const read = await call('GET', path, { as: viewer });
    assert.deepEqual([read.status, read.headers.get('content-type')], [200, 'image/png']);
    assert.equal((await call('PUT', path, { as: viewer, json: { image: png.toString('base64') } })).status, 403);
    const text = Buffer.from('<svg/>').toString('base64');
    assert.equal((await call('PUT', path, { as: admin, json: { image: text } })).status, 400);
    assert.equal(alice.participant.avatar?.id, put.json.avatarId);
    assert.equal((await call('DELETE', path, { as: admin })).status, 204);
    assert.equal(alice.participant.avatar, undefined);
  });

  test('get an avatar from a URL, by PUT or with their token, where the network policy lets it be fetched', async () => {
    const { call, admin, alice, auth, tokenFor } = await someMeeting();
    await using server = await WebServer.start();
    const png = plainPng(32, [1, 2, 3]);
    server.files.set('/ada.png', png);
    server.files.set('/text.png', Buffer.from('no picture'));
    server.files.set('/large.png', Buffer.concat([png, Buffer.alloc(200_000)]));
    const path = `/api/rooms/demo/participants/${alice.participant.id}/avatar`;
    const put = async (json: object) => (await call('PUT', path, { as: admin, json })).status;
    assert.deepEqual(
      await Promise.all([put({ url: server.urlOf('/ada.png') }), put({ url: server.urlOf('/ada.png') })]),
      [200, 200],
    );
    assert.deepEqual(Buffer.from(alice.participant.avatar?.data ?? []), png);
    // Once for all who come with it.
    assert.deepEqual(server.requests, ['/ada.png']);
    assert.equal(await put({ url: server.urlOf('/text.png') }), 400);
    assert.equal(await put({ url: server.urlOf('/large.png') }), 413);
    assert.equal(await put({ url: server.urlOf('/none.png') }), 502);
    assert.equal(await put({ url: 'http://169.254.169.254/latest' }), 403);
    assert.equal(await put({ url: 'file:///etc/passwd' }), 400);
    assert.equal(await put({}), 400);
    assert.equal(await put({ url: server.urlOf('/ada.png'), image: png.toString('base64') }), 400);
    assert.deepEqual(Buffer.from(alice.participant.avatar?.data ?? []), png);

    // Of one who is in the room, the server fetches nothing.
    const moderator = await tokenFor('demo', 'moderator');
    const byModerator = (json: object) => call('PUT', path, { as: moderator, json });
    assert.equal((await byModerator({ url: server.urlOf('/new.png') })).status, 403);
    assert.ok(!server.requests.includes('/new.png'));
    assert.equal((await byModerator({ image: png.toString('base64') })).status, 200);

    const input = { user: 'ada', role: 'presenter', avatarUrl: server.urlOf('/ada.png') };
    const made = await call('POST', '/api/rooms/demo/tokens', { as: admin, json: input });
    const grant = await auth.authorizeJoin(made.json.token, 'demo');
    assert.equal(grant.avatarUrl, input.avatarUrl);
    const inside = { ...input, avatarUrl: 'http://[::1]/ada.png' };
    assert.equal((await call('POST', '/api/rooms/demo/tokens', { as: admin, json: inside })).status, 403);
  });

  test('take a new name, role, permissions and hand', async () => {
    const { call, admin, alice, bob } = await someMeeting();
    const path = `/api/rooms/demo/participants/${alice.participant.id}`;
    const named = await call('PATCH', path, { as: admin, json: { displayName: 'Al', isHandRaised: true } });
    assert.deepEqual([named.json.displayName, named.json.isHandRaised, named.json.role], ['Al', true, 'presenter']);
    const viewer = await call('PATCH', path, { as: admin, json: { role: 'viewer' } });
    assert.deepEqual([viewer.json.role, viewer.json.permissions.publish.audio], ['viewer', false]);
    assert.ok(alice.audio.isClosed && alice.video.isClosed);
    assert.deepEqual(viewer.json.streams, []);
    const all = { audio: true, video: true, data: true };
    const permissions = { publish: { ...all, video: false }, subscribe: all, chat: false, moderate: false };
    await call('PATCH', `/api/rooms/demo/participants/${bob.participant.id}`, { as: admin, json: { permissions } });
    assert.deepEqual(bob.participant.permissions, permissions);
    assert.deepEqual([bob.audio.isClosed, bob.video.isClosed], [false, true]);
  });

  test('are muted and unmuted by kind, and cannot lift it themselves', async () => {
    const { call, admin, alice } = await someMeeting();
    const path = `/api/rooms/demo/participants/${alice.participant.id}`;
    const muted = await call('PATCH', path, { as: admin, json: { isMuted: { audio: true } } });
    assert.deepEqual(muted.json.isMuted, { audio: true, video: false });
    assert.ok(alice.audio.isMutedByModerator && alice.audio.producer.isPaused);
    await assert.rejects(alice.audio.setMuted(false, 'owner'));
    const both = await call('PATCH', path, { as: admin, json: { isMuted: { audio: false, video: true } } });
    assert.deepEqual(both.json.isMuted, { audio: false, video: true });
  });

  test.each<[string, object, string]>([
    ['a role this room has not', { role: 'king' }, 'role'],
    ['an empty name', { displayName: '' }, 'displayName'],
    ['half of the permissions', { permissions: { chat: true } }, 'permissions.publish'],
    ['an unknown kind of mute', { isMuted: { screen: true } }, 'isMuted.screen'],
    ['what cannot be changed', { user: 'eve' }, 'user'],
  ])('with %s stay as they are', async (_what, json, path) => {
    const { call, admin, alice } = await someMeeting();
    const answer = await call('PATCH', `/api/rooms/demo/participants/${alice.participant.id}`, { as: admin, json });
    assert.equal(answer.status, 400);
    assert.equal(answer.json.errors[0].path, path);
    assert.deepEqual([alice.participant.role, alice.participant.displayName], ['presenter', 'ALICE']);
  });

  test('are removed with the reason "kicked", once', async () => {
    const { call, admin, alice, room } = await someMeeting();
    const path = `/api/rooms/demo/participants/${alice.participant.id}`;
    assert.equal((await call('DELETE', path, { as: admin })).status, 204);
    assert.equal(await alice.participant.done, 'kicked');
    assert.equal(room.participants.size, 1);
    assert.equal((await call('DELETE', path, { as: admin })).status, 404);
  });
});

describe('streams', () => {
  test('are listed and read', async () => {
    const { call, admin, alice } = await someMeeting();
    const { json } = await call('GET', '/api/rooms/demo/streams', { as: admin });
    assert.equal(json.items.length, 4);
    const one = (await call('GET', `/api/rooms/demo/streams/${alice.video.id}`, { as: admin })).json;
    assert.deepEqual(
      [one.user, one.kind, one.source, one.mimeType, one.encodingCount, one.isMuted],
      ['alice', 'video', 'camera', 'video/VP8', 3, false],
    );
  });

  test('are muted, unmuted and ended', async () => {
    const { call, admin, alice } = await someMeeting();
    const path = `/api/rooms/demo/streams/${alice.video.id}`;
    assert.equal((await call('PATCH', path, { as: admin, json: { isMuted: true } })).json.isMutedByModerator, true);
    assert.equal((await call('PATCH', path, { as: admin, json: { isMuted: false } })).json.isMuted, false);
    assert.equal((await call('PATCH', path, { as: admin, json: {} })).json.isMuted, false);
    assert.equal((await call('PATCH', path, { as: admin, json: { isMuted: null } })).status, 400);
    assert.equal((await call('DELETE', path, { as: admin })).status, 204);
    assert.equal((await call('PATCH', path, { as: admin, json: { isMuted: true } })).status, 404);
    assert.ok(!alice.participant.isClosed);
  });
});

describe('streams in views', () => {
  test('go in and out, whatever their rule says and whether anybody watches', async () => {
    const { call, admin, alice, room, views } = await someMeeting();
    const path = `/api/rooms/demo/streams/${alice.video.id}`;
    const put = (inViews: string[]) => call('PATCH', path, { as: admin, json: { inViews } });
    for (const json of [
      { name: 'wide', hasAudio: false },
      { name: 'chosen', autoMix: 'none' },
      { name: 'sound', hasVideo: false },
    ])
      await call('POST', '/api/rooms/demo/views', { as: admin, json });
    assert.deepEqual((await call('GET', path, { as: admin })).json.inViews, ['common', 'wide']);
    assert.deepEqual((await put(['common', 'chosen'])).json.inViews, ['common', 'chosen']);
    assert.equal((await put(['sound'])).status, 422);
    const chosen = '/api/rooms/demo/views/chosen';
    const bob = (await call('GET', '/api/rooms/demo/streams?kind=video', { as: admin })).json.items.find(
      ({ user }: { user: string }) => user !== 'alice',
    );
    const arrange = (json: object) => call('PATCH', chosen, { as: admin, json });
    assert.equal((await arrange({ add: [bob.id], remove: [alice.video.id] })).status, 200);
    assert.equal((await arrange({ primary: bob.id })).status, 409);
    // The worker that composes them is up; what it is sent is of no interest here.
    const seen = async (name: string) => {
      const view = await views.viewOf(room, name);
      view.inputs.attach({} as never, true, []);
      return view.inputs.members.map(({ publication }) => publication?.id);
    };
    assert.deepEqual(await seen('chosen'), [bob.id]);
    assert.deepEqual(await seen('wide'), [bob.id]);
    // It ends with the last who watches, and is begun again as it was.
    await views.find(room.record, 'chosen')?.close('requested');
    assert.deepEqual(await seen('chosen'), [bob.id]);
    await call('DELETE', chosen, { as: admin });
    await call('POST', '/api/rooms/demo/views', { as: admin, json: { name: 'chosen', autoMix: 'none' } });
    assert.deepEqual(await seen('chosen'), []);
    await call('DELETE', chosen, { as: admin });
    assert.deepEqual(await seen('common'), [alice.video.id, bob.id]);
    await put(['common', 'wide']);
    const shown = async () => (await call('GET', '/api/rooms/demo/streams?kind=video', { as: admin })).json.items;
    assert.deepEqual(
      (await shown()).map(({ inViews }: { inViews: string[] }) => inViews),
      [
        ['common', 'wide'],
        ['common', 'wide'],
      ],
    );
    assert.deepEqual((await put(['wide'])).json.inViews, ['wide']);
    assert.deepEqual((await put(['common'])).json.inViews, ['common']);
    assert.deepEqual((await put([])).json.inViews, []);
    assert.deepEqual((await put(['wide', 'common'])).json.inViews, ['common', 'wide']);
  });

  test('are refused for a view that is not there, and for sound, and then nothing is muted either', async () => {
    const { call, admin, alice } = await someMeeting();
    const wrong = { isMuted: true, inViews: ['none'] };
    for (const id of [alice.video.id, alice.audio.id]) {
      const refused = await call('PATCH', `/api/rooms/demo/streams/${id}`, { as: admin, json: wrong });
      assert.equal(refused.status, 422);
      assert.equal((await call('GET', `/api/rooms/demo/streams/${id}`, { as: admin })).json.isMuted, false);
    }
  });
});

describe('messages', () => {
  test('from the server reach everybody or one, and those to everybody are kept', async () => {
    const { call, admin, room, alice } = await someMeeting();
    const sent: ChatMessage[] = [];
    room.events.on('chatSent', (message) => sent.push(message));
    const all = await call('POST', '/api/rooms/demo/messages', { as: admin, json: { text: 'Hello' } });
    assert.deepEqual([all.status, all.json.from, all.json.to], [201, null, 'all']);
    const to = alice.participant.id;
    await call('POST', '/api/rooms/demo/messages', { as: admin, json: { text: 'Psst', to } });
    assert.deepEqual(
      sent.map((message) => [message.to, message.text]),
      [
        ['all', 'Hello'],
        [to, 'Psst'],
      ],
    );
    const { json } = await call('GET', '/api/rooms/demo/messages', { as: admin });
    assert.deepEqual(
      json.items.map(({ text }: { text: string }) => text),
      ['Hello'],
    );
  });

  test('are read newest first, page by page, and in the order of talking where that is asked for', async () => {
    const { call, admin } = await someMeeting();
    const said = Array.from({ length: 60 }, (_, n) => `message ${n}`);
    for (const text of said) await call('POST', '/api/rooms/demo/messages', { as: admin, json: { text } });
    const read = async (query: string) => (await call('GET', `/api/rooms/demo/messages${query}`, { as: admin })).json;
    const textsOf = ({ items }: { items: { text: string }[] }) => items.map(({ text }) => text);
    const page = await read('');
    assert.deepEqual(textsOf(page), said.toReversed().slice(0, 50));
    assert.deepEqual(textsOf(await read(`?after=${page.next}`)), said.toReversed().slice(50));
    assert.deepEqual(textsOf(await read('?order=oldest&limit=2')), said.slice(0, 2));
  });

  test('to nobody are refused', async () => {
    const { call, admin, rooms } = await someMeeting();
    await rooms.create({ name: 'empty' });
    const post = (room: string, json: object) => call('POST', `/api/rooms/${room}/messages`, { as: admin, json });
    assert.equal((await post('empty', { text: 'Hello' })).status, 409);
    assert.equal((await post('demo', { text: 'Hello', to: 'PA_gone' })).status, 404);
    assert.equal((await post('nowhere', { text: 'Hello' })).status, 404);
    for (const text of ['', ' \n', 'x'.repeat(4_001)]) assert.equal((await post('demo', { text })).status, 400);
    assert.deepEqual((await call('GET', '/api/rooms/empty/messages', { as: admin })).json, { items: [], next: null });
  });
});

describe('tokens', () => {
  test('let their user in under the role, and come with the page that uses them', async () => {
    const { call, admin, auth, rooms } = await someMeeting();
    const json = { user: 'u-7', name: 'Ute', role: 'viewer', attributes: { seat: '4' }, ttlMs: 5_000 };
    const askedAtMs = Date.now();
    const answer = await call('POST', '/api/rooms/DEMO/tokens', { as: admin, json });
    const answeredAtMs = Date.now();
    assert.equal(answer.status, 201);
    assert.equal(answer.json.url, `http://gateway.test/r/demo#token=${answer.json.token}`);
    const madeAtMs = Date.parse(answer.json.expiresAt) - 5_000;
    assert.ok(madeAtMs > askedAtMs - 1_000 && madeAtMs < answeredAtMs + 1_000);
    const grant = await auth.authorizeJoin(answer.json.token, 'demo');
    const { room, user, displayName, role, attributes } = grant;
    assert.deepEqual(
      { room, user, displayName, role, attributes },
      {
        room: (await rooms.get('demo')).record.id,
        user: 'u-7',
        displayName: 'Ute',
        role: 'viewer',
        attributes: { seat: '4' },
      },
    );
  });

  test('name the public address where there is one', async () => {
    const { call, admin, rooms } = await someApi({ config: { http: { publicUrl: 'https://meet.example.org' } } });
    await rooms.create({ name: 'demo' });
    const { json } = await call('POST', '/api/rooms/demo/tokens', { as: admin, json: { user: 'u', role: 'viewer' } });
    assert.ok(json.url.startsWith('https://meet.example.org/r/demo#token='));
  });

  test.each<[string, object, string]>([
    ['no user', { role: 'viewer' }, 'user'],
    ['no role', { user: 'u' }, 'role'],
    ['a role this room has not', { user: 'u', role: 'king' }, 'role'],
    ['a life of a year', { user: 'u', role: 'viewer', ttlMs: 365 * 86_400_000 }, 'ttlMs'],
    ['attributes that are no text', { user: 'u', role: 'viewer', attributes: { a: 1 } }, 'attributes.a'],
    ['unknown keys', { user: 'u', role: 'viewer', isAdmin: true }, 'isAdmin'],
  ])('with %s are not made', async (_what, json, path) => {
    const { call, admin } = await someMeeting();
    const answer = await call('POST', '/api/rooms/demo/tokens', { as: admin, json });
    assert.equal(answer.status, 400);
    assert.equal(answer.json.errors[0].path, path);
  });
});

describe('stats', () => {
  const stream: StreamStats = {
    ssrc: 7,
    rid: 'h',
    mimeType: 'video/VP8',
    bitrateBps: 900_000,
    byteCount: 1,
    packetCount: 2,
    packetsLost: 3,
    fractionLost: 0.25,
    jitterMs: 4,
    roundTripTimeMs: 5,
    nackCount: 6,
    pliCount: 7,
    firCount: 8,
    score: 9,
  };
  const transport: TransportStats = {
    sentBitrateBps: 10,
    receivedBitrateBps: 20,
    byteCountSent: 0,
    byteCountReceived: 0,
    availableOutgoingBps: 500_000,
    remoteAddress: 'udp 192.0.2.1:4000',
    protocol: 'udp',
  };

  test('show each participant and stream with who receives it', async () => {
    const { call, admin, alice, bob } = await someMeeting();
    Object.assign(alice.transport, { getStats: async () => transport });
    Object.assign(alice.video.producer, { getStats: async () => [stream] });
    const { rtpCapabilities } = bob.participant.room.media;
    const subscription = await bob.participant.subscribe(bob.transport, alice.video, { rtpCapabilities });
    await subscription.resume();
    Object.assign(subscription.consumer, { getStats: async () => [{ ...stream, bitrateBps: 300_000 }] });
    const { json } = await call('GET', '/api/rooms/demo/stats', { as: admin });
    assert.equal(json.isPartial, false);
    const participant = json.participants.find(({ id }: { id: string }) => id === alice.participant.id);
    assert.deepEqual(
      [participant.sentBitrateBps, participant.availableOutgoingBps, participant.remoteAddress],
      [10, 500_000, 'udp 192.0.2.1:4000'],
    );
    const shown = json.streams.find(({ id }: { id: string }) => id === alice.video.id);
    assert.deepEqual(
      [shown.encodings[0].rid, shown.encodings[0].bitrateBps, shown.encodings[0].fractionLost],
      ['h', 900_000, 0.25],
    );
    assert.deepEqual(
      [shown.subscriptions[0].participantId, shown.subscriptions[0].bitrateBps, shown.subscriptions[0].isFlowing],
      [bob.participant.id, 300_000, true],
    );
  });

  test('do not tell participants where the others are', async () => {
    const { call, alice, tokenFor } = await someMeeting();
    Object.assign(alice.transport, { getStats: async () => transport });
    const { json, text } = await call('GET', '/api/rooms/demo/stats', { as: await tokenFor('demo', 'viewer') });
    assert.equal(json.participants.length, 2);
    assert.ok(!text.includes('192.0.2.1'));
  });

  test('are measured once for all who ask within a second', async () => {
    const { call, admin, alice } = await someMeeting();
    let questions = 0;
    Object.assign(alice.transport, {
      getStats: async () => {
        questions++;
        return transport;
      },
    });
    await Promise.all(Array.from({ length: 20 }, () => call('GET', '/api/rooms/demo/stats', { as: admin })));
    assert.equal(questions, 1);
  });

  test('of streams that end or hang meanwhile lack those and have the rest', async () => {
    const { call, admin, alice, bob } = await someMeeting();
    Object.assign(alice.video.producer, { getStats: () => Promise.reject(new Error('closed')) });
    Object.assign(bob.video.producer, {
      getStats: () => {
        throw new Error('closed');
      },
    });
    Object.assign(bob.transport, { getStats: () => new Promise(() => undefined) });
    const { status, json } = await call('GET', '/api/rooms/demo/stats', { as: admin });
    assert.equal(status, 200);
    assert.deepEqual([json.participants.length, json.streams.length], [2, 4]);
  });

  test('of a huge room stay bounded and say that they are partial', async () => {
    const { call, admin, room } = await someMeeting();
    let questions = 0;
    for (let i = 0; i < 600; i++) {
      const { audio } = await joinAndPublish(room, `user-${i}`);
      Object.assign(audio.producer, {
        getStats: async () => {
          questions++;
          return [];
        },
      });
    }
    const { json } = await call('GET', '/api/rooms/demo/stats', { as: admin });
    assert.equal(json.isPartial, true);
    assert.ok(json.participants.length === 602 && questions <= 400);
  });

  test('of a room nobody is in are empty', async () => {
    const { call, admin, rooms } = await someMeeting();
    await rooms.create({ name: 'empty' });
    const { json } = await call('GET', '/api/rooms/empty/stats', { as: admin });
    assert.deepEqual([json.participants, json.streams], [[], []]);
  });
});
