import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import type { Leg } from '#core/leg.ts';
import type { LegParameters } from '#core/leg-media.ts';
import type { Room } from '#core/room.ts';
import type { Publication } from '#core/track.ts';
import { Phones } from '#jobs/phones.ts';
import { MediaPool } from '#jobs/pool.ts';
import { VoiceEncoder } from '#media/av/voice-codecs.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { type PhoneOptions, PhonePeer } from '#test/support/phone-peer.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';
import { writeRtp } from '#test/support/rtp-peer.ts';
import { someRooms } from '#test/support/some-room.ts';
import { dropouts, level, usualLevel } from '#test/support/tone.ts';

const log = new KeepingLog();
const config = configSchema.parse({ rtp: { firstPort: 29_000, lastPort: 29_499, listenAddress: '127.0.0.1' } });
let sfu: Sfu;
let pool: MediaPool;
let phones: Phones;
let stack: ReturnType<typeof someRooms<Sfu>>;
let room: Room;
let lastRoom = 0;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
  pool = new MediaPool({ config: { ...config.media, workers: 2 }, log });
  phones = new Phones({ media: pool, rtp: config.rtp, mix: config.mix, log });
  stack = someRooms({ sfu });
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

afterAll(async () => {
  await phones.close();
  await stack.rooms.close();
  await pool.close();
  await sfu.close();
});

async function openRoom(): Promise<Room> {
  const { record } = await stack.rooms.create({ name: `mix${++lastRoom}` });
  room = await stack.rooms.open(record.name);
  return room;
}

/** A participant whose Opus comes by RTP, with the level that its packets claim; the tone itself is at -20 dBov. */
async function publishTone(toneHz: number, claimedDbov: number): Promise<Publication> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  opened.push(socket);
  const participant = room.join({ kind: 'webrtc', user: 'w', displayName: 'W', role: 'presenter' });
  const transport = await room.media.createPlainTransport();
  await transport.connect({ ip: '127.0.0.1', port: socket.address().port });
  const ssrc = 5_000 + toneHz;
  const publication = await participant.publish(transport, {
    kind: 'audio',
    source: 'microphone',
    rtpParameters: {
      codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 }],
      headerExtensions: [{ uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: 1 }],
      encodings: [{ ssrc }],
    },
  });
  const encoder = new VoiceEncoder({ codec: 'opus', frameMs: 20, bitrateBps: 32_000 });
  const startMs = performance.now();
  let frames = 0;
  const timer = setInterval(() => {
    for (; startMs + frames * 20 <= performance.now(); frames++) {
      const at = frames * 960;
      const samples = Int16Array.from(
        { length: 960 },
        (_, i) => 4_634 * Math.sin((2 * Math.PI * toneHz * (at + i)) / 48_000),
      );
      const payload = Buffer.alloc(1_275);
      const length = encoder.encode(samples, payload);
      const packet = { payloadType: 100, sequence: frames, timestamp: at, ssrc, payload: payload.subarray(0, length) };
      socket.send(writeRtp({ ...packet, audioLevel: -claimedDbov }), transport.localPort, transport.localAddress);
    }
  }, 5);
  opened.push({
    close: async () => {
      clearInterval(timer);
      encoder[Symbol.dispose]();
      await participant.close();
      transport.close();
    },
  });
  return publication;
}

interface Call {
  readonly phone: PhonePeer;
  readonly leg: Leg;
}

async function call(options: PhoneOptions, change: Partial<LegParameters> = {}, isIn = true): Promise<Call> {
  const phone = await PhonePeer.open(options);
  opened.push(phone);
  const leg = await phones.allocateLeg({ room, log });
  opened.push(leg);
  leg.negotiate(phone.parameters(change));
  phone.talkTo(leg.localPort);
  if (isIn) {
    const participant = room.join({ kind: 'sip', user: options.codec, displayName: options.codec, role: 'sip' });
    leg.enter(participant);
    opened.push(participant);
  }
  return { phone, leg };
}

/** How loud the tone is at the phone, after it has settled. */
async function listen({ phone }: Call, tones: readonly number[]): Promise<number[]> {
  await phone.hear(1_500);
  const samples = phone.samples.subarray(-phone.sampleRateHz);
  return tones.map((toneHz) => usualLevel(samples, toneHz, phone.sampleRateHz));
}

/**
 * Share of 20 ms in which the tone is missing, the least of a few stretches: what is wrong in the mix is wrong in all of
 * them, what a busy machine does to the phone's own clock is not.
 */
async function steadiness({ phone }: Call, toneHz: number, ms: number): Promise<number> {
  let least = 1;
  for (let attempt = 0; attempt < 4 && least > 0; attempt++) {
    const samples = await phone.hear(ms);
    least = Math.min(least, dropouts(samples, toneHz, phone.sampleRateHz));
  }
  return least;
}

test('G.711, G.722 and Opus phones hear each other at the level that was spoken, and never themselves', async () => {
  await openRoom();
  const calls = [
    await call({ codec: 'pcmu', toneHz: 440, levelDbov: -20 }),
    await call({ codec: 'g722', toneHz: 700, levelDbov: -20 }),
    await call({ codec: 'opus', toneHz: 1_000, levelDbov: -20 }),
    await call({ codec: 'pcma', toneHz: 0 }),
  ];
  const tones = [440, 700, 1_000];
  await Promise.all(calls.map(({ phone }) => phone.hear(1_000)));
  const heard = await Promise.all(calls.map((one) => listen(one, tones)));
  heard.forEach((levels, listener) => {
    levels.forEach((dbov, speaker) => {
      if (speaker === listener) expect(dbov).toBeLessThan(-60);
      else expect(Math.abs(dbov + 20)).toBeLessThan(1.5);
    });
  });
});

test('a tone comes through without a gap, at the pace of the clock, numbered without a hole', async () => {
  await openRoom();
  await call({ codec: 'opus', toneHz: 440 });
  const listener = await call({ codec: 'pcmu', toneHz: 0 });
  const { phone } = listener;
  await phone.hear(1_000);
  expect(await steadiness(listener, 440, 4_000)).toBe(0);
  const { packets } = phone;
  const steps = packets.slice(1).map((packet, i) => ({
    seq: (packet.seq - (packets[i]?.seq ?? 0)) & 0xffff,
    ticks: (packet.timestamp - (packets[i]?.timestamp ?? 0)) >>> 0,
  }));
  expect(steps.every(({ seq, ticks }) => seq === 1 && ticks === 160)).toBe(true);
  const spanMs = (packets.at(-1)?.arrivalMs ?? 0) - (packets[0]?.arrivalMs ?? 0);
  expect(Math.abs(spanMs / (packets.length - 1) - 20)).toBeLessThan(0.5);
  expect(new Set(packets.map(({ ssrc }) => ssrc)).size).toBe(1);
});

test('the room hears each phone as a stream of its own, and the mix as another', async () => {
  await openRoom();
  const one = await call({ codec: 'pcmu', toneHz: 440, levelDbov: -20 });
  const two = await call({ codec: 'opus', toneHz: 1_000, levelDbov: -20 });
  const mix = await phones.mixOf(room);
  const mixed = await mix.publishStream();
  const viewerOf = async (isWanted: () => ReturnType<typeof find>) => {
    const viewer = await RoomViewer.join(room.media);
    opened.push(viewer);
    for (;;) {
      const publication = isWanted();
      if (publication) {
        await viewer.watch(publication.producer);
        return viewer;
      }
      await new Promise((resolve) => room.events.once('publicationAdded', resolve));
    }
  };
  const find = (leg: Leg) => [...(leg.participant?.publications.values() ?? [])][0];
  const levelsOf = async (viewer: RoomViewer) => {
    await viewer.until(({ heard }) => heard.length > 100);
    const samples = Int16Array.from(viewer.heard.slice(-50).flatMap((frame) => [...frame.samples]));
    return [440, 1_000].map((toneHz) => usualLevel(samples, toneHz, 48_000));
  };
  const [first, second, both] = await Promise.all([
    viewerOf(() => find(one.leg)).then(levelsOf),
    viewerOf(() => find(two.leg)).then(levelsOf),
    viewerOf(() => mixed).then(levelsOf),
  ]);
  expect(Math.abs((first?.[0] ?? 0) + 20)).toBeLessThan(1.5);
  expect(first?.[1]).toBeLessThan(-60);
  expect(Math.abs((second?.[1] ?? 0) + 20)).toBeLessThan(1.5);
  expect(second?.[0]).toBeLessThan(-60);
  for (const dbov of both ?? []) expect(Math.abs(dbov + 20)).toBeLessThan(1.5);
  expect(room.visibleParticipants.map(({ kind }) => kind)).toEqual(['sip', 'sip']);
});

test('who speaks by WebRTC is heard on the phone, also who came before; levels in the packets decide, and mute counts', async () => {
  await openRoom();
  const before = await publishTone(700, -20);
  const { phone } = await call({ codec: 'pcmu', toneHz: 0 });
  await publishTone(1_000, -90);
  await phone.hear(1_500);
  const samples = await phone.hear(1_000);
  expect(Math.abs(usualLevel(samples, 700, 8_000) + 20)).toBeLessThan(1.5);
  // Its packets say that it is silent, so it is not even decoded.
  expect(usualLevel(samples, 1_000, 8_000)).toBeLessThan(-60);
  await before.setMuted(true, 'moderator');
  await phone.hear(800);
  expect(level(await phone.hear(500))).toBeLessThan(-60);
});

test('5 % loss and 60 ms of jitter, by Opus, G.722 and G.711: the tone is there, level within 2 dB, gaps in less than 6 % of the time', async () => {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
  const channel: PhoneOptions['channel'] = (packet, send) => {
    if (next() < 0.05) return;
    const copy = Buffer.from(packet);
    setTimeout(() => send(copy), next() * 60);
  };
  const pairs = [];
  for (const codec of ['opus', 'g722', 'pcmu', 'pcma'] as const) {
    await openRoom();
    const { leg } = await call({ codec, toneHz: 440, channel });
    pairs.push({ codec, leg, phone: (await call({ codec: 'pcmu', toneHz: 0 })).phone });
  }
  await Promise.all(pairs.map(({ phone }) => phone.hear(3_000)));
  const heard = await Promise.all(
    pairs.map(async ({ codec, leg, phone }) => {
      const samples = await phone.hear(6_000);
      const [levelDbov, gaps] = [usualLevel(samples, 440, 8_000), dropouts(samples, 440, 8_000)];
      return { codec, levelDbov, gaps, packetsLost: leg.stats?.packetsLost ?? 0 };
    }),
  );
  for (const { codec, levelDbov, gaps, packetsLost } of heard) {
    console.log(`${codec}: ${levelDbov.toFixed(1)} dBov, gaps ${(gaps * 100).toFixed(1)} %, lost ${packetsLost}`);
    expect.soft(Math.abs(levelDbov + 10), codec).toBeLessThan(2);
    expect.soft(gaps, codec).toBeLessThan(0.06);
    expect.soft(packetsLost, codec).toBeGreaterThan(5);
  }
});

test.each(['AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32', 'AEAD_AES_128_GCM'] as const)(
  '%s: heard both ways, and nothing plain is taken',
  async (suite) => {
    await openRoom();
    const key = (seed: number) => Buffer.alloc(suite === 'AEAD_AES_128_GCM' ? 28 : 30, seed).toString('base64');
    const srtp = { suite, sendKey: key(1), receiveKey: key(2) };
    const secure = await call({ codec: 'pcmu', toneHz: 440, levelDbov: -20, srtp });
    const other = await call({ codec: 'opus', toneHz: 1_000, levelDbov: -20 });
    await other.phone.hear(1_000);
    const [there, back] = await Promise.all([listen(other, [440]), listen(secure, [1_000])]);
    expect(Math.abs((there[0] ?? 0) + 20)).toBeLessThan(1.5);
    expect(Math.abs((back[0] ?? 0) + 20)).toBeLessThan(1.5);
  },
);

test.each([10, 30, 40, 60])('G.711 with packets of %d ms is heard both ways without a gap', async (ptimeMs) => {
  await openRoom();
  const odd = await call({ codec: 'pcma', toneHz: 440, ptimeMs });
  const even = await call({ codec: 'opus', toneHz: 1_000 });
  await Promise.all([odd.phone.hear(1_500), even.phone.hear(1_500)]);
  expect(await Promise.all([steadiness(even, 440, 2_000), steadiness(odd, 1_000, 2_000)])).toEqual([0, 0]);
  expect(odd.phone.packets.every(({ size }) => size === ptimeMs * 8)).toBe(true);
});

test('muted, held and not yet in the room: heard by nobody', async () => {
  await openRoom();
  const speaker = await call({ codec: 'pcmu', toneHz: 440 });
  const listener = await call({ codec: 'pcma', toneHz: 0 });
  const outside = await call({ codec: 'pcmu', toneHz: 1_000 }, {}, false);
  await listener.phone.hear(1_000);
  expect((await listen(listener, [440]))[0]).toBeGreaterThan(-12);
  expect((await listen(outside, [440]))[0]).toBeLessThan(-60);
  speaker.leg.setMuted(true);
  await listener.phone.hear(600);
  expect(level(await listener.phone.hear(500))).toBeLessThan(-60);
  speaker.leg.setMuted(false);
  speaker.leg.setHold(true);
  await listener.phone.hear(600);
  expect(level(await listener.phone.hear(500))).toBeLessThan(-60);
  speaker.leg.setHold(false);
  await listener.phone.hear(600);
  expect((await listen(listener, [440, 1_000]))[0]).toBeGreaterThan(-12);
});

test('kill -9 of the SFU worker: phones go on hearing each other, and are streams of the room again under their ids', async () => {
  await openRoom();
  const one = await call({ codec: 'pcmu', toneHz: 440, levelDbov: -20 });
  const two = await call({ codec: 'opus', toneHz: 1_000, levelDbov: -20 });
  const published = () => [...(one.leg.participant?.publications.values() ?? [])][0];
  while (!published()) await new Promise((resolve) => room.events.once('publicationAdded', resolve));
  const { id } = published() ?? {};
  const again = new Promise<Publication>((resolve) => {
    room.events.on('publicationAdded', (publication) => {
      if (publication.id === id) resolve(publication);
    });
  });
  const [worker] = await sfu.describeWorkers();
  process.kill(worker?.pid ?? 0, 'SIGKILL');
  const publication = await again;
  expect((await listen(two, [440]))[0]).toBeGreaterThan(-22);
  const viewer = await RoomViewer.join(room.media);
  opened.push(viewer);
  await viewer.watch(publication.producer);
  await viewer.until(({ heard }) => heard.length > 100);
  const samples = Int16Array.from(viewer.heard.slice(-50).flatMap((frame) => [...frame.samples]));
  expect(Math.abs(usualLevel(samples, 440, 48_000) + 20)).toBeLessThan(1.5);
  const late = await publishTone(700, -20);
  expect(late.isClosed).toBe(false);
  await one.phone.hear(1_000);
  expect(Math.abs(((await listen(one, [700]))[0] ?? 0) + 20)).toBeLessThan(1.5);
});
