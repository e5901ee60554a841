import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configSchema, type SfuConfig } from '#config/schema.ts';
import type { PayloadTypeLayout, SfuPlainTransport, SfuProducer, SfuRoom } from '#core/ports.ts';
import type { RtpCapabilities, RtpParameters } from '#core/rtp.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { RtpPeer, vp8Payload } from '#test/support/rtp-peer.ts';
import { createSfu, type Sfu } from './index.ts';

const log = new KeepingLog();
const sfuConfig = (change: Partial<SfuConfig> = {}): SfuConfig => ({
  ...configSchema.parse({}).sfu,
  workers: 1,
  firstPort: 0,
  listen: [{ ip: '127.0.0.1' }],
  ...change,
});

const audioLevelUri = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
const pcmu = (ssrc: number): RtpParameters => ({
  codecs: [{ mimeType: 'audio/PCMU', payloadType: 0, clockRate: 8_000 }],
  headerExtensions: [{ uri: audioLevelUri, id: 1 }],
  encodings: [{ ssrc }],
  rtcp: { cname: `c${ssrc}` },
});
const vp8 = (...ssrcs: number[]): RtpParameters => ({
  codecs: [
    {
      mimeType: 'video/VP8',
      payloadType: 120,
      clockRate: 90_000,
      rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }],
    },
  ],
  encodings: ssrcs.map((ssrc) => ({ ssrc, ...(ssrcs.length > 1 ? { scalabilityMode: 'L1T1' } : {}) })),
  rtcp: { cname: `c${ssrcs[0]}` },
});
/** What a media worker takes: the room's codecs, without RTX and extensions. */
const plainCapabilities = (room: SfuRoom): RtpCapabilities => ({
  codecs: room.rtpCapabilities.codecs?.filter(({ mimeType }) => !mimeType.endsWith('/rtx')),
});
const withPayloadType = (rtpParameters: RtpParameters) => rtpParameters.codecs[0]?.payloadType;
const ssrcOf = (rtpParameters: RtpParameters) => rtpParameters.encodings?.[0]?.ssrc;

let stop: AbortController;
let sfu: Sfu;
let peers: RtpPeer[];

beforeEach(() => {
  stop = new AbortController();
  peers = [];
});
afterEach(async () => {
  stop.abort();
  for (const peer of peers) peer.close();
  await sfu.close();
});

async function start(change?: Partial<SfuConfig>): Promise<SfuRoom> {
  sfu = await createSfu(sfuConfig(change), { log });
  return sfu.createRoom({ log });
}

async function plainPeer(room: SfuRoom): Promise<{ transport: SfuPlainTransport; peer: RtpPeer }> {
  const transport = await room.createPlainTransport();
  const peer = await RtpPeer.connect(transport);
  peers.push(peer);
  return { transport, peer };
}

async function publishPcmu(room: SfuRoom, ssrc: number, text = `from ${ssrc}`, audioLevel = 20) {
  const { transport, peer } = await plainPeer(room);
  const producer = await transport.produce({ kind: 'audio', rtpParameters: pcmu(ssrc) });
  const talking = new AbortController();
  stop.signal.addEventListener('abort', () => talking.abort());
  const payload = Buffer.from(text.padEnd(160, '.'));
  peer.stream(
    // Not from 0: mediasoup 3.27 takes a stream that begins there, and loses its first packet, for one that has wrapped.
    (i) => ({ payloadType: 0, sequence: 1_000 + i, timestamp: i * 160, ssrc, payload, audioLevel }),
    20,
    talking.signal,
  );
  return { transport, peer, producer, stopTalking: () => talking.abort() };
}

async function hear(peer: RtpPeer, packets: number): Promise<void> {
  for (let i = 0; i < packets; i++) await peer.next(() => true);
}

async function subscribe(room: SfuRoom, producer: SfuProducer) {
  const { transport, peer } = await plainPeer(room);
  const consumer = await transport.consume({ producer, rtpCapabilities: plainCapabilities(room) });
  return { transport, peer, consumer };
}

describe('streams through a room', () => {
  test('arrive with the payload type and SSRC that the consumer announces, and their bytes unchanged', async () => {
    const room = await start();
    const { producer } = await publishPcmu(room, 1_111, 'hello from one');
    const { peer, consumer } = await subscribe(room, producer);
    expect(consumer).toMatchObject({ producerId: producer.id, kind: 'audio', isPaused: true, type: 'simple' });
    await consumer.resume();
    const packet = await peer.next(() => true);
    expect(packet.ssrc).toBe(ssrcOf(consumer.rtpParameters));
    expect(packet.payloadType).toBe(withPayloadType(consumer.rtpParameters));
    expect(packet.payload.toString()).toBe('hello from one'.padEnd(160, '.'));
  });

  test('stay in their room, and rooms do not know the producers of others', async () => {
    const room = await start();
    const other = await sfu.createRoom({ log });
    const mine = await publishPcmu(room, 2_001, 'mine');
    const theirs = await publishPcmu(other, 2_002, 'theirs');
    const { transport, peer, consumer } = await subscribe(room, mine.producer);
    await consumer.resume();
    await hear(peer, 5);
    expect(new Set(peer.received.map(({ payload }) => payload.subarray(0, 4).toString()))).toEqual(new Set(['mine']));
    await expect(
      transport.consume({ producer: theirs.producer, rtpCapabilities: room.rtpCapabilities }),
    ).rejects.toMatchObject({ code: 'closed' });
  });

  test('share one plain transport in both directions, told apart by SSRC', async () => {
    const room = await start();
    const { transport, peer } = await plainPeer(room);
    const rtpCapabilities = plainCapabilities(room);
    const others = await Promise.all([publishPcmu(room, 3_001, 'one'), publishPcmu(room, 3_002, 'two')]);
    const consumers = await Promise.all(others.map(({ producer }) => transport.consume({ producer, rtpCapabilities })));
    const own = await transport.produce({ kind: 'audio', rtpParameters: pcmu(3_003) });
    const listener = await subscribe(room, own);
    await Promise.all([...consumers, listener.consumer].map((consumer) => consumer.resume()));
    const heard = await Promise.all(
      consumers.map(({ rtpParameters }) => peer.next(({ ssrc }) => ssrc === ssrcOf(rtpParameters))),
    );
    expect(heard.map(({ payload }) => payload.subarray(0, 3).toString())).toEqual(['one', 'two']);
    peer.send({ payloadType: 0, sequence: 1, timestamp: 160, ssrc: 3_003, payload: Buffer.from('three') });
    expect((await listener.peer.next(() => true)).payload.toString()).toBe('three');
  });

  test('that end with their source are ended once: mediasoup logs nothing of what it would not know', async () => {
    const room = await start();
    const { producer } = await publishPcmu(room, 3_501);
    const { consumer, transport } = await subscribe(room, producer);
    const ended = once(consumer.events, 'closed');
    log.lines.length = 0;
    producer.close();
    consumer.close();
    await ended;
    expect(consumer.isClosed).toBe(true);
    await expect(consumer.resume()).rejects.toMatchObject({ code: 'closed' });
    // Answered after all that was asked before.
    const other = await publishPcmu(room, 3_502);
    await transport.consume({ producer: other.producer, rtpCapabilities: plainCapabilities(room) });
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test('stop while consumer or producer is paused, and go on when it resumes', async () => {
    const room = await start();
    const { producer, peer: sender } = await publishPcmu(room, 4_001);
    const { peer, consumer } = await subscribe(room, producer);
    const witness = await subscribe(room, producer);
    await Promise.all([consumer.resume(), witness.consumer.resume()]);
    await peer.next(() => true);

    await consumer.pause();
    expect(consumer.isPaused).toBe(true);
    await hear(witness.peer, 3); // and so what was under way has been read
    const before = peer.received.length;
    // Ten packets reach the one that is not paused: the paused one has had every chance.
    await hear(witness.peer, 10);
    expect(peer.received.length - before).toBe(0);
    await consumer.resume();
    await peer.next(() => true);

    await producer.pause();
    expect(producer.isPaused).toBe(true);
    const other = await publishPcmu(room, 4_002);
    const otherWitness = await subscribe(room, other.producer);
    await otherWitness.consumer.resume();
    await hear(otherWitness.peer, 3);
    const atPause = peer.received.length;
    await hear(otherWitness.peer, 10);
    expect(peer.received.length - atPause).toBe(0);
    await producer.resume();
    await peer.next(() => true);
    expect(sender.received).toEqual([]);
  });

  test('end with their producer, and tell so once', async () => {
    const room = await start();
    const { producer } = await publishPcmu(room, 5_001);
    const { consumer, transport } = await subscribe(room, producer);
    const told: string[] = [];
    producer.events.on('closed', () => told.push('producer'));
    consumer.events.on('closed', () => told.push('consumer'));
    transport.events.on('closed', () => told.push('transport'));
    const ended = once(consumer.events, 'closed');
    producer.close();
    producer.close();
    await ended;
    expect(consumer.isClosed).toBe(true);
    transport.close();
    transport.close();
    expect(told).toEqual(['producer', 'consumer', 'transport']);
    await expect(consumer.resume()).rejects.toMatchObject({ code: 'closed' });
    await expect(producer.getStats()).rejects.toMatchObject({ code: 'closed' });
    await expect(transport.produce({ kind: 'audio', rtpParameters: pcmu(5_002) })).rejects.toMatchObject({
      code: 'closed',
    });
  });

  test.each([1, 2])('that end while they are consumed leave nothing behind (%i workers)', async (workers) => {
    const room = await start({ workers, maxConsumersPerRouter: 1 });
    const filler = await publishPcmu(room, 5_100);
    await subscribe(room, filler.producer);
    const { transport } = await plainPeer(room);
    const { transport: sending } = await plainPeer(room);
    for (let i = 0; i < 20; i++) {
      const producer = await sending.produce({ kind: 'audio', rtpParameters: pcmu(5_101 + i) });
      const consuming = transport.consume({ producer, rtpCapabilities: plainCapabilities(room) });
      // At different moments of the request.
      for (let turns = 0; turns < i; turns++) await Promise.resolve();
      producer.close();
      const [outcome] = await Promise.allSettled([consuming]);
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'closed' });
      else if (!outcome.value.isClosed) await once(outcome.value.events, 'closed');
    }
    const consumers = (await sfu.describeWorkers()).reduce((sum, worker) => sum + worker.consumers, 0);
    expect(consumers).toBe(1);
  });

  test('ask the sender for a key frame when a receiver needs one', async () => {
    const room = await start();
    const { transport, peer: sender } = await plainPeer(room);
    const producer = await transport.produce({ kind: 'video', rtpParameters: vp8(6_001) });
    sender.stream(
      (i) => ({
        payloadType: 120,
        sequence: i,
        timestamp: i * 3_000,
        ssrc: 6_001,
        hasMarker: true,
        payload: vp8Payload(i, i === 0, 'x'),
      }),
      33,
      stop.signal,
    );
    await once(producer.events, 'scored');
    const { consumer } = await subscribe(room, producer);
    const pli = nextPli(sender, 6_001);
    await consumer.resume();
    await pli;
  });

  test('are counted in bits, packets and milliseconds', async () => {
    const room = await start();
    const { producer } = await publishPcmu(room, 7_001);
    const { peer, consumer } = await subscribe(room, producer);
    await consumer.resume();
    await hear(peer, 20);
    const [inbound] = await producer.getStats();
    assert.ok(inbound);
    expect(inbound).toMatchObject({ ssrc: 7_001, mimeType: 'audio/PCMU', packetsLost: 0, fractionLost: 0 });
    expect(inbound.packetCount).toBeGreaterThanOrEqual(20);
    expect(inbound.byteCount).toBeGreaterThan(20 * 160);
    expect(inbound.bitrateBps).toBeGreaterThan(10_000);
    // In clock ticks it would be eight times as much.
    expect(inbound.jitterMs).toBeLessThan(40);
    const outbound = await consumer.getStats();
    expect(outbound).toHaveLength(1);
    expect(outbound[0]).toMatchObject({ ssrc: ssrcOf(consumer.rtpParameters), mimeType: 'audio/PCMU' });
    expect((await sfu.describeWorkers())[0]).toMatchObject({ rooms: 1, consumers: 1, restarts: 0 });
  });
});

/** RFC 4585 §6.3.1: payload-specific feedback 206, format 1, with the media SSRC at byte 8. */
async function nextPli(peer: RtpPeer, ssrc: number): Promise<void> {
  for (;;) {
    const [rtcp] = (await once(peer.events, 'rtcp')) as [Buffer];
    if (rtcp[1] === 206 && (rtcp.readUInt8(0) & 0x1f) === 1 && rtcp.readUInt32BE(8) === ssrc) return;
  }
}

describe('simulcast', () => {
  test.each<[string, Partial<SfuConfig>]>([
    ['on the router where it entered', {}],
    ['over a pipe to another worker', { workers: 2, maxConsumersPerRouter: 1 }],
  ])('%s sends the layer that the consumer prefers, and says which', async (_, config) => {
    const room = await start(config);
    if (config.workers === 2) await subscribe(room, (await publishPcmu(room, 8_000)).producer);
    const { transport, peer: sender } = await plainPeer(room);
    const ssrcs = [8_001, 8_002];
    const producer = await transport.produce({ kind: 'video', rtpParameters: vp8(...ssrcs) });
    expect(producer.type).toBe('simulcast');
    const keyFramesWanted = new Set(ssrcs);
    sender.events.on('rtcp', (rtcp) => {
      if (rtcp[1] === 206) keyFramesWanted.add(rtcp.readUInt32BE(8));
    });
    for (const [layer, ssrc] of ssrcs.entries()) {
      sender.stream(
        (i) => ({
          payloadType: 120,
          sequence: i,
          timestamp: i * 2_970,
          ssrc,
          hasMarker: true,
          payload: vp8Payload(i, keyFramesWanted.delete(ssrc), `layer${layer}`.padEnd(400, '.')),
        }),
        33,
        stop.signal,
      );
      sender.streamSenderReports({ ssrc, clockRate: 90_000 }, 100, stop.signal);
    }
    const { transport: receiving, peer } = await plainPeer(room);
    expect((await sfu.describeWorkers()).map(({ rooms }) => rooms)).toEqual(config.workers === 2 ? [1, 1] : [1]);
    const consumer = await receiving.consume({
      producer,
      rtpCapabilities: plainCapabilities(room),
      preferredLayers: { spatialLayer: 0 },
    });
    expect(consumer.type).toBe('simulcast');
    const layers: (number | undefined)[] = [];
    consumer.events.on('layersChanged', (now) => layers.push(now?.spatialLayer));
    const holds = (text: string) => (packet: { payload: Buffer }) => packet.payload.includes(text);
    const low = peer.next(holds('layer0'));
    await consumer.resume();
    await low;
    const switched = new Promise<void>((resolve) =>
      consumer.events.on('layersChanged', (now) => now?.spatialLayer === 1 && resolve()),
    );
    const high = Promise.all([peer.next(holds('layer1')), switched]);
    await consumer.setPreferredLayers({ spatialLayer: 1, temporalLayer: 0 });
    await high;
    expect(consumer.currentLayers).toEqual({ spatialLayer: 1, temporalLayer: 0 });
    expect([...new Set(layers.filter((layer) => layer !== undefined))]).toEqual([0, 1]);
    const nextLayer = (layer: number) =>
      new Promise<void>((resolve) =>
        consumer.events.on('layersChanged', (now) => now?.spatialLayer === layer && resolve()),
      );
    const lowered = nextLayer(0);
    sfu.limitLayers(0);
    await lowered;
    await peer.next(holds('layer0'));
    // What is asked for meanwhile is remembered.
    await consumer.setPreferredLayers({ spatialLayer: 1 });
    expect(consumer.currentLayers?.spatialLayer).toBe(0);
    const raised = nextLayer(1);
    sfu.limitLayers(undefined);
    await raised;
    const stats = await producer.getStats();
    expect(stats.map(({ ssrc }) => ssrc).sort()).toEqual(ssrcs);
    await consumer.setPriority(200);
    await expect(consumer.setPriority(256)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(consumer.setPreferredLayers({ spatialLayer: -1 })).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

const whepLayout: PayloadTypeLayout = {
  codecs: [
    { kind: 'audio', mimeType: 'audio/PCMU', clockRate: 8_000, payloadType: 0 },
    { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2, payloadType: 111 },
    { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000, payloadType: 96 },
  ],
};

describe('receivers that number codecs their own way', () => {
  test('get streams under their payload types, through a router of their own', async () => {
    const room = await start();
    const { transport: sending, peer: sender } = await plainPeer(room);
    const producer = await sending.produce({ kind: 'video', rtpParameters: vp8(9_001) });
    const transport = await room.createWebRtcTransport({ layout: whepLayout });
    expect(transport.consumeCapabilities.headerExtensions).toEqual([]);
    expect(transport.consumeCapabilities.codecs?.map((codec) => codec.preferredPayloadType).sort()).toEqual([
      0, 111, 96,
    ]);
    const consumer = await transport.consume({
      producer,
      rtpCapabilities: transport.consumeCapabilities,
      mid: 'a-mid-of-the-offer',
    });
    expect(consumer.rtpParameters.codecs.map(({ mimeType, payloadType }) => ({ mimeType, payloadType }))).toEqual([
      { mimeType: 'video/VP8', payloadType: 96 },
    ]);
    expect(consumer.rtpParameters.codecs[0]?.rtcpFeedback).toContainEqual({ type: 'nack', parameter: '' });
    expect(consumer.rtpParameters).toMatchObject({ mid: 'a-mid-of-the-offer', headerExtensions: [] });
    expect(consumer.producerId).toBe(producer.id);
    expect(sender.received).toEqual([]);

    const again = await room.createWebRtcTransport({ layout: structuredClone(whepLayout) });
    const second = await again.consume({ producer, rtpCapabilities: again.consumeCapabilities });
    expect(withPayloadType(second.rtpParameters)).toBe(96);
    const ended = Promise.all([consumer, second].map(({ events }) => once(events, 'closed')));
    producer.close();
    await ended;
  });

  test('are refused what they cannot decode', async () => {
    const room = await start();
    const { transport: sending } = await plainPeer(room);
    const producer = await sending.produce({ kind: 'video', rtpParameters: vp8(9_101) });
    const transport = await room.createWebRtcTransport({
      layout: { codecs: whepLayout.codecs.filter(({ kind }) => kind === 'audio') },
    });
    await expect(transport.consume({ producer, rtpCapabilities: transport.consumeCapabilities })).rejects.toMatchObject(
      { code: 'no_common_codec' },
    );
  });

  test('publish on the same transport to everybody else, levels included', async () => {
    const room = await start();
    const transport = await room.createWebRtcTransport({ layout: whepLayout });
    const producer = await transport.produce({
      kind: 'audio',
      rtpParameters: { ...pcmu(9_201), mid: '0' },
    });
    await room.observeAudio(producer);
    const { consumer } = await subscribe(room, producer);
    expect(consumer.producerId).toBe(producer.id);
    await producer.pause();
    await producer.resume();
    const ended = once(consumer.events, 'closed');
    transport.close();
    await ended;
    expect(producer.isClosed).toBe(true);
  });

  test('may publish codecs that they did not list for receiving', async () => {
    const room = await start();
    const transport = await room.createWebRtcTransport({
      layout: { codecs: whepLayout.codecs.filter(({ kind }) => kind === 'audio') },
    });
    const producer = await transport.produce({ kind: 'video', rtpParameters: { ...vp8(9_301), mid: '1' } });
    const { consumer } = await subscribe(room, producer);
    expect(consumer.kind).toBe('video');
  });
});

describe('a room that outgrows its worker', () => {
  test('goes on in another one, with streams both ways', async () => {
    const room = await start({ workers: 2, maxConsumersPerRouter: 1 });
    const first = await publishPcmu(room, 10_001, 'home');
    const near = await subscribe(room, first.producer);
    const far = await subscribe(room, first.producer);
    await Promise.all([near.consumer.resume(), far.consumer.resume()]);
    expect((await far.peer.next(() => true)).payload.toString()).toContain('home');
    expect((await near.peer.next(() => true)).payload.toString()).toContain('home');
    const workers = await sfu.describeWorkers();
    expect(workers.map(({ rooms, consumers }) => ({ rooms, consumers }))).toEqual([
      { rooms: 1, consumers: 1 },
      { rooms: 1, consumers: 1 },
    ]);

    const farProducer = await far.transport.produce({ kind: 'audio', rtpParameters: pcmu(10_002) });
    const back = await near.transport.consume({ producer: farProducer, rtpCapabilities: plainCapabilities(room) });
    await back.resume();
    const heard = near.peer.next(({ ssrc }) => ssrc === ssrcOf(back.rtpParameters));
    far.peer.stream(
      (i) => ({ payloadType: 0, sequence: i, timestamp: i * 160, ssrc: 10_002, payload: Buffer.from('far away') }),
      20,
      stop.signal,
    );
    expect((await heard).payload.toString()).toBe('far away');

    // Pause and end cross the pipe.
    await first.producer.pause();
    await first.producer.resume();
    await far.peer.next(({ ssrc }) => ssrc === ssrcOf(far.consumer.rtpParameters));
    const ended = once(far.consumer.events, 'closed');
    first.producer.close();
    await ended;
  });

  test('takes a pipe down that nobody uses, and makes it again', async () => {
    const room = await start({ workers: 2, maxConsumersPerRouter: 1 });
    const { producer } = await publishPcmu(room, 10_201);
    await subscribe(room, producer);
    const far = await plainPeer(room);
    const rtpCapabilities = plainCapabilities(room);
    for (let i = 0; i < 3; i++) {
      const consumers = await Promise.all([1, 2].map(() => far.transport.consume({ producer, rtpCapabilities })));
      await Promise.all(consumers.map((consumer) => consumer.resume()));
      const heard = consumers.map((consumer) => far.peer.next(({ ssrc }) => ssrc === ssrcOf(consumer.rtpParameters)));
      await Promise.all(heard);
      for (const consumer of consumers) consumer.close();
    }
    expect(producer.isClosed).toBe(false);
    // The new one begins while the old one ends.
    const last = await far.transport.consume({ producer, rtpCapabilities });
    last.close();
    const again = await far.transport.consume({ producer, rtpCapabilities });
    await again.resume();
    await far.peer.next(({ ssrc }) => ssrc === ssrcOf(again.rtpParameters));
  });

  test('carries data channels to it', async () => {
    const room = await start({ workers: 2, maxConsumersPerRouter: 1 });
    const near = await room.createWebRtcTransport({ hasData: true });
    const { producer } = await publishPcmu(room, 10_101);
    const filler = await subscribe(room, producer);
    const far = await room.createWebRtcTransport({ hasData: true });
    const dataProducer = await near.produceData({
      sctpStreamParameters: { streamId: 3, ordered: true },
      label: 'chat',
      protocol: 'v1',
    });
    const dataConsumer = await far.consumeData({ dataProducer });
    expect(dataConsumer).toMatchObject({ dataProducerId: dataProducer.id, label: 'chat', protocol: 'v1' });
    const ended = once(dataConsumer.events, 'closed');
    dataProducer.close();
    await ended;
    filler.consumer.close();
    expect((await sfu.describeWorkers()).map(({ consumers }) => consumers)).toEqual([0, 0]);
  });
});

describe('audio levels', () => {
  test('come while somebody speaks, and both levels and speaker fall silent afterwards', async () => {
    const room = await start();
    const alice = await publishPcmu(room, 11_001, 'alice', 15);
    const bob = await publishPcmu(room, 11_002, 'bob', 90);
    await Promise.all([alice, bob].map(({ producer }) => room.observeAudio(producer)));
    await room.observeAudio(alice.producer);
    const speaker = once(room.events, 'dominantSpeakerChanged');
    const [levels] = (await once(room.events, 'levelsMeasured')) as [{ producerId: string; levelDbov: number }[]];
    expect(levels).toEqual([{ producerId: alice.producer.id, levelDbov: -15 }]);
    expect(await speaker).toEqual([alice.producer.id]);
    const silence = once(room.events, 'dominantSpeakerChanged');
    alice.stopTalking();
    for (;;) {
      const [now] = (await once(room.events, 'levelsMeasured')) as [unknown[]];
      if (now.length === 0) break;
    }
    expect(await silence).toEqual([null]);
  });

  test('are heard of a stream that entered on a router of its own numbering', async () => {
    const room = await start({ workers: 2, maxConsumersPerRouter: 1 });
    const filler = await publishPcmu(room, 11_101, 'filler', 127);
    await subscribe(room, filler.producer);
    const far = await publishPcmu(room, 11_102, 'far', 30);
    await room.observeAudio(far.producer);
    const [levels] = (await once(room.events, 'levelsMeasured')) as [unknown[]];
    expect(levels).toEqual([{ producerId: far.producer.id, levelDbov: -30 }]);
  });
});
