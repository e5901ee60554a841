// Carriers and PBXs, played by Kamailio and SIPp: we register there, are called, call through them, and know them by address.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, test } from 'vitest';
import type { SipCallResource, SipTrunk, SipTrunkInput } from '#api/contract.ts';
import type { TrunkStatus } from '#core/trunk.ts';
import { answered, hangUp, nextPhone, refusedWith, sipAddressOf } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { startKamailioRegistrar } from '#test/support/kamailio-registrar.ts';
import { freePort, whenReceiving } from '#test/support/ports.ts';
import { ack, invite, pause, recv, recvRequest, response, sdpOf, sipp, startSipp } from '#test/support/sipp.ts';

let gateway: TestGateway;
let target: string;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    // SIPp knows MD5 alone.
    sip: { isEnabled: true, access: 'open', digestAlgorithms: ['MD5'] },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_600, lastPort: 43_799 },
  });
  target = sipAddressOf(gateway);
}, 30_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(() => gateway.close());

/** Deleted after the test. */
async function trunkOf(input: SipTrunkInput): Promise<SipTrunk> {
  const trunk = await gateway.api<SipTrunk>('POST', '/api/sip/trunks', input);
  opened.push({ close: () => gateway.api('DELETE', `/api/sip/trunks/${trunk.id}`) });
  return trunk;
}

/** Resolves with its state once that is so. */
async function turning(state: 'up' | 'down', change: () => Promise<SipTrunk>): Promise<SipTrunk> {
  const { events } = gateway.app.sip.lines;
  const turned = once(events, state, { signal: AbortSignal.timeout(20_000) }) as Promise<[unknown, TrunkStatus]>;
  const { id } = await change();
  await turned;
  return gateway.api<SipTrunk>('GET', `/api/sip/trunks/${id}`);
}

const bye200 = [recvRequest('BYE'), response('200 OK', { tag: false })].join('\n');
const takesCall = [
  recvRequest('INVITE'),
  response('100 Trying', { tag: false }),
  response('180 Ringing'),
  response('200 OK', { body: sdpOf(), retransMs: 500 }),
  recvRequest('ACK', { rrs: true }),
  bye200,
].join('\n');

test('we register with the password, are called there, and tell it when the trunk is gone', async () => {
  const kamailio = await startKamailioRegistrar('tr0ub4dor');
  opened.push(kamailio);
  const host = `127.0.0.1:${kamailio.port}`;
  const trunk = await turning('up', () =>
    trunkOf({
      name: 'kamailio',
      outbound: {
        hosts: [host],
        username: 'demo',
        password: 'tr0ub4dor',
        registration: { expiresSec: 120 },
        domain: '127.0.0.1',
      },
    }),
  );
  assert.equal(trunk.status.registration?.state, 'registered');
  assert.equal(trunk.status.lastError, null);
  assert.deepEqual([trunk.outbound?.hasPassword, JSON.stringify(trunk).includes('tr0ub4dor')], [true, false]);
  const room = await gateway.app.rooms.open('demo');
  const joined = nextPhone(room);
  await Promise.all([
    sipp({
      target: host,
      service: 'demo',
      scenario: [invite(), answered, pause(200), hangUp].join('\n'),
      timeoutSec: 20,
    }),
    joined.then(({ attributes }) => assert.equal(attributes['sip.trunk'], 'kamailio')),
  ]);
  const [call] = (await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls')).items;
  assert.deepEqual([call?.trunk, call?.direction], [{ id: trunk.id, name: 'kamailio' }, 'inbound']);
}, 60_000);

test('a wrong password is told, as the reason why the trunk is down', async () => {
  const kamailio = await startKamailioRegistrar('right');
  opened.push(kamailio);
  const outbound = { hosts: [`127.0.0.1:${kamailio.port}`], username: 'demo', password: 'wrong', registration: {} };
  const { status } = await turning('down', () => trunkOf({ name: 'locked', outbound }));
  assert.equal(status.registration?.state, 'failed');
  assert.match(status.lastError ?? '', /The registrar refuses the credentials: 401/);
}, 60_000);

test('a registrar that wants longer times gets them', async () => {
  const port = await freePort();
  const register = (expires: number) => recvRequest('REGISTER', { expect: { Expires: String(expires) } });
  const registrar = startSipp({
    scenario: [
      register(60),
      response('423 Interval Too Brief', { headers: ['Min-Expires: 300'] }),
      register(300),
      response('200 OK', { headers: ['Expires: 300'] }),
      recvRequest('REGISTER', { expect: { Expires: '0' } }),
      response('200 OK'),
    ].join('\n'),
    localPort: port,
    timeoutSec: 40,
  });
  await whenReceiving(port);
  const outbound = {
    hosts: [`127.0.0.1:${port}`],
    username: 'u',
    password: 'p',
    keepAliveSec: 0,
    registration: { expiresSec: 60 },
  };
  const trunk = await turning('up', () => trunkOf({ name: 'slow', outbound }));
  const leftMs = Date.parse(trunk.status.registration?.expiresAt ?? '') - Date.now();
  assert.ok(leftMs > 200_000 && leftMs <= 300_000, String(leftMs));
  await opened.pop()?.close();
  await registrar.done;
}, 60_000);

test('a host that is silent is given up for the next, with the number and the name that the carrier wants', async () => {
  const [silent, port] = [await freePort(), await freePort()];
  const carrier = startSipp({
    scenario: takesCall,
    localPort: port,
    timeoutSec: 60,
  });
  await whenReceiving(port);
  const trunk = await trunkOf({
    name: 'carrier',
    outbound: {
      ...{
        hosts: [`127.0.0.1:${silent}`, `127.0.0.1:${port}`],
        keepAliveSec: 0,
        noAnswerMs: 700,
        domain: 'carrier.example',
      },
      ...{ username: 'acct', password: 'p' },
      callerId: { number: '+4930555', header: 'p-asserted-identity', allowed: ['+4930*'] },
    },
  });
  const made = await gateway.api<SipCallResource>(
    'POST',
    '/api/rooms/demo/sipcalls?wait=30',
    { to: '+49 30 123', trunk: 'carrier' },
    40_000,
  );
  assert.deepEqual([made.state, made.to, made.trunk?.id], ['connected', 'sip:+4930123@carrier.example', trunk.id]);
  const ladder = gateway.app.sip.messagesOf({ sipCallId: made.sipCallId ?? '' } as never)?.messages ?? [];
  const { text = '' } = ladder.find(({ title }) => title === 'INVITE') ?? {};
  assert.match(text, /^INVITE sip:\+4930123@127\.0\.0\.1:\d+ SIP/);
  assert.match(text, /^From: <sip:acct@carrier\.example>/im);
  assert.match(text, /^P-Asserted-Identity: <sip:\+4930555@carrier\.example>/im);
  await gateway.api('DELETE', `/api/rooms/demo/sipcalls/${made.id}`);
  await carrier.done;
  const after = await gateway.api<SipTrunk>('GET', `/api/sip/trunks/${trunk.id}`);
  assert.deepEqual(
    after.status.hosts.map(({ lastError }) => lastError === null),
    [false, true],
  );
  assert.equal(after.status.outboundCalls, 0);
  const refused = { to: '+4930123', trunk: 'carrier', from: '+1555' };
  await assert.rejects(
    gateway.api('POST', '/api/rooms/demo/sipcalls', refused),
    /may show \(outbound\.callerId\.allowed\)/,
  );
}, 90_000);

test('a trunk is down when its host does not answer, and up when it does', async () => {
  const port = await freePort();
  const outbound = { hosts: [`127.0.0.1:${port}`], keepAliveSec: 1, noAnswerMs: 500 };
  const trunk = await turning('down', () => trunkOf({ name: 'asked', outbound }));
  assert.match(trunk.status.lastError ?? '', /No answer within 500 ms/);
  const { end } = await gateway.api<SipCallResource>(
    'POST',
    '/api/rooms/demo/sipcalls?wait=20',
    { to: '+4930123', trunk: 'asked' },
    30_000,
  );
  assert.deepEqual(
    [end?.by, end?.reason, end?.sipStatus, end?.message],
    ['server', 'no_answer', null, 'The other side did not answer within 500 ms.'],
  );
  const up = once(gateway.app.sip.lines.events, 'up', { signal: AbortSignal.timeout(20_000) });
  const peer = startSipp({
    scenario: [recvRequest('OPTIONS'), response('200 OK')].join('\n'),
    localPort: port,
    timeoutSec: 30,
    calls: 100,
  });
  opened.push({ close: () => peer.stop() });
  await up;
  const { items } = await gateway.api<{ items: { type: string }[] }>('GET', '/api/events?type=trunk.*&limit=100');
  assert.deepEqual(items.map(({ type }) => type).slice(-2), ['trunk.down', 'trunk.up']);
}, 60_000);

test('calls are known by where they come from, and are as many as the trunk may bring', async () => {
  await trunkOf({
    name: 'pbx',
    inbound: { addresses: ['127.0.0.2/32'], maxCalls: 1 },
    headers: { attributes: ['X-Customer'] },
  });
  const room = await gateway.app.rooms.open('demo');
  const joined = nextPhone(room);
  const first = startSipp({
    ...{ target, service: 'demo', localAddress: '127.0.0.2', timeoutSec: 40 },
    scenario: [invite({ headers: ['X-Customer: 4711'] }), answered, bye200].join('\n'),
  });
  const { attributes } = await joined;
  assert.deepEqual([attributes['sip.trunk'], attributes['sip.h.x-customer']], ['pbx', '4711']);
  const full = refusedWith(503, { 'Retry-After': '[0-9]+', Warning: 'has 1 calls, the most that it may have' });
  await sipp({ target, service: 'demo', localAddress: '127.0.0.2', scenario: full, timeoutSec: 20 });
  const other = nextPhone(room);
  await Promise.all([
    sipp({ target, service: 'demo', scenario: [invite(), answered, pause(100), hangUp].join('\n'), timeoutSec: 20 }),
    other.then(({ attributes: of }) => assert.equal(of['sip.trunk'], undefined)),
  ]);
  for (const call of gateway.app.sip.live) await call.hangUp();
  await first.done;
}, 90_000);

test('a trunk that is known by name has to show its password', async () => {
  await trunkOf({ name: 'roaming', inbound: { addresses: ['127.0.0.3'], username: 'pbx', password: 'p4ss' } });
  const callAs = (password: string, rest: string) =>
    sipp({
      ...{ target, service: 'demo', localAddress: '127.0.0.3', timeoutSec: 20 },
      scenario: [
        invite(),
        recv(100, { optional: true }),
        '<recv response="401" auth="true"></recv>',
        ack().replace('[next_url]', 'sip:[service]@[remote_ip]:[remote_port]').replace('[routes]\n', ''),
        invite({ cseq: 2, headers: [`[authentication username=pbx password=${password}]`] }),
        recv(100, { optional: true }),
        rest,
      ].join('\n'),
    });
  const room = await gateway.app.rooms.open('demo');
  const joined = nextPhone(room);
  const inRoom = [
    recv(180, { optional: true }),
    recv(200, { rrs: true }),
    ack(2),
    pause(100),
    hangUp.replaceAll('CSeq: 2', 'CSeq: 3'),
  ];
  await callAs('p4ss', inRoom.join('\n'));
  assert.equal((await joined).attributes['sip.trunk'], 'roaming');
  await callAs('wrong', [recv(403, { expect: { Warning: 'the password is wrong' } }), ack(2)].join('\n'));
}, 60_000);
