// A choice of a menu calls somebody through a trunk: what both hear, what the caller is told when nobody answers, and what is kept.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { DispatchSimulation, SipCallResource } from '#api/contract.ts';
import { byeComes, callWithPhone, hangUp, phoneSdp, untilHeard } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { freePort } from '#test/support/ports.ts';
import {
  byeOfCallee,
  pause,
  recv,
  recvInviteToKeep,
  recvRequest,
  response,
  responseToInvite,
  type SippRun,
  send,
  startSipp,
} from '#test/support/sipp.ts';
import { toneLevel, usualLevel } from '#test/support/tone.ts';

const callerHz = 500;
const calleeHz = 900;
const ringingHz = 425;

let gateway: TestGateway;
let calleePort: number;
const opened: { close(): unknown }[] = [];

const menu = {
  start: 'main',
  nodes: {
    main: {
      say: ['for_help', 'n1'],
      keys: {
        1: { dial: { to: '+4930123', trunk: 'pbx', ringTimeoutMs: 20_000, showsCaller: true } },
        2: { dial: { to: '+4930123', trunk: 'pbx', ringTimeoutMs: 2_000, unanswered: { goto: 'later' } } },
        3: { menu: 'phone' },
      },
    },
    later: { say: ['for_back', 'n9'], keys: { 9: { goto: 'main' } } },
    phone: { say: ['n5'], collect: { find: 'phone', dial: { numbers: ['2??', '+4930*'], trunk: 'pbx' } } },
  },
};

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true },
    rtp: { listenAddress: '127.0.0.1', firstPort: 46_400, lastPort: 46_599 },
  });
  calleePort = await freePort();
  await gateway.api('POST', '/api/sip/trunks', {
    name: 'pbx',
    inbound: { addresses: ['127.0.0.0/8'] },
    outbound: { hosts: [`127.0.0.1:${calleePort}`], keepAliveSec: 0 },
  });
  await gateway.api('POST', '/api/sip/dispatch-rules', { number: '800', menu });
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  // Whatever happened, nothing is left of the rooms that were made.
  await expect.poll(roomsOfCalls, { timeout: 10_000 }).toEqual([]);
});

afterAll(() => gateway.close());

const roomsOfCalls = async () => {
  const { items } = await gateway.api<{ items: { name: string }[] }>('GET', '/api/rooms');
  return items.map(({ name }) => name).filter((name) => name.startsWith('call-'));
};
const recordOf = (id: string) => gateway.api<SipCallResource>('GET', `/api/sip/calls/${id}`);
const callsFor = async (id: string) => {
  const { items } = await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls');
  return items.filter(({ calledFor }) => calledFor === id);
};

async function callerOf(rest: string) {
  const caller = await callWithPhone(gateway, '800', rest, { toneHz: callerHz });
  opened.push(caller);
  const id = [...gateway.app.sip.live].find(({ info }) => info.direction === 'inbound')?.info.id ?? '';
  return { ...caller, id };
}

/** A phone at the trunk, that does as the scenario says with its SDP. */
async function callee(scenario: (sdp: string) => readonly string[]): Promise<{ phone: PhonePeer; run: SippRun }> {
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: calleeHz, levelDbov: -20 });
  const sdp = phoneSdp(phone.parameters().remotePort);
  const run = startSipp({ localPort: calleePort, timeoutSec: 90, scenario: scenario(sdp).join('\n') });
  opened.push(phone, { close: () => run.stop() });
  return { phone, run };
}

const refusedWith = (status: string) => [recvRequest('INVITE'), response(status), recvRequest('ACK')];
/** It rings until we give up: 200 to CANCEL, 487 to the INVITE. */
const cancelled = [
  recvRequest('INVITE', { rrs: true }),
  response('180 Ringing'),
  recvRequest('CANCEL'),
  response('200 OK', { tag: false }),
  send(
    [
      'SIP/2.0 487 Request Terminated',
      '[last_Via:]',
      '[last_From:]',
      '[last_To:];tag=[pid]SIPpTag01[call_number]',
      '[last_Call-ID:]',
      'CSeq: [last_cseq_number] INVITE',
      'Content-Length: 0',
      '',
      '',
    ].join('\n'),
  ),
  recvRequest('ACK'),
];

async function untilTone(phone: PhonePeer, toneHz: number): Promise<void> {
  for (;;) {
    const samples = await phone.hear(200);
    if (usualLevel(samples, toneHz, 8_000) > -40) return;
  }
}

test('whom a key calls rings, is heard and hears; who hangs up first ends the other, and both records name each other', async () => {
  const { phone: called, run: answering } = await callee((sdp) => [
    recvRequest('INVITE', { rrs: true, expect: { body: 'INVITE sip:.4930123@', From: 'sip:sipp@' } }),
    response('180 Ringing'),
    pause(3_000),
    response('200 OK', { body: sdp }),
    recvRequest('ACK'),
    byeComes('other_left: The other side hung up'),
  ]);
  const { phone, run, id } = await callerOf([pause(14_000), hangUp].join('\n'));
  await untilHeard({ phone, run }, 'for_help');
  phone.press('1');
  await untilTone(phone, ringingHz);
  assert.deepEqual((await recordOf(id)).state, 'asking');
  await expect.poll(async () => (await recordOf(id)).state, { timeout: 20_000 }).toBe('connected');
  const legs = [...gateway.app.phones.legs.values()];
  called.talkTo(legs.at(-1)?.localPort ?? 0);
  await untilTone(phone, calleeHz);
  await untilTone(called, callerHz);
  // Nobody hears himself, and the ringing has stopped.
  const [atCaller, atCallee] = await Promise.all([phone.hear(1_000), called.hear(1_000)]);
  assert.ok(usualLevel(atCaller, calleeHz, 8_000) > -30, 'the caller hears whom he called');
  assert.ok(usualLevel(atCallee, callerHz, 8_000) > -30, 'who was called hears the caller');
  assert.ok(toneLevel(atCaller, callerHz, 8_000) < -50 && toneLevel(atCaller, ringingHz, 8_000) < -50);
  assert.ok(toneLevel(atCallee, calleeHz, 8_000) < -50);

  const { menu: way, roomName } = await recordOf(id);
  const [made] = await callsFor(id);
  assert.deepEqual(way, [{ node: 'main', pressed: '1', led: 'call +4930123: answered', call: made?.id }]);
  assert.deepEqual(
    [made?.direction, made?.trunk?.name, made?.roomName, made?.state],
    ['outbound', 'pbx', roomName, 'connected'],
  );
  assert.match(roomName ?? '', /^call-/);
  await Promise.all([run.done, answering.done]);
  await expect.poll(async () => (await recordOf(made?.id ?? '')).end?.reason, { timeout: 10_000 }).toBe('other_left');
  assert.equal((await recordOf(id)).end?.by, 'peer');
}, 120_000);

test('who was called hangs up, and so is the caller', async () => {
  const { run: answering } = await callee((sdp) => [
    recvInviteToKeep(),
    responseToInvite('200 OK', sdp),
    recvRequest('ACK'),
    pause(1_000),
    byeOfCallee(),
    recv(200),
  ]);
  const { phone, run, id } = await callerOf(byeComes('other_left: The other side hung up'));
  phone.press('1');
  await Promise.all([run.done, answering.done]);
  const [made] = await callsFor(id);
  assert.deepEqual([(await recordOf(id)).end?.reason, made?.end?.by], ['other_left', 'peer']);
}, 120_000);

test('what is heard before the answer is heard by the caller: an announcement, then the menu again; then whom he called', async () => {
  const { phone: announcing, run: refusing } = await callee((sdp) => [
    recvInviteToKeep(),
    responseToInvite('183 Session Progress', sdp).replace(' retrans="500"', ''),
    pause(3_000),
    responseToInvite('404 Not Found').replace(' retrans="500"', ''),
    recvRequest('ACK'),
  ]);
  const { phone, run, id } = await callerOf(byeComes('hung_up'));
  await untilHeard({ phone, run }, 'for_help');
  phone.press('1');
  // 183 alone is none: until something comes, it rings.
  await untilTone(phone, ringingHz);
  announcing.talkTo([...gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0);
  await untilTone(phone, calleeHz);
  const heard = await phone.hear(400);
  assert.ok(toneLevel(heard, ringingHz, 8_000) < -50, 'it rings no more');
  const { state, roomId } = await recordOf(id);
  assert.deepEqual([state, roomId], ['asking', null]);
  phone.forget();
  await untilHeard({ phone, run }, 'not_reached');
  await untilHeard({ phone, run }, 'for_help');
  await refusing.done;
  const { phone: called, run: answering } = await callee((sdp) => [
    recvInviteToKeep(),
    responseToInvite('183 Session Progress', sdp).replace(' retrans="500"', ''),
    pause(2_000),
    responseToInvite('200 OK', sdp),
    recvRequest('ACK'),
    byeComes('(hung_up|other_left)'),
  ]);
  phone.press('1');
  await untilTone(phone, ringingHz);
  called.talkTo([...gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0);
  await untilTone(phone, calleeHz);
  await expect.poll(async () => (await recordOf(id)).state, { timeout: 20_000 }).toBe('connected');
  await untilTone(called, callerHz);
  const { menu: way, roomName } = await recordOf(id);
  assert.deepEqual(
    way.map(({ led }) => led),
    ['call +4930123: not reached: The other side answered 404 Not Found.', 'call +4930123: answered'],
  );
  assert.match(roomName ?? '', /^call-/);
  for (const call of gateway.app.sip.live) await call.hangUp();
  await Promise.all([run.done, answering.done]);
}, 120_000);

test('busy is told and the menu comes again; nobody answers, and the caller goes where the rule says', async () => {
  const { run: busy } = await callee(() => refusedWith('486 Busy Here'));
  const { phone, run, id } = await callerOf(byeComes('hung_up'));
  phone.press('1');
  await untilHeard({ phone, run }, 'line_busy');
  await untilHeard({ phone, run }, 'for_help');
  await busy.done;
  const { run: silent } = await callee(() => cancelled);
  phone.forget();
  phone.press('2');
  await untilTone(phone, ringingHz);
  await untilHeard({ phone, run }, 'no_answer');
  await untilHeard({ phone, run }, 'for_back');
  await silent.done;
  const { menu: way } = await recordOf(id);
  assert.deepEqual(
    way.map(({ led }) => led),
    [
      'call +4930123: busy: The other side answered 486 Busy Here.',
      'call +4930123: no answer: Nobody answered within 2 s.',
    ],
  );
  const ends = (await callsFor(id)).map(({ end }) => end?.sipStatus ?? end?.reason);
  assert.deepEqual(ends.sort(), [486, 'timeout']);
  for (const call of gateway.app.sip.live) await call.hangUp();
  await run.done;
}, 120_000);

test('while it rings * gives up, and a caller that hangs up ends the ringing', async () => {
  const { run: first } = await callee(() => cancelled);
  const { phone, run, id } = await callerOf([pause(12_000), hangUp].join('\n'));
  phone.press('1');
  await untilTone(phone, ringingHz);
  phone.press('*');
  await first.done;
  phone.forget();
  await untilHeard({ phone, run }, 'for_help');
  const { run: second } = await callee(() => cancelled);
  phone.press('1');
  await Promise.all([second.done, run.done]);
  const [last, before] = await callsFor(id);
  assert.deepEqual([before?.end?.reason, last?.end?.reason], ['cancelled', 'cancelled']);
  assert.match((await recordOf(id)).menu[0]?.led ?? '', /given up$/);
}, 120_000);

test('of numbers that are typed those are called that the rule allows, for callers that are known', async () => {
  const { run: refusing } = await callee(() => [
    recvRequest('INVITE', { expect: { body: 'INVITE sip:212@' } }),
    response('404 Not Found'),
    recvRequest('ACK'),
  ]);
  const { phone, run, id } = await callerOf(byeComes('hung_up'));
  phone.press('30019005550100#');
  await untilHeard({ phone, run }, 'not_reached');
  assert.deepEqual(await callsFor(id), []);
  phone.forget();
  phone.press('212#');
  await refusing.done;
  await untilHeard({ phone, run }, 'not_reached');
  const { menu: way } = await recordOf(id);
  assert.deepEqual(
    way.map(({ pressed, led }) => [pressed, led]),
    [
      ['3', 'menu phone'],
      ['0019005550100', 'wrong'],
      ['212', 'call 212: not reached: The other side answered 404 Not Found.'],
    ],
  );
  for (const call of gateway.app.sip.live) await call.hangUp();
  await run.done;

  await gateway.api('PATCH', '/api/sip/trunks/pbx', { inbound: null });
  const unknown = await callerOf(byeComes('hung_up'));
  unknown.phone.press('3212#');
  await untilHeard(unknown, 'not_reached');
  assert.match((await recordOf(unknown.id)).menu.at(-1)?.led ?? '', /Only callers of a trunk or an account/);
  assert.deepEqual(await callsFor(unknown.id), []);
  for (const call of gateway.app.sip.live) await call.hangUp();
  await unknown.run.done;
}, 120_000);

test('simulate tells whom the menu calls, and why it could not now; a rule that does not hold together is refused', async () => {
  const steps = async () => {
    return (await gateway.api<DispatchSimulation>('POST', '/api/sip/dispatch/simulate', { to: '800' })).steps.join(
      '\n',
    );
  };
  const told = await steps();
  assert.match(told, /1 calls \+4930123 through the trunk "pbx" \(rings 20 s at most, then the menu again\)/);
  assert.match(told, /2 calls .* \(rings 2 s at most, then "later"\)/);
  assert.match(told, /digits: a number to be called out of 2\?\?, \+4930\* through the trunk "pbx"/);
  assert.doesNotMatch(told, /cannot be called now/);
  await gateway.api('PATCH', '/api/sip/trunks/pbx', { isEnabled: false });
  assert.match(await steps(), /\+4930123 through the trunk "pbx" cannot be called now: The trunk "pbx" is disabled/);
  const rule = (dial: object) => ({ number: '801', menu: { start: 'a', nodes: { a: { keys: { 1: { dial } } } } } });
  const refused = (dial: object) => assert.rejects(gateway.api('POST', '/api/sip/dispatch-rules', rule(dial)), Error);
  await assert.rejects(
    gateway.api('POST', '/api/sip/dispatch-rules', rule({ to: '+4930123' })),
    /menu\.nodes\.a\.keys\.1\.dial\.trunk.*a number needs the trunk/,
  );
  await refused({ to: 'alice\r\nX: y' });
  await refused({ to: 'alice', unanswered: { goto: 'nowhere' } });
  await refused({ to: 'alice', ringTimeoutMs: 3_600_000 });
}, 30_000);
