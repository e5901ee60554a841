// Taking a node out of service by the API, with a time: who is in is told, and sent away when it is over.
import { strict as assert } from 'node:assert';
import { afterAll, beforeAll, test } from 'vitest';
import type { NewStreamKeyResource, NodeResource, RecordingResource } from '#api/contract.ts';
import { objectOf } from '#gateways/rtmp/amf0.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PhonePeer } from '#test/support/phone-peer.ts';
import { RtmpPeer } from '#test/support/rtmp-peer.ts';
import { SignallingPeer } from '#test/support/signalling-peer.ts';
import { ack, invite, recv, recvRequest, response, startSipp } from '#test/support/sipp.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_400, lastPort: 43_499 },
  });
  await gateway.api('POST', '/api/rooms', { name: 'lobby' });
}, 30_000);

afterAll(() => gateway.close());

const enter = async (user: string) =>
  SignallingPeer.join(gateway.webSocketUrl, { room: 'lobby', token: await gateway.token({ room: 'lobby', user }) });
const node = () => gateway.api<NodeResource>('GET', '/api/nodes/self');
const eventTypes = async (type: string) =>
  (await gateway.api<{ items: { type: string }[] }>('GET', `/api/events?type=${type}`)).items.map((one) => one.type);

async function encoder(): Promise<RtmpPeer> {
  const { port } = (await node()).ports.find(({ name }) => name === 'rtmp') ?? {};
  const { key } = await gateway.api<NewStreamKeyResource>('POST', '/api/stream-keys', { room: 'lobby', name: 'OBS' });
  const peer = await RtmpPeer.connect(port as number);
  // It says that it understands requests to connect again.
  peer.command('connect', 1, { app: 'live', tcUrl: 'rtmp://127.0.0.1/live', capsEx: 1 });
  await peer.answer('_result', 1);
  peer.command('createStream', 2, null);
  await peer.answer('_result', 2);
  peer.command('publish', 3, null, key, 'live');
  assert.equal(statusOf(await peer.answer('onStatus')), 'NetStream.Publish.Start');
  return peer;
}

const statusOf = ({ args }: { args: readonly unknown[] }) => objectOf(args[1] as never)?.code;

test('a drain with a time tells everybody at once, and sends away who is left when it is over', async () => {
  const { peer: alice } = await enter('alice');
  const obs = await encoder();
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz: 440, levelDbov: -20 });
  const port = phone.parameters().remotePort;
  const body = `v=0\no=phone 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio ${port} RTP/AVP 0\na=sendrecv\n`;
  const udp = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  const call = startSipp({
    target: `127.0.0.1:${udp?.port}`,
    service: 'lobby',
    scenario: [
      ...[
        invite({ body }),
        recv(100, { optional: true }),
        recv(180, { optional: true }),
        recv(200, { rrs: true }),
        ack(),
      ],
      ...[recvRequest('BYE', { expect: { Reason: 'drained' } }), response('200 OK', { tag: false })],
    ].join('\n'),
  });
  while ((await node()).callCount === 0 || (await node()).participantCount < 3) await settle();
  const { id } = await gateway.api<RecordingResource>('POST', '/api/rooms/lobby/recordings', { video: 'off' });

  const wish = { reason: 'Upgrade', timeoutMs: 1_500 };
  const begun = await gateway.api<NodeResource>('POST', '/api/nodes/self/drain', wish);
  const { since = '', endsAt } = begun.drain ?? {};
  assert.deepEqual([begun.state, Date.parse(endsAt ?? '') - Date.parse(since)], ['draining', 1_500]);
  assert.equal(statusOf(await obs.answer('onStatus')), 'NetConnection.Connect.ReconnectRequest');
  assert.deepEqual(await alice.event('draining'), { closesInMs: 1_500 });

  assert.equal((await alice.event('closed')).reason, 'drained');
  await Promise.all([obs.closed, call.done, alice.closed]);
  await phone.close();
  while ((await node()).state !== 'drained') await settle();
  assert.deepEqual((await node()).drain?.left, { rooms: 0, participants: 0, calls: 0, jobs: 0 });
  const kept = await gateway.api<RecordingResource>('GET', `/api/rooms/lobby/recordings/${id}`);
  assert.deepEqual([kept.reason, kept.state === 'failed'], ['room_closed', false]);
  const types = (await eventTypes('node.*')).slice(1);
  assert.deepEqual(types, ['node.draining', 'node.evicting', 'node.drained']);

  await gateway.api('POST', '/api/nodes/self/undrain');
  const { peer } = await enter('alice');
  await peer.request('leave', {});
});

test('who was told of a drain that is taken back is told that too', async () => {
  const { peer: alice } = await enter('alice');
  await gateway.api('POST', '/api/nodes/self/drain', { timeoutMs: 60_000 });
  await alice.event('draining');
  await gateway.api('POST', '/api/nodes/self/undrain');
  assert.deepEqual(await alice.event('draining', ({ closesInMs }) => closesInMs === null), { closesInMs: null });
  await alice.request('leave', {});
});

const settle = () => new Promise((wake) => setTimeout(wake, 20));
