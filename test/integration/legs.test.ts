import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import type { Leg } from '#core/leg.ts';
import type { LegParameters } from '#core/leg-media.ts';
import type { Room } from '#core/room.ts';
import { Phones } from '#jobs/phones.ts';
import { MediaPool } from '#jobs/pool.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { noiseType, type PhoneOptions, PhonePeer } from '#test/support/phone-peer.ts';
import { someRooms } from '#test/support/some-room.ts';
import { level, usualLevel } from '#test/support/tone.ts';

const log = new KeepingLog();
const config = configSchema.parse({
  rtp: { firstPort: 29_500, lastPort: 29_799, listenAddress: '127.0.0.1', timeoutMs: 800 },
});
let sfu: Sfu;
let pool: MediaPool;
let phones: Phones;
let stack: ReturnType<typeof someRooms<Sfu>>;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
  pool = new MediaPool({ config: { ...config.media, workers: 2 }, log });
  phones = new Phones({ media: pool, rtp: config.rtp, mix: config.mix, log });
  stack = someRooms({ sfu });
  await stack.rooms.create({ name: 'legs' });
  room = await stack.rooms.open('legs');
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

async function call(options: PhoneOptions, change: Partial<LegParameters> = {}, isIn = true) {
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

const happens = (leg: Leg, name: 'timedOut' | 'resumed' | 'latched' | 'restarted' | 'statsChanged') =>
  new Promise<unknown>((resolve) => leg.events.once(name, (...args: unknown[]) => resolve(args[0])));

test.each(['pcmu', 'opus'] as const)(
  '%s: keys are heard once each, before and after the room is entered, and sent',
  async (codec) => {
    const { phone, leg } = await call({ codec, toneHz: 440 }, {}, false);
    const digits: string[] = [];
    const all = new Promise<void>((resolve) => {
      leg.events.on('dtmfReceived', (digit) => {
        digits.push(digit);
        if (digits.length === 6) resolve();
      });
    });
    await phone.hear(200);
    phone.press('1122*#', 100);
    await all;
    expect(digits.join('')).toBe('1122*#');
    leg.sendDtmf('90#', { durationMs: 100 });
    await phone.until(({ digits: heard }) => heard.length === 3);
    expect(phone.digits.join('')).toBe('90#');
    await phone.hear(100);
  },
);

test('a phone behind a translator is sent to where it really is; after that nobody else is heard', async () => {
  const { phone, leg } = await call(
    { codec: 'pcmu', toneHz: 440 },
    { remoteAddress: '127.0.0.9', remotePort: 9 },
    false,
  );
  const latched = await happens(leg, 'latched');
  expect(latched).toMatchObject({ address: '127.0.0.1', port: phone.parameters().remotePort });
  await phone.hear(800);
  const before = (await happens(leg, 'statsChanged')) as { packetsReceived: number };
  const intruder = createSocket('udp4');
  intruder.bind(0, '127.0.0.1');
  await once(intruder, 'listening');
  opened.push(intruder);
  let isLatchedAgain = false;
  leg.events.on('latched', () => (isLatchedAgain = true));
  const forged = Buffer.alloc(172);
  forged[0] = 0x80;
  for (let i = 0; i < 50; i++) intruder.send(forged, leg.localPort, '127.0.0.1');
  await phone.hear(400);
  expect(isLatchedAgain).toBe(false);
  expect(before.packetsReceived).toBeGreaterThan(10);
  // Anew with each negotiation: a phone that moved is found again.
  const moved = await PhonePeer.open({ codec: 'pcmu', toneHz: 440 });
  opened.push(moved);
  phone.stopTalking();
  leg.negotiate(moved.parameters());
  moved.talkTo(leg.localPort);
  expect(await happens(leg, 'latched')).toMatchObject({ port: moved.parameters().remotePort });
  await moved.hear(200);
});

test('silence is noticed where the phone is to send, not on hold and not where it may be silent', async () => {
  const { phone, leg } = await call({ codec: 'pcmu', toneHz: 440 }, {}, false);
  const held = await call({ codec: 'pcmu', toneHz: 440 }, {}, false);
  const listening = await call({ codec: 'pcmu', toneHz: 440 }, { direction: 'sendonly' }, false);
  let wrong = 0;
  for (const one of [held, listening]) one.leg.events.on('timedOut', () => (wrong += 1));
  held.leg.setHold(true);
  await phone.hear(200);
  const timedOut = happens(leg, 'timedOut');
  for (const one of [phone, held.phone, listening.phone]) one.stopTalking();
  await timedOut;
  await phone.hear(1_000);
  expect(wrong).toBe(0);
  const resumed = happens(leg, 'resumed');
  phone.talkTo(leg.localPort);
  await resumed;
});

test('silence goes as comfort noise where that was agreed, and sound as sound', async () => {
  const { phone } = await call({ codec: 'pcma', toneHz: 0, hasNoise: true });
  await phone.until(({ packets }) => packets.filter(({ payloadType }) => payloadType === noiseType).length >= 3);
  const speaker = await call({ codec: 'opus', toneHz: 440 });
  await phone.hear(1_000);
  expect(Math.abs(usualLevel(phone.samples.subarray(-4_000), 440, 8_000) + 10)).toBeLessThan(2);
  speaker.phone.toneHz = 0;
  phone.forget();
  await phone.until(({ packets }) => packets.filter(({ payloadType }) => payloadType === noiseType).length >= 3);
});

test('hold plays music to the held phone alone', async () => {
  const held = await call({ codec: 'pcmu', toneHz: 0 });
  const other = await call({ codec: 'pcmu', toneHz: 0 });
  await held.phone.hear(300);
  held.leg.setHold(true);
  await held.phone.hear(500);
  expect(level(await held.phone.hear(1_000))).toBeGreaterThan(-45);
  expect(level(await other.phone.hear(500))).toBeLessThan(-60);
  held.leg.setHold(false);
  await held.phone.hear(500);
  expect(level(await held.phone.hear(500))).toBeLessThan(-60);
});

test('the music of a phone that holds us stays out of the room, and its silence is no loss', async () => {
  const holder = await call({ codec: 'pcmu', toneHz: 440 });
  const other = await call({ codec: 'opus', toneHz: 0 });
  const hears = (hz: number) => usualLevel(other.phone.samples.subarray(-9_600), hz, 48_000) > -20;
  await other.phone.until(() => hears(440));
  let wasSilent = false;
  holder.leg.events.on('timedOut', () => (wasSilent = true));
  for (const direction of ['recvonly', 'inactive'] as const) {
    holder.leg.negotiate(holder.phone.parameters({ direction }));
    await other.phone.hear(500);
    expect(usualLevel(await other.phone.hear(500), 440, 48_000)).toBeLessThan(-60);
  }
  holder.leg.negotiate(holder.phone.parameters({ direction: 'recvonly' }));
  holder.phone.stopTalking();
  // Three times what would be too long.
  await other.phone.hear(2_500);
  expect(wasSilent).toBe(false);
  holder.leg.negotiate(holder.phone.parameters());
  holder.phone.talkTo(holder.leg.localPort);
  await other.phone.until(() => hears(440));
});

test('prompts are heard in each language, to their end or until stopped', async () => {
  const { phone, leg } = await call({ codec: 'opus', toneHz: 0 }, {}, false);
  await phone.hear(200);
  for (const language of ['en', 'es', 'zh'] as const) {
    leg.setLanguage(language);
    phone.forget();
    expect(await leg.play(['enter_pin'])).toBe(true);
    expect(level(phone.samples)).toBeGreaterThan(-40);
    expect(phone.samples.length).toBeGreaterThan(48_000 * 0.7);
  }
  const long = leg.play('hold_music', { isRepeated: true });
  await phone.hear(500);
  leg.stopPlaying();
  expect(await long).toBe(false);
  await phone.hear(300);
  expect(level(await phone.hear(300))).toBeLessThan(-60);
});

test('kill -9 of the media worker: the legs are back on their ports in under 2 s, each stream as it was', async () => {
  const key = (seed: number) => Buffer.alloc(30, seed).toString('base64');
  const srtp = { suite: 'AES_CM_128_HMAC_SHA1_80', sendKey: key(1), receiveKey: key(2) } as const;
  const one = await call({ codec: 'pcmu', toneHz: 440 });
  const two = await call({ codec: 'opus', toneHz: 1_000, srtp });
  await Promise.all([happens(one.leg, 'statsChanged'), happens(two.leg, 'statsChanged')]);
  await two.phone.hear(500);
  const ssrcs = [one, two].map(({ phone }) => phone.packets[0]?.ssrc);
  const mix = await phones.mixOf(room);
  const restarted = happens(one.leg, 'restarted');
  const killedMs = performance.now();
  process.kill(mix.job?.workerPid ?? 0, 'SIGKILL');
  await restarted;
  for (const { phone } of [one, two]) phone.forget();
  await Promise.all([one, two].map(({ phone }) => phone.until(({ packets }) => packets.length >= 25)));
  const gapMs = Math.max(...[one, two].map(({ phone }) => (phone.packets[0]?.arrivalMs ?? 0) - killedMs));
  console.log(`legs again ${gapMs.toFixed(0)} ms after the kill`);
  expect(gapMs).toBeLessThan(2_000);
  expect([one, two].map(({ phone }) => phone.packets[0]?.ssrc)).toEqual(ssrcs);
  await Promise.all([one.phone.hear(1_500), two.phone.hear(1_500)]);
  expect(Math.abs(usualLevel(one.phone.samples.subarray(-4_000), 1_000, 8_000) + 10)).toBeLessThan(2);
  expect(Math.abs(usualLevel(two.phone.samples.subarray(-24_000), 440, 48_000) + 10)).toBeLessThan(2);
});

test('ports are free again after a rest, and a port that somebody else has is passed over', async () => {
  const few = new Phones({
    media: pool,
    rtp: { ...config.rtp, firstPort: 29_900, lastPort: 29_905, restMs: 300 },
    mix: config.mix,
    log,
  });
  opened.push(few);
  const taken = createSocket('udp4');
  taken.bind(29_901, '127.0.0.1');
  await once(taken, 'listening');
  opened.push(taken);
  const first = await few.allocateLeg({ room, log });
  const second = await few.allocateLeg({ room, log });
  expect([first.localPort, second.localPort]).toEqual([29_902, 29_904]);
  await expect(few.allocateLeg({ room, log })).rejects.toMatchObject({ code: 'overloaded' });
  await first.close();
  await expect(few.allocateLeg({ room, log })).rejects.toMatchObject({ code: 'overloaded' });
});
