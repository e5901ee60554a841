// The API over the real SFU: what it says of streams is what RTP on the wire does, and what it orders happens there.
import { strict as assert } from 'node:assert';
import { afterAll, beforeAll, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import type { StreamStats } from '#core/ports.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { RtpPeer } from '#test/support/rtp-peer.ts';
import { someApi } from '#test/support/some-api.ts';

let sfu: Sfu;
beforeAll(async () => {
  const { sfu: config } = configSchema.parse({ sfu: { workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] } });
  sfu = await createSfu(config, { log: new KeepingLog() });
});
afterAll(() => sfu.close());

const opus = { mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 };
const ssrc = 0x1234_5678;

/** A room where alice sends audio that bob receives over the wire. */
async function someCall() {
  const api = await someApi<Sfu>({ sfu });
  await api.rooms.create({ name: 'demo' });
  const room = await api.rooms.open('demo');
  const abort = new AbortController();
  const join = async (user: string) => {
    const participant = room.join({ kind: 'webrtc', user, displayName: user, role: 'presenter' });
    await participant.createTransport();
    const transport = await room.media.createPlainTransport();
    return { participant, transport, peer: await RtpPeer.connect(transport) };
  };
  const [alice, bob] = [await join('alice'), await join('bob')];
  const audio = await alice.participant.publish(alice.transport, {
    kind: 'audio',
    source: 'microphone',
    rtpParameters: { codecs: [opus], encodings: [{ ssrc }], rtcp: { cname: 'alice' } },
  });
  const { rtpCapabilities } = room.media;
  const subscription = await bob.participant.subscribe(bob.transport, audio, { rtpCapabilities });
  await subscription.resume();
  // 3 of 4 numbers in a row are sent, the fourth is lost on the way. Not from 0: mediasoup 3.27 takes a stream that
  // begins there for one that has wrapped and counts 65536 packets more as lost.
  const sequence = (index: number) => 1000 + Math.floor(index / 3) * 4 + (index % 3);
  const packet = (index: number) => ({
    payloadType: opus.payloadType,
    sequence: sequence(index),
    timestamp: sequence(index) * 960,
    ssrc,
    payload: Buffer.alloc(80, index),
  });
  alice.peer.stream(packet, 10, abort.signal);
  const end = async () => {
    abort.abort();
    for (const { peer, transport } of [alice, bob]) {
      transport.close();
      peer.close();
    }
    await api.rooms.close();
  };
  return { ...api, room, alice, bob, audio, end };
}

test('stats and metrics show the bitrate, the loss and the receiver of a stream that flows', async () => {
  const { call, admin, bob, audio, end } = await someCall();
  try {
    await bob.peer.next(() => true);
    type Stats = {
      streams: { encodings: StreamStats[]; subscriptions: (StreamStats & { participantId: string })[] }[];
    };
    // mediasoup knows a rate once it has counted for a while, and the API keeps an answer for a second.
    const shown = await until(
      async () => (await call('GET', '/api/rooms/demo/stats', { as: admin })).json as Stats,
      ({ streams: [stream] }) =>
        // 100 packets of 80 bytes and a header in a second are some 70 kbit/s.
        (stream?.encodings[0]?.bitrateBps ?? 0) > 40_000 &&
        (stream?.subscriptions[0]?.bitrateBps ?? 0) > 40_000 &&
        (stream?.encodings[0]?.packetsLost ?? 0) > 0,
    );
    const [stream] = shown.streams;
    const [incoming, outgoing] = [stream?.encodings[0], stream?.subscriptions[0]];
    assert.ok(incoming && outgoing);
    assert.equal(outgoing.participantId, bob.participant.id);
    assert.ok(incoming.bitrateBps < 150_000, `${incoming.bitrateBps}`);
    const lostShare = incoming.packetsLost / (incoming.packetsLost + incoming.packetCount);
    assert.ok(lostShare > 0.1 && lostShare < 0.35, `${lostShare}`);
    const listed = (await call('GET', `/api/rooms/demo/streams/${audio.id}`, { as: admin })).json;
    assert.deepEqual([listed.mimeType, listed.isWatched, listed.subscriptionCount], ['audio/opus', true, 1]);
    const metrics = (await call('GET', '/metrics', { as: admin })).text;
    assert.match(metrics, /^webrtc_audio_tracks_total 1$/m);
    assert.match(metrics, /^switchyard_sfu_worker_consumers\{worker="0"\} [1-9]/m);
    const { json: server } = await call('GET', '/api/server', { as: admin });
    assert.deepEqual([server.sfuWorkers.length, server.roomCount, server.isReady], [1, 1, true]);
  } finally {
    await end();
  }
});

test('a stream that the API mutes stops on the wire, flows again when it is unmuted, and ends when it is deleted', async () => {
  const { call, admin, bob, audio, end } = await someCall();
  try {
    await bob.peer.next(() => true);
    const path = `/api/rooms/demo/streams/${audio.id}`;
    assert.equal((await call('PATCH', path, { as: admin, json: { isMuted: true } })).json.isMutedByModerator, true);
    const before = bob.peer.received.length;
    const arrived = async () => (await audio.producer.getStats())[0]?.packetCount ?? 0;
    const enough = (await arrived()) + 30;
    await until(arrived, (count) => count >= enough);
    // Alice went on sending; one or two packets may have been under way to Bob when she was muted.
    assert.ok(bob.peer.received.length - before <= 2, `${bob.peer.received.length - before} packets after the mute`);
    await call('PATCH', path, { as: admin, json: { isMuted: false } });
    await bob.peer.next(() => true);
    assert.equal((await call('DELETE', path, { as: admin })).status, 204);
    assert.equal((await call('GET', path, { as: admin })).status, 404);
    assert.ok(audio.producer.isClosed);
  } finally {
    await end();
  }
});

/** Asks until the answer is good; the test's own time limit ends it otherwise. */
async function until<T>(ask: () => Promise<T>, isGood: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isGood(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
