// Doors of meetings as clients of the protocols meet them: who waits, who is let in, locks, times, guests and phones.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, describe, test, vi } from 'vitest';
import type { EventResource, InstantMeeting, MeetingResource, WaitingResource } from '#api/contract.ts';
import { byeComes, callWithPhone, hangUp, nextPhone, untilHeard } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { readSdp } from '#test/support/sdp-fixtures.ts';
import { SignallingPeer } from '#test/support/signalling-peer.ts';
import { pause } from '#test/support/sipp.ts';

let gateway: TestGateway;
let roomCount = 0;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_600, lastPort: 43_799 },
  });
}, 60_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway?.close());

async function roomWith(meeting: object, more: object = {}): Promise<string> {
  roomCount += 1;
  const name = `meeting-${roomCount}`;
  await gateway.api('POST', '/api/rooms', { name, meeting, ...more });
  return name;
}

interface Comer {
  readonly peer: SignallingPeer;
  /** The code of the refusal, or `none` once it is in. */
  readonly outcome: Promise<string>;
}

/** Asks to join and may have to wait longer than a peer of tests waits for an answer. */
async function come(room: string, user: string, role = 'presenter', more: object = {}): Promise<Comer> {
  const token = await gateway.token({ room, user, role });
  const peer = await SignallingPeer.connect(gateway.webSocketUrl);
  opened.push({ close: () => peer.socket.terminate() });
  const outcome = new Promise<string>((resolve) => {
    peer.socket.on('message', (data) => {
      const { id, ok, error } = JSON.parse(String(data));
      if (id === 7) resolve(ok ? 'none' : error.code);
    });
  });
  const data = { protocol: 1, room, token, ...more };
  peer.socket.send(JSON.stringify({ id: 7, method: 'join', data }));
  return { peer, outcome };
}

const waitingIn = async (room: string) =>
  (await gateway.api<{ items: WaitingResource[] }>('GET', `/api/rooms/${room}/waiting`)).items;
const meetingOf = (room: string) => gateway.api<MeetingResource>('GET', `/api/rooms/${room}/meeting`);
const peopleIn = async (room: string) =>
  (await gateway.api<{ items: { user: string; role: string }[] }>('GET', `/api/rooms/${room}/participants`)).items;

async function eventsOf(room: string): Promise<string[]> {
  const { items } = await gateway.api<{ items: EventResource[] }>('GET', `/api/rooms/${room}/events?limit=200`);
  return items.map(({ type, data }) => `${type}${data.user === undefined ? '' : ` ${data.user}`}`);
}

describe('a waiting room', () => {
  test('keeps people outside in their order until a moderator lets them in or turns them away', async () => {
    const room = await roomWith({ hasWaitingRoom: true });
    const host = await come(room, 'host', 'moderator');
    assert.equal(await host.outcome, 'none');
    const ada = await come(room, 'ada');
    const first = await ada.peer.event('waiting');
    assert.deepEqual([first.reason, first.position, first.count], ['admission', 1, 1]);
    assert.match(first.message, /moderator/);
    const bob = await come(room, 'bob');
    assert.equal((await bob.peer.event('waiting')).position, 2);
    const { waiting } = await host.peer.event('lobby', ({ waiting }) => waiting.length === 2);
    assert.deepEqual(
      waiting.map(({ user }) => user),
      ['ada', 'bob'],
    );
    assert.deepEqual(
      (await peopleIn(room)).map(({ user }) => user),
      ['host'],
    );
    await host.peer.request('admit', { waitingId: waiting[0]?.id ?? '' });
    assert.equal(await ada.outcome, 'none');
    // Who is next is told so.
    await bob.peer.event('waiting', ({ position, count }) => position === 1 && count === 1);
    await host.peer.request('deny', { waitingId: waiting[1]?.id ?? '' });
    assert.equal(await bob.outcome, 'not_admitted');
    assert.deepEqual(await waitingIn(room), []);
    const events = await eventsOf(room);
    for (const expected of ['participant.waiting ada', 'participant.admitted ada', 'participant.denied bob']) {
      assert.ok(events.includes(expected), `${expected} in ${events}`);
    }
  });

  test('is served by REST as well, one by one and all at once; who goes away is forgotten', async () => {
    const room = await roomWith({ hasWaitingRoom: true });
    const comers: Comer[] = [];
    for (const user of ['a', 'b', 'c', 'd']) {
      const comer = await come(room, user);
      await comer.peer.event('waiting');
      comers.push(comer);
    }
    const [a, b, c, d] = comers as [Comer, Comer, Comer, Comer];
    const [first, second] = await waitingIn(room);
    await gateway.api('POST', `/api/rooms/${room}/waiting/${first?.id}/admit`);
    await gateway.api('DELETE', `/api/rooms/${room}/waiting/${second?.id}`);
    assert.deepEqual([await a.outcome, await b.outcome], ['none', 'not_admitted']);
    c.peer.socket.terminate();
    await d.peer.event('waiting', ({ position, count }) => position === 1 && count === 1);
    const { admittedCount } = await gateway.api<{ admittedCount: number }>('POST', `/api/rooms/${room}/waiting/admit`);
    assert.equal(admittedCount, 1);
    assert.equal(await d.outcome, 'none');
    await vi.waitFor(async () => assert.ok((await eventsOf(room)).includes('participant.gone c')));
    await assert.rejects(gateway.api('POST', `/api/rooms/${room}/waiting/WT_nobody/admit`), /404/);
  });

  test('opens for all who wait when it is taken away', async () => {
    const room = await roomWith({ hasWaitingRoom: true });
    const ada = await come(room, 'ada');
    await ada.peer.event('waiting');
    await gateway.api('PATCH', `/api/rooms/${room}`, { meeting: { hasWaitingRoom: false } });
    assert.equal(await ada.outcome, 'none');
  });

  test('is no business of who may not moderate', async () => {
    const room = await roomWith({});
    const ada = await come(room, 'ada');
    assert.equal(await ada.outcome, 'none');
    assert.equal(await ada.peer.codeOf('setDoor', { isLocked: true }), 'forbidden');
    assert.equal(await ada.peer.codeOf('admit', {}), 'forbidden');
    assert.equal(await ada.peer.codeOf('deny', { waitingId: 'WT_x' }), 'forbidden');
  });

  test('is told of to who becomes moderator while somebody waits', async () => {
    const room = await roomWith({ hasWaitingRoom: true });
    const [host, ada] = [await come(room, 'host', 'moderator'), await come(room, 'ada')];
    await host.peer.event('lobby', ({ waiting }) => waiting.length === 1);
    await host.peer.request('admit', {});
    assert.equal(await ada.outcome, 'none');
    await (await come(room, 'bob')).peer.event('waiting');
    const [, participant] = await gateway
      .api<{ items: { id: string; user: string }[] }>('GET', `/api/rooms/${room}/participants`)
      .then(({ items }) => [0, items.find(({ user }) => user === 'ada')]);
    await host.peer.request('setRole', { participantId: (participant as { id: string }).id, role: 'moderator' });
    const { waiting } = await ada.peer.event('lobby');
    assert.equal(waiting[0]?.user, 'bob');
  });
});

describe('a lock', () => {
  test('keeps everybody out but moderators, also by WHIP, and goes when the meeting is over', async () => {
    const room = await roomWith({}, { emptyTimeoutMs: 50 });
    const host = await come(room, 'host', 'moderator');
    await host.outcome;
    await host.peer.request('setDoor', { isLocked: true });
    await host.peer.event('roomUpdated', ({ room: { isLocked } }) => isLocked);
    assert.equal(await (await come(room, 'ada')).outcome, 'room_locked');
    assert.equal(await (await come(room, 'second', 'moderator')).outcome, 'none');
    const whip = await fetch(`${gateway.url}/whip/${room}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await gateway.token({ room })}`, 'content-type': 'application/sdp' },
      body: readSdp('chromium-send'),
    });
    assert.equal(whip.status, 423);
    for (const address of [`hls/${room}/index.m3u8`, `fmp4/${room}`]) {
      const watched = await fetch(`${gateway.url}/${address}?token=${await gateway.token({ room })}`);
      assert.equal(watched.status, 423);
    }
    assert.deepEqual((await eventsOf(room)).filter((type) => type === 'room.locked').length, 1);
    const closed = new Promise<void>((resolve) => {
      gateway.app.rooms.events.on('updated', (record) => {
        if (record.name === room && !record.meeting?.isLocked) resolve();
      });
    });
    for (const { participants } of gateway.app.rooms.liveRooms()) {
      for (const participant of participants.values()) if (participant.room.name === room) void participant.close();
    }
    await closed;
    assert.equal((await meetingOf(room)).isLocked, false);
  });

  test('turns away who waits', async () => {
    const room = await roomWith({ hasWaitingRoom: true });
    const ada = await come(room, 'ada');
    await ada.peer.event('waiting');
    const token = await gateway.token({ room, role: 'moderator' });
    const answer = await fetch(`${gateway.url}/api/rooms/${room}/meeting`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ isLocked: true }),
    });
    assert.equal(answer.status, 200);
    assert.equal(await ada.outcome, 'room_locked');
  });
});

describe('a scheduled meeting', () => {
  test('keeps people waiting until it starts, without asking again', async () => {
    const startsAt = new Date(Date.now() + 2_500).toISOString();
    const room = await roomWith({ startsAt });
    assert.equal((await meetingOf(room)).state, 'scheduled');
    const ada = await come(room, 'ada');
    const news = await ada.peer.event('waiting');
    assert.deepEqual([news.reason, news.startsAtMs], ['not_started', Date.parse(startsAt)]);
    assert.equal(await ada.outcome, 'none');
    assert.ok(Date.now() >= Date.parse(startsAt));
  });

  test('opens early when a moderator comes, and then asks for their word where it has a waiting room', async () => {
    const startsAt = new Date(Date.now() + 3_600_000).toISOString();
    const room = await roomWith({ startsAt, hasWaitingRoom: true });
    const ada = await come(room, 'ada');
    assert.equal((await ada.peer.event('waiting')).reason, 'not_started');
    const host = await come(room, 'host', 'moderator');
    assert.equal(await host.outcome, 'none');
    await ada.peer.event('waiting', ({ reason }) => reason === 'admission');
    await host.peer.request('admit', {});
    assert.equal(await ada.outcome, 'none');
  });

  test('without a moderator waits for one', async () => {
    const room = await roomWith({ waitsForModerator: true });
    const ada = await come(room, 'ada');
    assert.equal((await ada.peer.event('waiting')).reason, 'no_moderator');
    assert.equal((await meetingOf(room)).state, 'waiting');
    await (await come(room, 'host', 'moderator')).outcome;
    assert.equal(await ada.outcome, 'none');
    assert.equal((await meetingOf(room)).state, 'open');
  });

  test('ends for everybody with its reason, stays closed, and opens again when its end is moved', async () => {
    const room = await roomWith({});
    const ada = await come(room, 'ada');
    assert.equal(await ada.outcome, 'none');
    await gateway.api('PATCH', `/api/rooms/${room}`, {
      meeting: { endsAt: new Date(Date.now() + 500).toISOString() },
    });
    assert.equal((await ada.peer.event('closed')).reason, 'ended');
    assert.equal(await (await come(room, 'late', 'moderator')).outcome, 'meeting_over');
    assert.equal((await meetingOf(room)).state, 'over');
    const { items } = await gateway.api<{ items: EventResource[] }>(
      'GET',
      `/api/rooms/${room}/events?type=room.closed`,
    );
    assert.equal(items[0]?.data.reason, 'ended');
    await gateway.api('PATCH', `/api/rooms/${room}`, { meeting: { endsAt: null } });
    assert.equal(await (await come(room, 'again')).outcome, 'none');
  });

  test('cannot end before it starts', async () => {
    const meeting = { startsAt: '2030-01-31T12:00:00.000Z', endsAt: '2030-01-31T11:00:00.000Z' };
    await assert.rejects(roomWith(meeting), /meeting\.endsAt/);
  });
});

test('a personal room is moderated by its owner alone, whatever tokens say', async () => {
  const room = await roomWith({ owner: 'alice' });
  await (await come(room, 'mallory', 'moderator')).outcome;
  await (await come(room, 'alice', 'presenter')).outcome;
  const roles = Object.fromEntries((await peopleIn(room)).map(({ user, role }) => [user, role]));
  assert.deepEqual(roles, { mallory: 'presenter', alice: 'moderator' });
  const token = await gateway.token({ room, user: 'mallory', role: 'moderator' });
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await fetch(`${gateway.url}/api/rooms/${room}/waiting`, { headers })).status, 403);
  const { items } = await gateway.api<{ items: { name: string }[] }>('GET', '/api/rooms?owner=alice');
  assert.deepEqual(
    items.map(({ name }) => name),
    [room],
  );
});

test('an instant meeting is one call: links for host and guests that work, and a PIN', async () => {
  const made = await gateway.api<InstantMeeting>('POST', '/api/meetings', { displayName: 'Stand-up' });
  const tokenOf = (url: string) => new URLSearchParams(new URL(url).hash.slice(1)).get('token') ?? '';
  const join = async (token: string) => {
    const { peer, joined } = await SignallingPeer.join(gateway.webSocketUrl, { room: made.room.name, token });
    opened.push({ close: () => peer.socket.terminate() });
    return joined.participants.find(({ id }) => id === joined.participantId)?.role;
  };
  assert.equal(await join(tokenOf(made.hostUrl)), 'moderator');
  assert.equal(await join(tokenOf(made.url)), 'presenter');
  assert.match(made.addresses[0] ?? '', /^sip:/);
  const asked = (pin: string, room = made.room.name) =>
    fetch(`${gateway.url}/api/rooms/${room}/guest-tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ pin, name: 'Gus' }),
    });
  const [wrong, nowhere] = [await asked('0000'), await asked('0000', 'no-such-room')];
  assert.equal(wrong.status, 401);
  assert.equal(nowhere.status, 401);
  const bodies = (await Promise.all([wrong.json(), nowhere.json()])) as { detail: string }[];
  assert.equal(bodies[0]?.detail, bodies[1]?.detail);
  const right = await asked(made.pin);
  assert.equal(right.status, 201);
  assert.equal(await join(((await right.json()) as { token: string }).token), 'presenter');
  // Guessing has to wait, with the right PIN too.
  for (let count = 0; count < 3; count++) await asked('0000');
  const locked = await asked(made.pin);
  assert.equal(locked.status, 429);
  assert.ok(Number(locked.headers.get('retry-after')) > 0);
});

test('where it is recorded, browsers have to agree first and phones are told', async () => {
  const name = await roomWith({ asksConsent: true });
  assert.equal(await (await come(name, 'ada')).outcome, 'consent_required');
  assert.equal(await (await come(name, 'ada', 'presenter', { hasConsented: true })).outcome, 'none');
  const caller = await callWithPhone(gateway, name, pause(20_000) + hangUp);
  opened.push(caller);
  await untilHeard(caller, 'recording_on');
}, 60_000);

test('a phone that has to wait hears music, comes in when it is let in, and is told when it is not', async () => {
  const name = await roomWith({ hasWaitingRoom: true });
  const caller = await callWithPhone(gateway, name, pause(30_000) + hangUp);
  opened.push(caller);
  await untilHeard(caller, 'hold_music', 'any');
  const [who] = await waitingIn(name);
  assert.equal(who?.kind, 'sip');
  const live = await gateway.app.rooms.open(name);
  assert.equal(live.visibleParticipants.length, 0);
  const joined = nextPhone(live);
  await gateway.api('POST', `/api/rooms/${name}/waiting/${who?.id}/admit`);
  await joined;
  await untilHeard(caller, 'joined');
  const other = await callWithPhone(gateway, name, byeComes('not_admitted'));
  opened.push(other);
  await untilHeard(other, 'hold_music', 'any');
  const [next] = await waitingIn(name);
  await gateway.api('DELETE', `/api/rooms/${name}/waiting/${next?.id}`);
  await other.run.done;
}, 90_000);
