// Transfers, with SIPp as the phones on every side: asked for by a phone, asked of a phone, and calls that are taken over.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import { answered, byeComes, hangUp, nextPhone, sipAddressOf } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { freePort, whenReceiving } from '#test/support/ports.ts';
import { refer, tell, told } from '#test/support/sip-refer.ts';
import {
  ackFailure,
  bye,
  invite,
  recv,
  recvRequest,
  request,
  response,
  type SippRun,
  sdpOf,
  startSipp,
} from '#test/support/sipp.ts';
import { bridgeToWebSocket } from '#test/support/ws-bridge.ts';

let gateway: TestGateway;
let target: string;
const runs: SippRun[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open', digestAlgorithms: ['MD5'] },
    rtp: { listenAddress: '127.0.0.1', firstPort: 44_000, lastPort: 44_199 },
  });
  target = sipAddressOf(gateway);
  await gateway.api('POST', '/api/sip/accounts', { username: 'bob', password: 'pa55w0rd-9', displayName: 'Bob' });
}, 30_000);

afterEach(() => {
  for (const run of runs.splice(0)) run.stop();
});

afterAll(() => gateway.close());

async function roomOf(name: string) {
  await gateway.app.rooms.create({ name });
  return gateway.app.rooms.open(name);
}

/** A phone that calls into the room; `rest` is what it does once it is in. */
function caller(
  service: string,
  rest: readonly string[],
  options: { headers?: string[]; localPort?: number } = {},
): SippRun {
  const { headers = [], ...more } = options;
  const scenario = [invite({ headers }), answered, ...rest].join('\n');
  const run = startSipp({ target, service, scenario, timeoutSec: 40, ...more });
  runs.push(run);
  return run;
}

/** A phone that is called at a port of its own. */
async function callee(answer: readonly string[]): Promise<{ run: SippRun; port: number }> {
  const port = await freePort();
  const run = startSipp({ localPort: port, scenario: answer.join('\n'), timeoutSec: 40 });
  runs.push(run);
  await whenReceiving(port);
  return { run, port };
}

const picksUp = (expected: Record<string, string> = {}) => [
  recvRequest('INVITE', { rrs: true, expect: expected }),
  response('180 Ringing'),
  response('200 OK', { body: sdpOf() }),
  recvRequest('ACK'),
];
const hungUp = [recvRequest('BYE'), response('200 OK', { tag: false })];

/** The oldest first. */
const callsOf = async (room: string) =>
  (await gateway.api<{ items: SipCallResource[] }>('GET', `/api/rooms/${room}/sipcalls`)).items.toReversed();
const untilConnected = (room: string, count = 1) =>
  expect
    .poll(async () => (await callsOf(room)).filter(({ state }) => state === 'connected').length, { timeout: 20_000 })
    .toBe(count);
const transfer = (room: string, id: string, body: object) =>
  gateway.api<SipCallResource>('POST', `/api/rooms/${room}/sipcalls/${id}/transfer?wait=30`, body, 40_000);

async function registerBob(localPort: number): Promise<void> {
  const register = (cseq: number, more: string[]) =>
    request({ method: 'REGISTER', uri: 'sip:[remote_ip]:[remote_port]', cseq, headers: ['Expires: 300', ...more] })
      .replace(/From: [^\n]*/, 'From: <sip:bob@[remote_ip]>;tag=[pid]SIPpTag00[call_number]')
      .replace(/To: [^\n]*/, 'To: <sip:bob@[remote_ip]>')
      .replace(/Contact: [^\n]*/, 'Contact: <sip:bob@[local_ip]:[local_port]>');
  const proof = '[authentication username=bob password=pa55w0rd-9]';
  const scenario = [register(1, []), '<recv response="401" auth="true"></recv>', register(2, [proof]), recv(200)];
  await startSipp({ target, localPort, scenario: scenario.join('\n'), timeoutSec: 20 }).done;
}

test('a phone hands its place to an account: that is called into the room, and the phone is told step by step', async () => {
  const room = await roomOf('handed');
  const port = await freePort();
  await registerBob(port);
  const bob = startSipp({
    ...{ localPort: port, timeoutSec: 40 },
    scenario: [...picksUp({ 'Referred-By': 'handed@' }), ...hungUp].join('\n'),
  });
  runs.push(bob);
  await whenReceiving(port);
  const joining = nextPhone(room);
  const phone = caller('handed', [
    refer('<sip:bob@[remote_ip]:[remote_port]>'),
    recv(202),
    ...told('100', 'active'),
    ...told('180', 'active'),
    ...told('200', 'terminated'),
    bye(3),
    recv(200),
  ]);
  await joining;
  await phone.done;
  const [first, second] = await callsOf('handed');
  assert.deepEqual(
    [first?.end?.by, first?.end?.reason, first?.transfer?.state, first?.transfer?.to, first?.transfer?.by],
    ['peer', 'transferred', 'done', 'bob', 'phone'],
  );
  assert.deepEqual([second?.state, second?.account], ['connected', 'bob']);
  assert.deepEqual(
    [...room.participants.values()].filter(({ kind }) => kind === 'sip').map(({ displayName }) => displayName),
    ['Bob'],
  );
  await gateway.api('DELETE', `/api/rooms/handed/sipcalls/${second?.id}`);
  await bob.done;
}, 60_000);

test('a phone is told that nobody answers it, stays in the room, and may not call anywhere at our cost', async () => {
  await roomOf('refusing');
  const { run: busy, port } = await callee([
    recvRequest('INVITE', { expect: { Replaces: '^ ?ab@h;to-tag=1;from-tag=2', Require: 'replaces' } }),
    response('486 Busy Here'),
    recvRequest('ACK'),
  ]);
  const refused = (to: string, cseq: number, why: string) => [refer(to, cseq), recv(403, { expect: { Warning: why } })];
  const phone = caller('refusing', [
    ...refused('<sip:+4930123@192.0.2.1>', 2, 'not transferred to'),
    ...refused('<tel:+1900555>', 3, 'not transferred to'),
    // Where it calls from, but not a call that it has there: a carrier would charge us for it.
    ...refused(`<sip:c@127.0.0.1:${port}>`, 4, 'not transferred to'),
    ...refused('<sip:c@192.0.2.1?Replaces=ab%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>', 5, 'handed only to'),
    refer(`<sip:c@127.0.0.1:${port}?Replaces=ab%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>`, 6),
    recv(202),
    ...told('100', 'active'),
    ...told('486', 'terminated'),
    bye(7),
    recv(200),
  ]);
  await Promise.all([phone.done, busy.done]);
  const [call] = await callsOf('refusing');
  assert.deepEqual([call?.end?.reason, call?.transfer?.state, call?.transfer?.sipStatus], ['hung_up', 'failed', 486]);
}, 60_000);

test('a call that a phone has elsewhere takes its place in the room', async () => {
  await roomOf('attended');
  const { run: other, port } = await callee([...picksUp({ Replaces: '^ ?ab@h;to-tag=1;from-tag=2' }), ...hungUp]);
  const phone = caller('attended', [
    refer(`<sip:c@127.0.0.1:${port}?Replaces=ab%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>`),
    recv(202),
    ...told('100', 'active'),
    ...told('180', 'active'),
    ...told('200', 'terminated'),
    // It does not hang up: then we do.
    byeComes('transferred'),
  ]);
  await phone.done;
  const live = (await callsOf('attended')).find(({ state }) => state === 'connected');
  await gateway.api('DELETE', `/api/rooms/attended/sipcalls/${live?.id}`);
  await other.done;
}, 60_000);

test('a phone that wants to be told nothing of its transfer (Refer-Sub) is told nothing, and leaves all the same', async () => {
  await roomOf('untold');
  const { run: other, port } = await callee([...picksUp(), ...hungUp]);
  const silent = refer(`<sip:c@127.0.0.1:${port}?Replaces=ab%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>`);
  // Anything but the BYE, a NOTIFY too, fails the scenario.
  const phone = caller('untold', [
    silent.replace('Refer-To:', 'Refer-Sub: false\nRefer-To:'),
    recv(202, { expect: { 'Refer-Sub': 'false' } }),
    byeComes('transferred'),
  ]);
  await phone.done;
  const live = (await callsOf('untold')).find(({ state }) => state === 'connected');
  await gateway.api('DELETE', `/api/rooms/untold/sipcalls/${live?.id}`);
  await other.done;
}, 60_000);

/** As a phone behind NAT writes it: its Contact is where nobody reaches it, of loopback so that nothing leaves this machine. */
const behindNat = (scenario: string) =>
  scenario.replaceAll('[local_ip]:[local_port]', '127.9.9.9:5999').replaceAll(';branch=', ';rport;branch=');

test.each(['over WebSocket', 'behind NAT'] as const)(
  'attended transfer by a phone %s reaches both phones',
  async (way) => {
    const room = way === 'behind NAT' ? 'attended-nat' : 'attended-ws';
    await roomOf(room);
    const worded = (lines: readonly string[]) =>
      way === 'behind NAT' ? behindNat(lines.join('\n')) : lines.join('\n');
    const localPort = await freePort();
    const other = startSipp({
      ...{ localPort, timeoutSec: 40 },
      scenario: worded([...picksUp({ Replaces: '^ ?ab@h;to-tag=1;from-tag=2' }), ...hungUp]),
    });
    runs.push(other);
    await whenReceiving(localPort);
    const scenario = worded([
      ...[
        invite(),
        answered,
        refer(`<sip:c@127.0.0.1:${localPort}?Replaces=ab%40h%3Bto-tag%3D1%3Bfrom-tag%3D2>`),
        recv(202),
      ],
      ...[...told('100', 'active'), ...told('180', 'active'), ...told('200', 'terminated'), byeComes('transferred')],
    ]);
    const bridge =
      way === 'behind NAT' ? undefined : await bridgeToWebSocket(gateway.webSocketUrl.replace(/ws$/, 'sip'));
    const asked = bridge ? { target: `127.0.0.1:${bridge.port}`, transport: 'tcp' as const } : { target };
    const phone = startSipp({ ...asked, service: room, scenario, timeoutSec: 40 });
    runs.push(phone);
    await phone.done;
    const calls = await callsOf(room);
    assert.deepEqual(
      calls.map(({ state, end, transfer }) => [state, end?.reason, transfer?.state]),
      [
        ['ended', 'transferred', 'done'],
        ['connected', undefined, undefined],
      ],
    );
    // Its ACK has come to it, and so does our BYE.
    await gateway.api('DELETE', `/api/rooms/${room}/sipcalls/${calls[1]?.id}`);
    await other.done;
    bridge?.close();
  },
  60_000,
);

test('an INVITE with Replaces takes a call over, in its room and without a PIN; one for no call is refused', async () => {
  const room = await roomOf('taken');
  await gateway.api('PATCH', '/api/rooms/taken', { sip: { access: 'pin', pin: '471100' } });
  const joining = nextPhone(room);
  const first = startSipp({
    target,
    service: 'taken*471100',
    scenario: [invite(), answered, byeComes('replaced')].join('\n'),
    timeoutSec: 40,
  });
  runs.push(first);
  await joining;
  await untilConnected('taken');
  const [call] = [...gateway.app.sip.live].filter(({ info }) => info.roomName === 'taken');
  const { callId, localTag, remoteTag } = call?.dialog ?? {};
  const unknown = invite({ headers: [`Replaces: ${callId};to-tag=${localTag}x;from-tag=${remoteTag}`] });
  const stranger = startSipp({
    target,
    service: 'x',
    scenario: [unknown, recv(100, { optional: true }), recv(481), ackFailure()].join('\n'),
  });
  await stranger.done;
  // Full: it takes a place, it needs none.
  await gateway.api('PATCH', '/api/rooms/taken', { maxParticipants: 1 });
  const again = nextPhone(room);
  const second = caller('anything', [hangUp], {
    headers: [`Replaces: ${callId};to-tag=${localTag};from-tag=${remoteTag}`, 'Require: replaces'],
  });
  await again;
  await Promise.all([first.done, second.done]);
  const calls = await callsOf('taken');
  assert.deepEqual(
    calls.map(({ end }) => end?.reason),
    ['replaced', 'hung_up'],
  );
}, 60_000);

test('the API has a phone call somebody else: it leaves when that is done, and stays when it is not', async () => {
  const room = await roomOf('sent');
  const joining = nextPhone(room);
  const phone = caller('sent', [
    recvRequest('REFER', { expect: { 'Refer-To': '<sip:desk@192.0.2.7>' } }),
    response('202 Accepted', { tag: false }),
    ...tell(2, '100 Trying', 'active;expires=60'),
    ...tell(3, '486 Busy Here', 'terminated;reason=noresource'),
    recvRequest('REFER', { expect: { 'Refer-To': '<sip:home@192.0.2.7>' } }),
    response('202 Accepted', { tag: false }),
    ...tell(4, '180 Ringing', 'active;expires=60'),
    ...tell(5, '200 OK', 'terminated;reason=noresource'),
    byeComes('transferred'),
  ]);
  await joining;
  await untilConnected('sent');
  const [{ id } = { id: '' }] = await callsOf('sent');
  const failed = await transfer('sent', id, { kind: 'blind', to: 'sip:desk@192.0.2.7' });
  assert.deepEqual([failed.state, failed.transfer?.state, failed.transfer?.sipStatus], ['connected', 'failed', 486]);
  const done = await transfer('sent', id, { kind: 'blind', to: 'sip:home@192.0.2.7' });
  assert.deepEqual([done.state, done.transfer?.state, done.end?.reason], ['ended', 'done', 'transferred']);
  await phone.done;
}, 60_000);

test('the API joins two phones with each other; one that takes no REFER stays', async () => {
  const room = await roomOf('joined');
  const joinOne = nextPhone(room);
  const one = caller('joined', [
    recvRequest('REFER', { expect: { 'Refer-To': 'Replaces=.*to-tag%3D.*from-tag%3D' } }),
    response('603 Decline', { tag: false }),
    recvRequest('REFER', { expect: { 'Refer-To': '<sip:sipp@127.0.0.1:[0-9]+;transport=UDP[?]Replaces=' } }),
    response('202 Accepted', { tag: false }),
    ...tell(2, '200 OK', 'terminated;reason=noresource'),
    byeComes('transferred'),
  ]);
  await joinOne;
  const joinOther = nextPhone(room);
  const other = caller('joined', [recvRequest('BYE'), response('200 OK', { tag: false })]);
  await joinOther;
  await untilConnected('joined', 2);
  const [a = { id: '' }, b = { id: '' }] = await callsOf('joined');
  const refused = await transfer('joined', a.id, { kind: 'attended', with: b.id });
  assert.deepEqual([refused.state, refused.transfer?.state, refused.transfer?.sipStatus], ['connected', 'failed', 603]);
  const done = await transfer('joined', a.id, { kind: 'attended', with: b.id });
  assert.equal(done.transfer?.state, 'done', JSON.stringify(done.transfer));
  await gateway.api('DELETE', `/api/rooms/joined/sipcalls/${b.id}`);
  await Promise.all([one.done, other.done]);
}, 60_000);
