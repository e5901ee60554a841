// What is left of calls: events with what they tell, and records that outlive the gateway that wrote them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import { byeComes, callWithPhone, hangUp, nextPhone, phoneSdp, untilHeard } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { freePort } from '#test/support/ports.ts';
import { pause, recvRequest, response, startSipp } from '#test/support/sipp.ts';

interface CallEvent {
  readonly type: string;
  readonly room: { readonly name: string };
  readonly data: SipCallResource;
}

let data: string;
let gateway: TestGateway;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'sip-records-'));
  gateway = await start();
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await gateway.close();
  await rm(data, { recursive: true, force: true });
});

const start = () =>
  startGateway({
    data,
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 44_000, lastPort: 44_199 },
  });

const eventsOf = async () => (await gateway.api<{ items: CallEvent[] }>('GET', '/api/events?type=call.*')).items;

test('a call is told from its beginning to its end, and its record is there when the gateway starts again', async () => {
  const room = await gateway.app.rooms.open('demo');
  const joining = nextPhone(room);
  const caller = await callWithPhone(gateway, 'demo', [pause(1_500), hangUp].join('\n'), { toneHz: 440 });
  opened.push(caller);
  const { id: participantId } = await joining;
  await caller.run.done;
  while ([...gateway.app.sip.live].length > 0) await once(gateway.app.sip.events, 'ended');
  const events = await eventsOf();
  assert.deepEqual([events[0]?.type, events.at(-1)?.type], ['call.started', 'call.ended']);
  assert.deepEqual(
    events.map(({ data: { state } }) => state).filter((state, i, all) => state !== all[i - 1]),
    ['ringing', 'connected', 'ended'],
  );
  const last = events.at(-1);
  assert.equal(last?.room.name, 'demo');
  assert.deepEqual(
    [last?.data.direction, last?.data.participantId, last?.data.end?.by, last?.data.end?.reason, last?.data.codec],
    ['inbound', participantId, 'peer', 'hung_up', 'pcmu'],
  );
  const { items: before } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls');
  assert.equal(before.length, 1);
  await gateway.close();
  gateway = await start();
  const { items: after } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls');
  assert.deepEqual(after, before);
  assert.deepEqual(await gateway.api('GET', `/api/sip/calls/${before[0]?.id}`), before[0]);
}, 120_000);

test('digits are pressed on the other side once it has answered, in order', async () => {
  const localPort = await freePort();
  const noKeysInRtp = phoneSdp(40_000).replace(' 101\na=rtpmap:101 telephone-event/8000', '');
  const key = (digit: string) => [
    recvRequest('INFO', { expect: { body: `Signal=${digit}` } }),
    response('200 OK', { tag: false }),
  ];
  const scenario = [
    recvRequest('INVITE', { rrs: true }),
    response('180 Ringing'),
    response('200 OK', { body: noKeysInRtp }),
    recvRequest('ACK'),
    ...['4', '2', '#'].flatMap(key),
    recvRequest('BYE'),
    response('200 OK', { tag: false }),
  ];
  const run = startSipp({ scenario: scenario.join('\n'), localPort, timeoutSec: 60 });
  const made = await gateway.api<SipCallResource>(
    'POST',
    '/api/rooms/demo/sipcalls?wait=25',
    { to: `sip:menu@127.0.0.1:${localPort}`, digits: '42,#' },
    40_000,
  );
  assert.equal(made.state, 'connected', JSON.stringify(made.end));
  const isPressed = () =>
    (gateway.app.sip.messagesOf(callOf(made.id).info)?.messages ?? []).filter(({ title }) => title === '200 OK (INFO)')
      .length === 3;
  while (!isPressed()) await new Promise((resolve) => setTimeout(resolve, 20));
  await gateway.api('DELETE', `/api/rooms/demo/sipcalls/${made.id}`);
  await run.done;
}, 120_000);

test('who typed the right PIN of a room that is full is told so, and then hung up', async () => {
  await gateway.api('POST', '/api/rooms', { name: 'small', maxParticipants: 1, sip: { access: 'pin', pin: '471100' } });
  const room = await gateway.app.rooms.open('small');
  room.join({ kind: 'webrtc', user: 'first', displayName: 'First', role: 'presenter' });
  const caller = await callWithPhone(gateway, 'small', byeComes('room_full'));
  opened.push(caller);
  await untilHeard(caller, 'enter_pin');
  caller.phone.press('471100#');
  await untilHeard(caller, 'room_full');
  await caller.run.done;
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?room=small');
  assert.deepEqual([items[0]?.end?.reason, items[0]?.state], ['room_full', 'ended']);
}, 120_000);

function callOf(id: string) {
  const found = [...gateway.app.sip.live].find((call) => call.id === id);
  assert.ok(found, 'the call is on');
  return found;
}
