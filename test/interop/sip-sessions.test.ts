// Session timers (RFC 4028) and a CANCEL that comes too late, with SIPp on the other side of a whole gateway. Sessions last
// four seconds here; the RFC knows none below 90.
import assert from 'node:assert/strict';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { SipCallMessages, SipCallResource } from '#api/contract.ts';
import { answered, hangUp, sipAddressOf } from '#test/support/calling-phone.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { freePort, whenReceiving } from '#test/support/ports.ts';
import {
  ack,
  bye,
  invite,
  pause,
  recv,
  recvRequest,
  request,
  response,
  type SippRun,
  sdpOf,
  startSipp,
} from '#test/support/sipp.ts';

let gateway: TestGateway;
const runs: SippRun[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open', timers: { minSessionSec: 4 } },
    rtp: { listenAddress: '127.0.0.1', firstPort: 44_800, lastPort: 44_899 },
  });
  for (const name of ['expires', 'updates', 'refreshed', 'called', 'asked', 'held', 'moved', 'late'])
    await gateway.app.rooms.create({ name });
}, 30_000);

afterAll(async () => {
  // They run side by side: none ends before all have.
  for (const run of runs) run.stop();
  await gateway?.close();
});

const session = (refresher: 'uac' | 'uas') => ['Supported: timer', `Session-Expires: 4;refresher=${refresher}`];
const inDialog = { isInDialog: true, uri: '[next_url]' } as const;
const byeOf = (reason: string) =>
  [recvRequest('BYE', { expect: { Reason: reason } }), response('200 OK', { tag: false })].join('\n');

function call(service: string, ...steps: string[]): Promise<void> {
  const run = startSipp({ target: sipAddressOf(gateway), service, scenario: steps.join('\n'), timeoutSec: 30 });
  runs.push(run);
  return run.done;
}

function recordOf(room: string): Promise<SipCallResource> {
  const path = `/api/sip/calls?room=${room}&state=ended`;
  const find = async () => (await gateway.api<{ items: SipCallResource[] }>('GET', path)).items[0];
  return vi.waitUntil(find, { timeout: 10_000, interval: 50 }) as Promise<SipCallResource>;
}

function assertExpired({ end }: SipCallResource): void {
  assert.deepEqual([end?.by, end?.reason, end?.message], ['server', 'signalling_timeout', 'Session timer expired']);
}

test.concurrent('a caller that was to refresh and does not is hung up, with the reason in BYE and record', async () => {
  const agreed = recv(200, { rrs: true, expect: { 'Session-Expires': '4;refresher=uac', Require: 'timer' } });
  await call(
    'expires',
    invite({ headers: session('uac') }),
    recv(100, { optional: true }),
    recv(180, { optional: true }),
    agreed,
    ack(),
    byeOf('Session timer expired'),
  );
  assertExpired(await recordOf('expires'));
}, 40_000);

test.concurrent('a caller that refreshes by UPDATE keeps its call beyond the first session', async () => {
  const update = (cseq: number) =>
    [
      pause(1_700),
      request({ method: 'UPDATE', cseq, ...inDialog, headers: ['[routes]', ...session('uac')], retransMs: 500 }),
      recv(200, { expect: { 'Session-Expires': '4' } }),
    ].join('\n');
  await call(
    'updates',
    invite({ headers: session('uac') }),
    answered,
    update(2),
    update(3),
    pause(1_700),
    bye(4),
    recv(200),
  );
  assert.equal((await recordOf('updates')).end?.reason, 'hung_up');
}, 40_000);

test.concurrent('we refresh by re-INVITE, again after 491, and hang up once the peer knows nothing of the call', async () => {
  const refresh = recvRequest('INVITE', { expect: { 'Session-Expires': '4;refresher=uac' } });
  const acknowledged = recvRequest('ACK');
  await call(
    'refreshed',
    invite({ headers: session('uas') }),
    answered,
    ...[refresh, response('491 Request Pending', { tag: false }), acknowledged],
    ...[refresh, response('200 OK', { tag: false, body: sdpOf(), headers: session('uac').slice(1) }), acknowledged],
    ...[refresh, response('481 No Such Call', { tag: false }), acknowledged],
    byeOf('Session timer expired'),
  );
  assertExpired(await recordOf('refreshed'));
}, 40_000);

test.concurrent('a phone that we call and that was to refresh is hung up as well', async () => {
  const localPort = await freePort();
  const answers = response('200 OK', { body: sdpOf(), headers: session('uas').slice(1), retransMs: 500 });
  const scenario = [
    recvRequest('INVITE', { rrs: true }),
    answers,
    recvRequest('ACK'),
    byeOf('Session timer expired'),
  ].join('\n');
  const run = startSipp({ localPort, scenario, timeoutSec: 30 });
  runs.push(run);
  await whenReceiving(localPort);
  await gateway.api('POST', '/api/rooms/called/sipcalls', { to: `sip:phone@127.0.0.1:${localPort}` });
  await run.done;
  assertExpired(await recordOf('called'));
}, 40_000);

test.concurrent('a PBX that asks for the password anew is shown it: in refreshes and their ACK, and in our BYE', async () => {
  const localPort = await freePort();
  const challenge = (name: string, nonce: string) => [`${name}: Digest realm="pbx", nonce="${nonce}", qop="auth"`];
  const shown = (nonce: string) =>
    `username="trunk", realm="pbx", nonce="${nonce}".*response="[0-9a-f]{32}".*nc=00000001`;
  const refused = (status: string, name: string, nonce: string) =>
    response(status, { tag: false, headers: challenge(name, nonce) });
  const scenario = [
    recvRequest('INVITE'),
    response('401 Unauthorized', { headers: challenge('WWW-Authenticate', 'a') }),
    recvRequest('ACK'),
    recvRequest('INVITE', { rrs: true, expect: { Authorization: shown('a') } }),
    response('200 OK', { body: sdpOf(), headers: session('uac').slice(1), retransMs: 500 }),
    recvRequest('ACK', { expect: { Authorization: shown('a') } }),
    recvRequest('INVITE', { expect: { 'Session-Expires': '4;refresher=uac' } }),
    refused('407 Proxy Authentication Required', 'Proxy-Authenticate', 'b'),
    recvRequest('ACK'),
    recvRequest('INVITE', { expect: { 'Proxy-Authorization': shown('b') } }),
    refused('401 Unauthorized', 'WWW-Authenticate', 'b2'),
    recvRequest('ACK'),
    // SIPp takes the one header for the other.
    recvRequest('INVITE', { expect: { 'Proxy-Authorization': shown('b'), body: 'Authorization: [^\\r]*nonce="b2"' } }),
    response('200 OK', { tag: false, body: sdpOf(), headers: session('uac').slice(1), retransMs: 500 }),
    recvRequest('ACK', { expect: { 'Proxy-Authorization': shown('b') } }),
    recvRequest('INVITE'),
    response('481 No Such Call', { tag: false }),
    recvRequest('ACK'),
    recvRequest('BYE', { expect: { Reason: 'Session timer expired' } }),
    refused('401 Unauthorized', 'WWW-Authenticate', 'c'),
    recvRequest('BYE', { expect: { Authorization: shown('c'), Reason: 'Session timer expired' } }),
    response('200 OK', { tag: false }),
  ].join('\n');
  const run = startSipp({ localPort, scenario, timeoutSec: 30 });
  runs.push(run);
  await whenReceiving(localPort);
  const credentials = { username: 'trunk', password: 'x' };
  await gateway.api('POST', '/api/rooms/asked/sipcalls', { to: `sip:phone@127.0.0.1:${localPort}`, credentials });
  await run.done;
  assertExpired(await recordOf('asked'));
}, 40_000);

test.concurrent('a hold that comes while our refresh is unanswered waits for it: one INVITE at a time', async () => {
  const again = (direction: string, ms: number) => [
    recvRequest('INVITE', { expect: { body: `a=${direction}` } }),
    pause(ms),
    response('200 OK', { tag: false, body: sdpOf(), headers: session('uac').slice(1) }),
    recvRequest('ACK'),
  ];
  const steps = [...again('sendrecv', 1_500), ...again('(sendonly|inactive)', 0), bye(2), recv(200)];
  const done = call('held', invite({ headers: session('uas') }), answered, ...steps);
  const find = async () =>
    (await gateway.api<{ items: SipCallResource[] }>('GET', '/api/sip/calls?room=held')).items[0];
  const { id } = (await vi.waitUntil(find, { timeout: 10_000, interval: 50 })) as SipCallResource;
  const isRefreshing = async () => {
    const { messages } = await gateway.api<SipCallMessages>('GET', `/api/sip/calls/${id}/messages`);
    return messages.some(({ direction, title }) => direction === 'out' && title === 'INVITE');
  };
  await vi.waitUntil(isRefreshing, { timeout: 10_000, interval: 50 });
  await gateway.api('PATCH', `/api/rooms/held/sipcalls/${id}`, { isHeld: true });
  await done;
}, 40_000);

test.concurrent('a peer whose answer to our refresh names another port is sent its sound there', async () => {
  const elsewhere = sdpOf().replace('[media_port]', '47998');
  const done = call(
    'moved',
    invite({ headers: session('uas') }),
    answered,
    recvRequest('INVITE'),
    response('200 OK', { tag: false, body: elsewhere, headers: session('uac').slice(1) }),
    recvRequest('ACK'),
    pause(1_500),
    bye(2),
    recv(200),
  );
  const isThere = () =>
    [...gateway.app.phones.legs.values()].some(({ parameters }) => parameters?.remotePort === 47_998);
  await vi.waitUntil(isThere, { timeout: 15_000, interval: 20 });
  await done;
}, 40_000);

test.concurrent('a CANCEL that our 200 has crossed is answered and changes nothing: the call is, until its BYE', async () => {
  const cancel = request({ method: 'CANCEL', cseq: 1, branch: '[branch-4]' });
  await call(
    'late',
    invite(),
    recv(100, { optional: true }),
    recv(180, { optional: true }),
    recv(200, { rrs: true }),
    cancel,
    recv(200, { expect: { CSeq: '1 CANCEL' } }),
    ack(),
    pause(300),
    hangUp,
  );
  const { end, answeredAt } = await recordOf('late');
  assert.deepEqual([end?.by, end?.reason, answeredAt !== null], ['peer', 'hung_up', true]);
}, 40_000);

test('nothing is left of these calls, in the server or the application', async () => {
  const left = () => {
    const { dialogs = 0, pendingInbound = 0, pendingOutbound = 0 } = gateway.app.sip.serverStats ?? {};
    return [dialogs, pendingInbound, pendingOutbound, [...gateway.app.sip.live].length];
  };
  await expect.poll(left, { timeout: 10_000 }).toEqual([0, 0, 0, 0]);
});
