// Kamailio between the phones and us, which stays in every dialog: calls in and out, re-INVITE and BYE both ways, a change of
// transport on the way, and a password.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import type { Room } from '#core/room.ts';
import { startKamailio } from '#test/support/kamailio.ts';
import { freePort, whenReceiving } from '#test/support/ports.ts';
import { SipWays } from '#test/support/sip-ways.ts';
import {
  ack,
  byeOfCallee,
  invite,
  pause,
  recv,
  recvInviteToKeep,
  recvRequest,
  request,
  response,
  sipp,
  startSipp,
} from '#test/support/sipp.ts';

let ways: SipWays;
let room: Room;
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  ways = await SipWays.start('embedded', { rtp: { listenAddress: '127.0.0.1', firstPort: 43_800, lastPort: 43_899 } });
  room = await ways.warmUp();
}, 150_000);
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(() => ways.close());

const sdp = (direction: string, port = 40_002) =>
  `v=0\no=p 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio ${port} RTP/AVP 0\na=${direction}\n`;
const trying = [recv(100, { optional: true }), recv(180, { optional: true })];
const routed = (method: string, cseq: number, more: Partial<Parameters<typeof request>[0]> = {}) =>
  request({ method, cseq, isInDialog: true, uri: '[next_url]', headers: ['[routes]'], retransMs: 500, ...more });
const lastCall = () => ways.gateway.app.sip.callsOf(room.id).at(-1);
const calls = '/api/rooms/demo/sipcalls';

async function kamailio(transport: 'udp' | 'tcp', password?: string) {
  const point = ways.gateway.app.sip.listenPoints.find((one) => one.protocol === transport && one.host === '127.0.0.1');
  const proxy = await startKamailio({ gateway: { port: point?.port ?? 0, transport }, ...(password && { password }) });
  opened.push(proxy);
  return proxy;
}

describe.each(['udp', 'tcp'] as const)('a call in that Kamailio brings by %s', (transport) => {
  const established = [
    invite({ body: sdp('sendrecv') }),
    ...trying,
    recv(200, { rrs: true, expect: { 'Record-Route': 'lr' } }),
    ack(),
  ];

  test('is held by its caller and ended by it, all through Kamailio', async () => {
    const proxy = await kamailio(transport);
    await sipp({
      target: `127.0.0.1:${proxy.port}`,
      service: 'demo',
      scenario: [
        ...established,
        routed('INVITE', 2, { body: sdp('sendonly') }),
        recv(100, { optional: true }),
        recv(200, { expect: { body: 'a=recvonly' } }),
        ack(2),
        routed('BYE', 3),
        recv(200),
      ].join('\n'),
    });
    assert.equal(lastCall()?.info.end?.by, 'peer');
  });

  test('is held and ended by the room, all through Kamailio', async () => {
    const proxy = await kamailio(transport);
    const joined = once(room.events, 'participantJoined', { signal: AbortSignal.timeout(20_000) });
    const run = startSipp({
      target: `127.0.0.1:${proxy.port}`,
      service: 'demo',
      scenario: [
        ...established,
        recvRequest('INVITE', { expect: { body: 'a=sendonly', Via: `127.0.0.1:${proxy.port}` } }),
        response('200 OK', { body: sdp('recvonly'), tag: false }),
        recvRequest('ACK'),
        recvRequest('BYE', { expect: { Via: `127.0.0.1:${proxy.port}` } }),
        response('200 OK', { tag: false }),
      ].join('\n'),
      timeoutSec: 20,
    });
    await joined;
    const call = lastCall();
    assert.ok(call);
    await call.settled(10_000);
    await ways.gateway.api('PATCH', `${calls}/${call.id}`, { isHeld: true });
    await ways.gateway.api('DELETE', `${calls}/${call.id}`);
    await run.done;
  }, 40_000);
});

describe('a call out by way of Kamailio', () => {
  const taken = [
    recvInviteToKeep({ expect: { 'Record-Route': 'lr' } }),
    response('180 Ringing'),
    response('200 OK', { body: sdp('sendrecv') }),
    recvRequest('ACK'),
  ];

  async function dial(scenario: string[], password?: string, wrong = false) {
    const proxy = await kamailio('udp', password);
    const localPort = await freePort();
    const run = startSipp({ scenario: scenario.join('\n'), localPort, timeoutSec: 20 });
    await whenReceiving(localPort);
    const made = await ways.gateway.api<SipCallResource>('POST', `${calls}?wait=20`, {
      to: `sip:alice@127.0.0.1:${localPort}`,
      proxy: `sip:127.0.0.1:${proxy.port};lr`,
      ...(password && { credentials: { username: 'us', password: wrong ? 'guess' : password } }),
    });
    return { run, made };
  }

  test('is held and ended by us, all through Kamailio', async () => {
    const { run, made } = await dial([
      ...taken,
      recvRequest('INVITE', { expect: { body: 'a=sendonly' } }),
      response('200 OK', { body: sdp('recvonly'), tag: false }),
      recvRequest('ACK'),
      recvRequest('BYE'),
      response('200 OK', { tag: false }),
    ]);
    assert.equal(made.state, 'connected', JSON.stringify(made.end));
    await ways.gateway.api('PATCH', `${calls}/${made.id}`, { isHeld: true });
    await ways.gateway.api('DELETE', `${calls}/${made.id}`);
    await run.done;
  }, 40_000);

  test('is ended by the phone, after Kamailio asked for the password', async () => {
    const bye = byeOfCallee().replace('Call-ID:', '[routes]\nCall-ID:');
    const { run, made } = await dial([...taken, pause(200), bye, recv(200)], 'open sesame');
    assert.equal(made.state, 'connected', JSON.stringify(made.end));
    await run.done;
  }, 40_000);

  test('with the wrong password is refused 407, and the phone does not ring', async () => {
    const { run, made } = await dial(taken, 'open sesame', true);
    assert.deepEqual([made.state, made.end?.sipStatus], ['ended', 407]);
    run.stop();
  }, 40_000);
});
