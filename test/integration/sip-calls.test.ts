// Phones by SIPp and RTP against a whole gateway: what they say reaches the room, and what the API does reaches them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import type { Room } from '#core/room.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { freePort } from '#test/support/ports.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';
import {
  ack,
  ackFailure,
  bye,
  invite,
  pause,
  recv,
  recvInviteToKeep,
  recvRequest,
  request,
  response,
  responseToInvite,
  sipp,
  startSipp,
} from '#test/support/sipp.ts';
import { usualLevel } from '#test/support/tone.ts';

let gateway: TestGateway;
let target: string;
const opened: { close(): unknown }[] = [];
const calls = '/api/rooms/demo/sipcalls';

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open', rules: [{ number: '+4930123', room: 'demo', access: 'open' }] },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_000, lastPort: 43_399 },
  });
  const udp = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  target = `127.0.0.1:${udp?.port}`;
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

async function phoneOf(toneHz: number): Promise<{ phone: PhonePeer; sdp: string; port: number }> {
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz, levelDbov: -20 });
  opened.push(phone);
  const port = phone.parameters().remotePort;
  return { phone, port, sdp: sdpAt(port) };
}

const sdpAt = (port: number, direction = 'sendrecv') =>
  `v=0\no=phone 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio ${port} RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=${direction}\n`;

async function demo(): Promise<Room> {
  return gateway.app.rooms.open('demo');
}

/** The next phone that joins, with its leg's port known. */
async function nextPhone(room: Room) {
  const [participant] = await once(room.events, 'participantJoined', { signal: AbortSignal.timeout(8_000) });
  return participant as { id: string; kind: string; displayName: string; done: Promise<string> };
}

const lastCall = async () => gateway.app.sip.callsOf((await demo()).id).at(-1);
const legPort = () => [...gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0;
const state = async (id: string) => gateway.api<SipCallResource>('GET', `${calls}/${id}`);
const answered = [recv(100, { optional: true }), recv(180, { optional: true }), recv(200, { rrs: true }), ack()].join(
  '\n',
);

/** Beginning with the mixer, which joins hidden before the first phone. */
async function phoneIn(room: Room) {
  for (;;) {
    const participant = await nextPhone(room);
    if (participant.kind === 'sip') return participant;
  }
}

test('a phone that calls the room by name is heard in it, hears another, and leaves a record', async () => {
  const room = await demo();
  const one = await phoneOf(440);
  const joining = phoneIn(room);
  const run = startSipp({
    target,
    service: 'demo',
    scenario: [invite({ body: one.sdp }), answered, pause(6_000), bye(), recv(200)].join('\n'),
    timeoutSec: 15,
  });
  const participant = await joining;
  assert.deepEqual([participant.kind, participant.displayName], ['sip', 'Test']);
  one.phone.talkTo(legPort());
  const publication = await new Promise<Parameters<RoomViewer['watch']>[0]>((resolve) => {
    const found = [...room.publications()][0];
    if (found) resolve(found.producer);
    else room.events.once('publicationAdded', ({ producer }) => resolve(producer));
  });
  const viewer = await RoomViewer.join(room.media);
  opened.push(viewer);
  await viewer.watch(publication);
  await viewer.until(({ heard }) => heard.length > 100);
  const samples = Int16Array.from(viewer.heard.slice(-50).flatMap((frame) => [...frame.samples]));
  const dbov = usualLevel(samples, 440, 48_000);
  assert.ok(Math.abs(dbov + 20) < 1.5, `${dbov} dBov`);

  const two = await phoneOf(0);
  const second = phoneIn(room);
  const other = startSipp({
    target,
    service: '+4930123',
    scenario: [invite({ body: two.sdp }), answered, pause(3_000), bye(), recv(200)].join('\n'),
    timeoutSec: 15,
  });
  await second;
  two.phone.talkTo(legPort());
  await two.phone.hear(1_000);
  const heard = await two.phone.hear(600);
  const level = usualLevel(heard, 440, 8_000);
  assert.ok(Math.abs(level + 20) < 1.5, `${level} dBov`);
  await Promise.all([run.done, other.done, participant.done]);
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', calls);
  const ended = items.filter(({ end }) => end?.by === 'peer' && end.reason === 'hung_up');
  assert.equal(ended.length, 2);
  assert.equal(ended[0]?.codec, 'pcmu');
  assert.ok(gateway.log.lines.some(({ message, fields }) => message === 'call ended' && fields.reason === 'hung_up'));
}, 40_000);

test('a call to no room is refused 404 with the reason, in the log as well', async () => {
  const scenario = [
    invite(),
    recv(100, { optional: true }),
    recv(404, { expect: { Warning: 'no room' } }),
    ackFailure(),
  ];
  await sipp({ target, service: 'nowhere', scenario: scenario.join('\n') });
  const line = gateway.log.lines.find(({ message }) => message === 'call refused');
  assert.match(String(line?.fields.reason), /no room "nowhere"/);
});

test('a call with no codec of ours is refused 488 and leaves nothing behind', async () => {
  const before = gateway.app.phones.legs.size;
  const body = sdpAt(4_000).replace('RTP/AVP 0 101', 'RTP/AVP 18');
  const scenario = [
    invite({ body }),
    recv(100, { optional: true }),
    recv(180, { optional: true }),
    recv(488),
    ackFailure(1, 4),
  ];
  await sipp({ target, service: 'demo', scenario: scenario.join('\n') });
  await gateway.app.sip
    .callsOf((await demo()).id)
    .at(-1)
    ?.settled(5_000);
  assert.equal(gateway.app.phones.legs.size, before);
});

test('a caller that holds gets recvonly and back, and keys by INFO are kept', async () => {
  const { port, sdp } = await phoneOf(0);
  const again = (direction: string, cseq: number) =>
    [
      invite({ body: sdpAt(port, direction), cseq, isInDialog: true, uri: '[next_url]', headers: ['[routes]'] }),
      recv(100, { optional: true }),
      recv(200, { expect: { body: `a=${direction === 'sendonly' ? 'recvonly' : 'sendrecv'}` } }),
      ack(cseq),
    ].join('\n');
  const info = request({
    method: 'INFO',
    cseq: 4,
    isInDialog: true,
    uri: '[next_url]',
    body: 'Signal=5\nDuration=160\n',
    contentType: 'application/dtmf-relay',
  });
  await sipp({
    target,
    service: 'demo',
    scenario: [
      invite({ body: sdp }),
      answered,
      again('sendonly', 2),
      again('sendrecv', 3),
      info,
      recv(200),
      bye(5),
      recv(200),
    ].join('\n'),
  });
  assert.equal((await lastCall())?.info.digits, '5');
});

test('an INVITE without SDP gets our offer, and its answer in the ACK', async () => {
  const room = await demo();
  const joining = phoneIn(room);
  const { phone, sdp } = await phoneOf(440);
  const ackWithSdp = request({ method: 'ACK', isInDialog: true, uri: '[next_url]', headers: ['[routes]'], body: sdp });
  const scenario = [
    invite({ body: '' }),
    recv(100, { optional: true }),
    recv(180, { optional: true }),
    recv(200, { rrs: true, expect: { body: 'm=audio 43' } }),
    ackWithSdp,
    pause(2_500),
    bye(),
    recv(200),
  ];
  const run = startSipp({ target, service: 'demo', scenario: scenario.join('\n') });
  await joining;
  phone.talkTo(legPort());
  await phone.hear(500);
  await run.done;
});

test('a phone that a moderator removes is hung up', async () => {
  const room = await demo();
  const joining = phoneIn(room);
  const { sdp } = await phoneOf(0);
  const scenario = [
    invite({ body: sdp }),
    answered,
    recvRequest('BYE', { expect: { Reason: 'kicked' } }),
    response('200 OK', { tag: false }),
  ];
  const run = startSipp({ target, service: 'demo', scenario: scenario.join('\n') });
  const { id } = await joining;
  await (await lastCall())?.settled(5_000);
  await gateway.api('DELETE', `/api/rooms/demo/participants/${id}`);
  await run.done;
});

test('the API calls a phone, holds it and hangs up', async () => {
  const localPort = await freePort();
  const { phone, sdp, port } = await phoneOf(0);
  const scenario = [
    recvRequest('INVITE', { rrs: true, expect: { From: 'Front desk', 'X-Ticket': '7' } }),
    response('180 Ringing'),
    response('200 OK', { body: sdp }),
    recvRequest('ACK'),
    recvRequest('INVITE', { expect: { body: 'a=sendonly' } }),
    response('200 OK', { body: sdpAt(port, 'recvonly'), tag: false }),
    recvRequest('ACK'),
    recvRequest('BYE'),
    response('200 OK', { tag: false }),
  ];
  const run = startSipp({ scenario: scenario.join('\n'), localPort, timeoutSec: 15 });
  const to = `sip:alice@127.0.0.1:${localPort}`;
  const made = await gateway.api<SipCallResource>('POST', `${calls}?wait=8`, {
    to,
    displayName: 'Front desk',
    headers: { 'X-Ticket': '7' },
  });
  assert.equal(made.state, 'connected', JSON.stringify(made.end));
  await phone.hear(200);
  const held = await gateway.api<SipCallResource>('PATCH', `${calls}/${made.id}`, { isHeld: true });
  assert.equal(held.isHeld, true);
  await gateway.api('DELETE', `${calls}/${made.id}`);
  await run.done;
  assert.deepEqual([(await state(made.id)).state, (await state(made.id)).end?.reason], ['ended', 'hung_up']);
});

test('a phone that is busy is said to be, with its SIP status', async () => {
  const localPort = await freePort();
  const scenario = [recvRequest('INVITE'), response('486 Busy Here'), recvRequest('ACK')];
  const run = startSipp({ scenario: scenario.join('\n'), localPort });
  const made = await gateway.api<SipCallResource>('POST', `${calls}?wait=8`, { to: `sip:bob@127.0.0.1:${localPort}` });
  assert.deepEqual([made.state, made.end?.sipStatus, made.end?.code], ['ended', 486, 'upstream_refused']);
  await run.done;
});

test('a phone that takes the call without saying where its sound is to go is hung up at once, and that is said', async () => {
  const localPort = await freePort();
  const scenario = [
    ...[recvRequest('INVITE'), response('200 OK'), recvRequest('ACK')],
    ...[recvRequest('BYE', { expect: { Reason: 'without SDP' } }), response('200 OK', { tag: false })],
  ];
  const run = startSipp({ scenario: scenario.join('\n'), localPort });
  const made = await gateway.api<SipCallResource>('POST', `${calls}?wait=8`, { to: `sip:bob@127.0.0.1:${localPort}` });
  assert.deepEqual([made.state, made.end?.by, made.end?.code], ['ended', 'us', 'upstream_refused']);
  await run.done;
});

test('a phone whose answer to our hold cannot be read is what failed, not the one who asked for it', async () => {
  const localPort = await freePort();
  const { sdp } = await phoneOf(0);
  const scenario = [
    ...[recvRequest('INVITE', { rrs: true }), response('200 OK', { body: sdp }), recvRequest('ACK')],
    ...[recvRequest('INVITE'), response('200 OK', { body: 'v=0\nnothing', tag: false }), recvRequest('ACK')],
    ...[recvRequest('BYE'), response('200 OK', { tag: false })],
  ];
  const run = startSipp({ scenario: scenario.join('\n'), localPort, timeoutSec: 15 });
  const made = await gateway.api<SipCallResource>('POST', `${calls}?wait=8`, { to: `sip:bob@127.0.0.1:${localPort}` });
  await assert.rejects(gateway.api('PATCH', `${calls}/${made.id}`, { isHeld: true }), /502 .*upstream_refused/);
  assert.deepEqual([(await state(made.id)).state, (await state(made.id)).isHeld], ['connected', false]);
  await gateway.api('DELETE', `${calls}/${made.id}`);
  await run.done;
});

test('what would write lines of its own into the INVITE is refused before anybody is called', async () => {
  for (const body of [
    { to: 'sip:a@127.0.0.1\r\nX: y' },
    { to: 'http://127.0.0.1/' },
    { to: 'sip:a@127.0.0.1', headers: { Via: 'x' } },
    { to: 'sip:a@127.0.0.1', headers: { 'X-A': 'a\r\nRoute: <sip:evil>' } },
  ]) {
    await assert.rejects(gateway.api('POST', calls, body), /400/);
  }
});

test('keys that a phone presses reach the room as events, and a room that is closed hangs up', async () => {
  const { id: roomId } = (await gateway.app.rooms.create({ name: 'keys' })).record;
  const room = await gateway.app.rooms.open(roomId);
  const joining = phoneIn(room);
  const { phone, sdp } = await phoneOf(440);
  const scenario = [
    invite({ body: sdp }),
    answered,
    recvRequest('BYE', { expect: { Reason: 'room_closed' } }),
    response('200 OK', { tag: false }),
  ];
  const run = startSipp({ target, service: roomId, scenario: scenario.join('\n') });
  const participant = await joining;
  phone.talkTo(legPort());
  await phone.hear(300);
  const keys: string[] = [];
  const pressed = new Promise<void>((resolve) => {
    room.events.on('dtmfReceived', ({ id }, digit) => {
      assert.equal(id, participant.id);
      if (keys.push(digit) === 2) resolve();
    });
  });
  phone.press('4#');
  await pressed;
  assert.deepEqual(keys, ['4', '#']);
  await gateway.api('DELETE', `/api/rooms/${roomId}`);
  await run.done;
  assert.equal(gateway.app.phones.legs.size, 0);
});

test('a gateway that drains refuses calls and OPTIONS with 503 and says when to come again', async () => {
  const other = await startGateway({ sip: { isEnabled: true } });
  opened.push(other);
  const udp = other.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  const ask = { target: `127.0.0.1:${udp?.port}`, service: 'demo' };
  const options = (status: number, expect = {}) =>
    [request({ method: 'OPTIONS' }), recv(status, { expect })].join('\n');
  await sipp({ ...ask, scenario: options(200, { Allow: 'INVITE' }) });
  await other.app.drain(1);
  await sipp({ ...ask, scenario: options(503, { 'Retry-After': '[0-9]' }) });
  await sipp({
    ...ask,
    scenario: [
      invite(),
      recv(100, { optional: true }),
      recv(503, { expect: { 'Retry-After': '5' } }),
      ackFailure(),
    ].join('\n'),
  });
});

test('a phone that answers as we give up is acknowledged and hung up, and the call is nobody in the room', async () => {
  const port = await freePort();
  const run = startSipp({
    localPort: port,
    timeoutSec: 40,
    scenario: [
      recvInviteToKeep(),
      responseToInvite('180 Ringing'),
      recvRequest('CANCEL'),
      // The 200 to the INVITE and the CANCEL have crossed.
      responseToInvite('200 OK', sdpAt(port + 2)),
      recvRequest('ACK'),
      recvRequest('BYE'),
      response('200 OK', { tag: false }),
    ].join('\n'),
  });
  const { id } = await gateway.api<SipCallResource>('POST', calls, { to: `sip:a@127.0.0.1:${port}` }, 30_000);
  const call = [...gateway.app.sip.live].find(({ info }) => info.id === id);
  while (call?.info.state === 'dialing') await once(gateway.app.sip.events, 'updated');
  await gateway.api('DELETE', `${calls}/${id}`, undefined, 30_000);
  await run.done;
  const { end, answeredAt, participantId } = await state(id);
  assert.deepEqual([end?.by, end?.reason, answeredAt, participantId], ['us', 'hung_up', null, null]);
  assert.equal([...gateway.app.sip.live].length, 0);
}, 60_000);
