// Media that leaves a room: what it carries, and that it goes on whatever happens to those who make it.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { Egress } from '#core/egress.ts';
import type { EgressSinkSpec } from '#core/egress-messages.ts';
import type { EgressSource, EgressWishes } from '#core/egress-source.ts';
import { Ingress } from '#core/ingress.ts';
import type { Room } from '#core/room.ts';
import { Phones } from '#jobs/phones.ts';
import { MediaPool } from '#jobs/pool.ts';
import { Views } from '#jobs/views.ts';
import { toYuv } from '#media/mixer/backdrop.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { type CameraOptions, CameraPeer } from '#test/support/camera-peer.ts';
import type { CollectingSink } from '#test/support/collecting-sink.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { NumberedSource } from '#test/support/numbered-source.ts';
import { accessUnits, heardTone, longestGapMs, PushTarget, seenColors } from '#test/support/push-target.ts';
import { someRooms } from '#test/support/some-room.ts';
import { VoicePeer } from '#test/support/voice-peer.ts';

const log = new KeepingLog();
const config = configSchema.parse({});
const wishes: EgressWishes = {
  audio: true,
  video: 'encoded',
  request: { codec: 'h264', width: 320, height: 180, framerateHz: 15, keyFrameIntervalS: 2 },
};
let sfu: Sfu;
let pool: MediaPool;
let phones: Phones;
let views: Views;
let stack: ReturnType<typeof someRooms<Sfu>>;
let room: Room;
let target: PushTarget;
let lastRoom = 0;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
  pool = new MediaPool({ config: { ...config.media, workers: 1, maxLoadPercent: 100 }, log });
  phones = new Phones({ media: pool, rtp: config.rtp, mix: config.mix, log });
  stack = someRooms({ sfu });
  views = new Views({ ...stack, media: pool, mixOf: (of) => phones.mixOf(of), log });
  target = await PushTarget.start();
});

beforeEach(async () => {
  const { record } = await stack.rooms.create({ name: `egress${++lastRoom}` });
  room = await stack.rooms.open(record.name);
  target.sinks.length = 0;
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await room.close();
});

afterAll(async () => {
  await target.close();
  await views.close();
  await phones.close();
  await stack.rooms.close();
  await pool.close();
  await sfu.close();
});

async function camera(options: CameraOptions): Promise<CameraPeer> {
  const peer = await CameraPeer.join(room, options);
  opened.push(peer);
  return peer;
}

async function voice(name: string, toneHz: number, of?: CameraPeer): Promise<VoicePeer> {
  const peer = await VoicePeer.join(room, { name, toneHz, ...(of && { participant: of.participant }) });
  opened.push(peer);
  return peer;
}

async function start(source: EgressSource, wish: EgressWishes = wishes): Promise<Egress> {
  const egress = await Egress.start({ room, media: pool, views, source, wishes: wish, name: 'test', log });
  opened.push(egress);
  return egress;
}

function pushTo(to: PushTarget, key: string): EgressSinkSpec {
  const policy = { schemes: ['rtmp'], allow: ['127.0.0.1'] };
  return { type: 'push', protocol: 'rtmp', options: { url: to.url(key), policy }, audioCodec: 'aac' };
}

async function shows(sink: CollectingSink, color: string): Promise<void> {
  const { y, u, v } = toYuv(color);
  const isNear = (one: { y: number; u: number; v: number } | undefined) =>
    one !== undefined && Math.abs(one.y - y) < 12 && Math.abs(one.u - u) < 12 && Math.abs(one.v - v) < 12;
  await expect.poll(() => isNear(seenColors(sink).at(-1)), { timeout: 20_000, interval: 250 }).toBe(true);
}

async function sounds(sink: CollectingSink, toneHz: number, isHeard = true): Promise<void> {
  const heard = expect.poll(() => heardTone(sink, toneHz), { timeout: 20_000, interval: 250 });
  await (isHeard ? heard.toBeGreaterThan(-30) : heard.toBeLessThan(-60));
}

test('a view with the sound of everybody: H264 of one size and AAC, whoever comes and goes', async () => {
  const red = await camera({ name: 'red', color: '#c02020' });
  const tone = await voice('red', 440, red);
  const egress = await start({ kind: 'view', view: 'common' });
  egress.addSink(pushTo(target, 'view'));
  const sink = await target.connection(0);
  await shows(sink, '#c02020');
  await sounds(sink, 440);
  expect(sink.stream('video')).toMatchObject({ codec: 'h264', width: 320, height: 180 });
  expect(sink.stream('audio')).toMatchObject({ codec: 'aac' });
  await tone.publication.setMuted(true, 'owner');
  await sounds(sink, 440, false);
  const before = accessUnits(sink, 'audio').length;
  await sink.until(() => accessUnits(sink, 'audio').length > before + 50);
  await red.close();
  await shows(sink, '#000000');
  expect(longestGapMs(sink, 'audio')).toBeLessThan(30);
  expect(longestGapMs(sink, 'video')).toBeLessThan(3_000);
  expect(sink.described.filter(({ kind }) => kind === 'video')).toHaveLength(1);
  const [first] = accessUnits(sink, 'video');
  expect(first?.isKey).toBe(true);
}, 60_000);

test('a participant alone: its mute and its leaving are silence and black, never a gap', async () => {
  const blue = await camera({ name: 'blue', color: '#2020c0', codec: 'vp8' });
  const tone = await voice('blue', 600, blue);
  await voice('other', 1_000);
  const egress = await start({ kind: 'participant', participant: 'blue' });
  egress.addSink(pushTo(target, 'participant'));
  const sink = await target.connection(0);
  await shows(sink, '#2020c0');
  await sounds(sink, 600);
  expect(heardTone(sink, 1_000)).toBeLessThan(-60);
  // WebRTC changes the size all the time: what goes out stays as it is.
  blue.setSize(160, 90);
  blue.setColor('#c02020');
  await shows(sink, '#c02020');
  await tone.publication.setMuted(true, 'owner');
  await sounds(sink, 600, false);
  await blue.close();
  await shows(sink, '#000000');
  const before = accessUnits(sink, 'audio').length;
  await sink.until(() => accessUnits(sink, 'audio').length > before + 50);
  const again = await camera({ name: 'blue', color: '#20a020' });
  await voice('blue', 800, again);
  await shows(sink, '#20a020');
  await sounds(sink, 800);
  expect(sink.stream('video')).toMatchObject({ width: 320, height: 180 });
  expect(new Set(seenColors(sink).map(({ width, height }) => `${width}x${height}`))).toEqual(new Set(['320x180']));
  expect(longestGapMs(sink, 'audio')).toBeLessThan(30);
  expect(longestGapMs(sink, 'video')).toBeLessThan(3_000);
}, 90_000);

test('an encoder of others alone is passed on untouched, without a view; while it is away there is a slate', async () => {
  const sources: NumberedSource[] = [];
  const ingress = await Ingress.start({
    ...{ room, media: pool, user: 'studio', displayName: 'studio', log },
    spec: {
      kind: 'ingress',
      ...{ source: { via: 'fed' }, audio: 'auto', video: 'auto', videoCodec: 'auto', stallTimeoutMs: 1_000 },
    },
    openSource: () => {
      const source = new NumberedSource({ width: 480, height: 270, gop: 15 });
      sources.push(source);
      return source;
    },
  });
  opened.push(ingress);
  const passing: EgressWishes = { audio: true, video: 'encoded', request: { codec: 'h264', keyFrameIntervalS: 2 } };
  const egress = await start({ kind: 'participant', participant: 'studio' }, passing);
  egress.addSink(pushTo(target, 'passed'));
  const sink = await target.connection(0);
  await expect.poll(() => egress.streams, { timeout: 20_000 }).toMatchObject([{ codec: 'h264', width: 480 }]);
  await expect.poll(() => [...views.running].length, { timeout: 20_000 }).toBe(0);
  const from = accessUnits(sink, 'video').length;
  await sink.until(() => accessUnits(sink, 'video').length >= from + 20);
  expect(seenColors(sink).at(-1)).toMatchObject({ width: 480, height: 270 });
  await sounds(sink, 440);
  sources.at(-1)?.setSilent(true);
  await expect.poll(() => egress.streams, { timeout: 20_000 }).toMatchObject([{ width: 1_280 }]);
  expect([...views.running].length).toBe(1);
}, 60_000);

test('a switch to another source is live: one connection, time goes on', async () => {
  await camera({ name: 'red', color: '#c02020' });
  const green = await camera({ name: 'green', color: '#20a020' });
  await voice('green', 700, green);
  const egress = await start({ kind: 'participant', participant: 'red' });
  egress.addSink(pushTo(target, 'switch'));
  const sink = await target.connection(0);
  await shows(sink, '#c02020');
  egress.switchTo({ kind: 'participant', participant: 'green' });
  await shows(sink, '#20a020');
  await sounds(sink, 700);
  expect(target.sinks).toHaveLength(1);
  expect(longestGapMs(sink, 'audio')).toBeLessThan(30);
  expect(longestGapMs(sink, 'video')).toBeLessThan(3_000);
}, 60_000);

test('the sound of everybody alone, without pictures', async () => {
  await voice('one', 500);
  const egress = await start({ kind: 'mix' });
  egress.addSink(pushTo(target, 'mix'));
  const sink = await target.connection(0);
  await sounds(sink, 500);
  expect(sink.stream('video')).toBeUndefined();
}, 60_000);

test('a media worker that is killed: the same job goes on in the next, and the target is connected to again', async () => {
  const red = await camera({ name: 'red', color: '#c02020' });
  await voice('red', 440, red);
  const egress = await start({ kind: 'view', view: 'common' });
  const sink = egress.addSink(pushTo(target, 'killed'));
  await shows(await target.connection(0), '#c02020');
  const { id } = egress.job ?? {};
  const states: string[] = [];
  sink.events.on('changed', ({ state, reason }) => states.push(`${state} ${reason}`));
  process.kill(egress.job?.workerPid ?? 0, 'SIGKILL');
  const next = await target.connection(1);
  await shows(next, '#c02020');
  await sounds(next, 440);
  expect(egress.job?.id).toBe(id);
  expect(states.slice(0, 1)).toEqual(['reconnecting worker_lost']);
  expect(states.at(-1)).toBe('live media_flowing');
  const [first] = accessUnits(next, 'video');
  expect(first?.isKey).toBe(true);
}, 60_000);

test('a target that is away comes back by itself, and the other one notices nothing', async () => {
  const red = await camera({ name: 'red', color: '#c02020' });
  await voice('red', 440, red);
  const other = await PushTarget.start();
  opened.push(other);
  const egress = await start({ kind: 'view', view: 'common' });
  const away = egress.addSink(pushTo(other, 'away'));
  egress.addSink(pushTo(target, 'steady'));
  await shows(await other.connection(0), '#c02020');
  const steady = await target.connection(0);
  // A server that closes within two seconds of the start is taken for one that refuses.
  await steady.until(() => accessUnits(steady, 'audio').length > 150);
  const lost = vi.waitUntil(() => away.info.state === 'reconnecting', { timeout: 10_000 });
  await other.close();
  await lost;
  expect(['target_lost', 'target_unreachable']).toContain(away.info.reason);
  const before = accessUnits(steady, 'video').length;
  await steady.until(() => accessUnits(steady, 'video').length > before + 30);
  await other.listen();
  const isBackMs = performance.now();
  await shows(await other.connection(1), '#c02020');
  // Attempts are 2 s apart, a fifth more or less, and a key frame is asked for.
  expect(performance.now() - isBackMs).toBeLessThan(20_000);
  expect(away.info).toMatchObject({ state: 'live', reason: 'media_flowing' });
  expect(target.sinks).toHaveLength(1);
  expect(longestGapMs(steady, 'audio')).toBeLessThan(30);
  expect(longestGapMs(steady, 'video')).toBeLessThan(3_000);
}, 60_000);
