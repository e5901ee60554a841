// What a phone in a room is told and what it says: announcements, music on hold, chat, early media, goodbyes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import {
  byeComes,
  callWithPhone,
  hangUp,
  nextPhone,
  phoneSdp,
  sipAddressOf,
  untilHeard,
} from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { freePort } from '#test/support/ports.ts';
import { pause, recv, recvRequest, request, response, sipp, startSipp } from '#test/support/sipp.ts';

let gateway: TestGateway;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open', attributeHeaders: ['X-Customer'] },
    rtp: { listenAddress: '127.0.0.1', firstPort: 42_000, lastPort: 42_199 },
  });
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

async function callerIn(name: string, rest: string, headers: string[] = []) {
  await gateway.app.rooms.create({ name });
  const room = await gateway.app.rooms.open(name);
  const joining = nextPhone(room);
  const caller = await callWithPhone(gateway, name, rest, { toneHz: 440, headers });
  opened.push(caller);
  return { room, participant: await joining, ...caller };
}

const callOf = async (room: string) =>
  (await gateway.api<{ items: SipCallResource[] }>('GET', `/api/sip/calls?room=${room}`)).items[0];

test('a phone hears that a moderator mutes and unmutes it, and that the room closes before it is hung up', async () => {
  const { phone, run, room, participant } = await callerIn('spoken', byeComes('room_closed'), [
    'X-Customer: 4711',
    'Diversion: <sip:+493012@pbx.example>;reason=no-answer',
  ]);
  assert.equal(participant.attributes['sip.h.x-customer'], '4711');
  await untilHeard({ phone, run }, 'welcome');
  await untilHeard({ phone, run }, 'you_are_alone');
  if (participant.publications.size === 0) await once(room.events, 'publicationAdded');
  const mute = (isMuted: boolean) =>
    gateway.api('PATCH', `/api/rooms/spoken/participants/${participant.id}`, { isMuted: { audio: isMuted } });
  await mute(true);
  await untilHeard({ phone, run }, 'muted');
  await mute(false);
  await untilHeard({ phone, run }, 'unmuted');
  await gateway.api('DELETE', '/api/rooms/spoken');
  await untilHeard({ phone, run }, 'room_closed');
  await run.done;
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?limit=1');
  assert.equal(items[0]?.end?.reason, 'room_closed');
  assert.deepEqual(items[0]?.diversions, [{ uri: 'sip:+493012@pbx.example', reason: 'no-answer' }]);
}, 120_000);

test('a phone that is removed is told so', async () => {
  const { phone, run, participant } = await callerIn('strict', byeComes('kicked'));
  await gateway.api('DELETE', `/api/rooms/strict/participants/${participant.id}`);
  await untilHeard({ phone, run }, 'removed');
  await run.done;
}, 120_000);

test('a phone that we hold hears music, and the room does not hear it', async () => {
  const hold = (direction: string, answer: string) => [
    recvRequest('INVITE', { expect: { body: `a=${direction}` } }),
    response('200 OK', { body: phoneSdp(port, answer), tag: false }),
    recvRequest('ACK'),
  ];
  await gateway.app.rooms.create({ name: 'held' });
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: 440, levelDbov: -20 });
  opened.push(phone);
  const port = phone.parameters().remotePort;
  const localPort = await freePort();
  const run = startSipp({
    localPort,
    timeoutSec: 90,
    scenario: [
      recvRequest('INVITE', { rrs: true }),
      response('200 OK', { body: phoneSdp(port) }),
      recvRequest('ACK'),
      ...hold('sendonly', 'recvonly'),
      ...hold('sendrecv', 'sendrecv'),
      recvRequest('BYE'),
      response('200 OK', { tag: false }),
    ].join('\n'),
  });
  const path = '/api/rooms/held/sipcalls';
  const call = await gateway.api<SipCallResource>(
    'POST',
    `${path}?wait=20`,
    { to: `sip:a@127.0.0.1:${localPort}` },
    30_000,
  );
  assert.equal(call.state, 'connected', JSON.stringify(call.end));
  phone.talkTo([...gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0);
  await gateway.api('PATCH', `${path}/${call.id}`, { isHeld: true }, 30_000);
  await untilHeard({ phone, run }, 'hold_music', 'any');
  assert.equal([...gateway.app.phones.legs.values()].at(-1)?.standing.isHeld, true);
  const back = await gateway.api<SipCallResource>('PATCH', `${path}/${call.id}`, { isHeld: false }, 30_000);
  assert.equal(back.isHeld, false);
  await gateway.api('DELETE', `${path}/${call.id}`, undefined, 30_000);
  await run.done;
}, 120_000);

test('what comes before the answer is heard in the room where that was asked for, and only there', async () => {
  for (const hasEarlyMedia of [true, false]) {
    const name = `early-${hasEarlyMedia}`;
    await gateway.app.rooms.create({ name });
    const room = await gateway.app.rooms.open(name);
    const localPort = await freePort();
    const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: 440, levelDbov: -20 });
    opened.push(phone);
    const run = startSipp({
      localPort,
      timeoutSec: 60,
      scenario: [
        recvRequest('INVITE'),
        response('183 Session Progress', { body: phoneSdp(phone.parameters().remotePort) }),
        pause(2_000),
        response('486 Busy Here'),
        recvRequest('ACK'),
      ].join('\n'),
    });
    const joins: string[] = [];
    room.events.on('participantJoined', ({ kind }) => joins.push(kind));
    const call = await gateway.api<SipCallResource>(
      'POST',
      `/api/rooms/${name}/sipcalls?wait=20`,
      { to: `sip:a@127.0.0.1:${localPort}`, hasEarlyMedia },
      30_000,
    );
    await run.done;
    assert.deepEqual([call.state, call.end?.sipStatus, joins.includes('sip')], ['ended', 486, hasEarlyMedia]);
  }
}, 120_000);

test('chat goes to a phone that takes MESSAGE and comes from it, in its call and outside of it', async () => {
  const fromRoom = [
    recvRequest('MESSAGE', { expect: { body: 'Room: Hello phone' } }),
    response('200 OK', { tag: false }),
  ];
  const rest = [...fromRoom, pause(6_000), hangUp].join('\n');
  const { room, run } = await callerIn('chatty', rest, ['Allow: INVITE, ACK, BYE, MESSAGE']);
  room.sendChat(undefined, 'all', 'Hello phone');
  const heard = once(room.events, 'chatSent', { signal: AbortSignal.timeout(20_000) });
  const message = request({ method: 'MESSAGE', body: 'Hello room', contentType: 'text/plain' });
  await sipp({ target: sipAddressOf(gateway), service: 'chatty', scenario: [message, recv(200)].join('\n') });
  const [said] = await heard;
  assert.deepEqual([said.text, said.from?.displayName], ['Hello room', 'Test']);
  await run.done;
  assert.equal((await callOf('chatty'))?.end?.reason, 'hung_up');
  const refused = recv(403, { expect: { Warning: 'Only a phone that is in the room' } });
  await sipp({ target: sipAddressOf(gateway), service: 'chatty', scenario: [message, refused].join('\n') });
}, 120_000);

test('a phone mutes itself, raises its hand and asks how many are there by keys, and hears what it did', async () => {
  const { phone, run, room, participant } = await callerIn('keyed', byeComes('hung_up'));
  phone.press('*6');
  await untilHeard({ phone, run }, 'muted');
  assert.equal((await callOf('keyed'))?.isMuted, true);
  const raised = once(room.events, 'participantUpdated', { signal: AbortSignal.timeout(20_000) });
  phone.press('*5');
  await raised;
  assert.equal(participant.isHandRaised, true);
  phone.press('*9*3');
  await untilHeard({ phone, run }, 'people_in_room');
  const call = await callOf('keyed');
  assert.deepEqual([call?.isMuted, call?.gainDb, call?.digits], [true, 3, '*6*5*9*3']);
  await gateway.api('DELETE', `/api/rooms/keyed/sipcalls/${call?.id}`, undefined, 30_000);
  await run.done;
}, 120_000);
