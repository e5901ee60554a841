import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { Ingress } from '#core/ingress.ts';
import type { MediaWorkerInfo, SfuProducer, SfuWebRtcTransport, StreamStats, TransportStats } from '#core/ports.ts';
import { FakeMedia } from '#test/support/fake-media.ts';
import { joinAndPublish, someRooms } from '#test/support/some-room.ts';
import { Metrics } from './metrics.ts';

/** Value of one series, as written. */
function value(text: string, series: string): string | undefined {
  return text
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1);
}

const stream: StreamStats = {
  ssrc: 1,
  mimeType: 'audio/opus',
  bitrateBps: 64_000,
  byteCount: 1_000,
  packetCount: 50,
  packetsLost: 0,
  fractionLost: 0,
  jitterMs: 0,
  roundTripTimeMs: undefined,
  nackCount: 0,
  pliCount: 0,
  firCount: 0,
  score: 10,
};

const answersStats = (target: SfuProducer, stats: Partial<StreamStats>) =>
  Object.assign(target, { getStats: async () => [{ ...stream, ...stats }] });

const carries = (target: SfuWebRtcTransport, byteCountSent: number, byteCountReceived: number) =>
  Object.assign(target, { getStats: async () => ({ byteCountSent, byteCountReceived }) as TransportStats });

test('rooms, participants and tracks are counted as they are at the scrape', async () => {
  const { rooms, sfu, log } = someRooms();
  const metrics = new Metrics({ rooms, sfu, log });
  const scrape = async () => {
    const text = await metrics.render();
    return ['rooms', 'participants', 'audio_tracks', 'video_tracks'].map((what) => value(text, `webrtc_${what}_total`));
  };
  assert.deepEqual(await scrape(), ['0', '0', '0', '0']);
  const room = await rooms.open((await rooms.create({ name: 'demo' })).record.id);
  const { participant, video } = await joinAndPublish(room, 'alice');
  await joinAndPublish(room, 'bob');
  assert.deepEqual(await scrape(), ['1', '2', '2', '2']);
  await video.close();
  await participant.close('peer_left');
  assert.deepEqual(await scrape(), ['1', '1', '1', '1']);
  const text = await metrics.render();
  assert.equal(value(text, 'switchyard_joins_total{kind="webrtc"}'), '2');
  assert.equal(value(text, 'switchyard_leaves_total{kind="webrtc",reason="peer_left"}'), '1');
  await rooms.close();
  assert.deepEqual(await scrape(), ['0', '0', '0', '0']);
});

test('bytes grow by what each transport carried since it was last asked', async () => {
  const { rooms, sfu, log } = someRooms();
  const metrics = new Metrics({ rooms, sfu, log, cacheMs: 0 });
  const room = await rooms.open((await rooms.create({ name: 'demo' })).record.id);
  const alice = await joinAndPublish(room, 'alice');
  const bob = await joinAndPublish(room, 'bob');
  const scrape = async () => {
    const text = await metrics.render();
    return ['in', 'out'].map((direction) => value(text, `webrtc_bandwidth_usage_bytes{direction="${direction}"}`));
  };
  carries(alice.transport, 1_000, 10);
  carries(bob.transport, 500, 20);
  assert.deepEqual(await scrape(), ['30', '1500']);
  assert.deepEqual(await scrape(), ['30', '1500']);
  carries(alice.transport, 1_100, 15);
  assert.deepEqual(await scrape(), ['35', '1600']);
  await alice.participant.close();
  assert.deepEqual(await scrape(), ['35', '1600']);
});

test('loss and jitter are means over the streams that flow', async () => {
  const { rooms, sfu, log } = someRooms();
  const metrics = new Metrics({ rooms, sfu, log });
  const room = await rooms.open((await rooms.create({ name: 'demo' })).record.id);
  const alice = await joinAndPublish(room, 'alice');
  answersStats(alice.audio.producer, { fractionLost: 0.1, jitterMs: 10 });
  answersStats(alice.video.producer, { fractionLost: 0.3, jitterMs: 30 });
  const bob = await joinAndPublish(room, 'bob');
  answersStats(bob.audio.producer, { fractionLost: 1, jitterMs: 500, bitrateBps: 0 });
  const text = await metrics.render();
  assert.equal(Number(value(text, 'webrtc_packet_loss_rate{direction="in"}')).toFixed(6), '0.200000');
  assert.equal(value(text, 'webrtc_packet_loss_rate{direction="out"}'), '0');
  assert.equal(value(text, 'webrtc_jitter_ms'), '20');
});

test('scrapes in quick succession measure media once, and a busy node a few hundred streams at a time', async () => {
  const { rooms, sfu, log } = someRooms();
  let questions = 0;
  const room = await rooms.open((await rooms.create({ name: 'demo' })).record.id);
  for (let i = 0; i < 700; i++) {
    const { transport } = await joinAndPublish(room, `user-${i}`);
    Object.assign(transport, {
      getStats: async () => {
        questions++;
        return { byteCountSent: 1, byteCountReceived: 2 };
      },
    });
  }
  const calm = new Metrics({ rooms, sfu, log, cacheMs: 60_000 });
  await Promise.all([calm.render(), calm.render()]);
  await calm.render();
  assert.equal(questions, 300);

  questions = 0;
  const eager = new Metrics({ rooms, sfu, log, cacheMs: 0 });
  for (let i = 0; i < 3; i++) await eager.render();
  assert.equal(questions, 700);
  assert.equal(value(await eager.render(), 'webrtc_bandwidth_usage_bytes{direction="out"}'), '700');
});

test('an SFU that fails or does not answer costs the media part of a scrape, not the scrape', async () => {
  const { rooms, log } = someRooms();
  const room = await rooms.open((await rooms.create({ name: 'demo' })).record.id);
  const alice = await joinAndPublish(room, 'alice');
  Object.assign(alice.transport, { getStats: () => Promise.reject(new Error('gone')) });
  Object.assign(alice.audio.producer, {
    getStats: () => {
      throw new Error('gone at once');
    },
  });
  Object.assign(alice.video.producer, { getStats: () => new Promise(() => undefined) });
  const metrics = new Metrics({ rooms, log, sfu: { describeWorkers: () => new Promise(() => undefined) } });
  const text = await metrics.render();
  assert.equal(value(text, 'webrtc_participants_total'), '1');
  assert.ok(log.lines.some(({ message }) => message === 'SFU workers not measured'));
});

test('workers are shown by place, and those that are gone vanish', async () => {
  const { rooms, log } = someRooms();
  let workers = [
    { pid: 10, rooms: 1, consumers: 5, cpuMs: 1_500, maxRssBytes: 9_000_000, restarts: 0 },
    { pid: 11, rooms: 0, consumers: 0, cpuMs: 10, maxRssBytes: 8_000_000, restarts: 2 },
  ];
  const metrics = new Metrics({ rooms, log, cacheMs: 0, sfu: { describeWorkers: async () => workers } });
  const before = await metrics.render();
  assert.equal(value(before, 'switchyard_sfu_worker_cpu_seconds_total{worker="0"}'), '1.5');
  assert.equal(value(before, 'switchyard_sfu_worker_max_rss_bytes{worker="1"}'), '8000000');
  assert.equal(value(before, 'switchyard_sfu_worker_restarts_total{worker="1"}'), '2');
  workers = workers.slice(0, 1);
  assert.equal(value(await metrics.render(), 'switchyard_sfu_worker_restarts_total{worker="1"}'), undefined);
});

test('what other parts count is there, with blame from the error table', async () => {
  const { rooms, sfu, log } = someRooms();
  const { counters, ...metrics } = new Metrics({ rooms, sfu, log });
  counters.failed('forbidden');
  counters.failed('media_lost');
  counters.connectionOpened();
  counters.connectionOpened();
  counters.connectionClosed();
  counters.httpAnswered({ method: 'GET', route: '/api/rooms', status: 200, durationMs: 3 });
  counters.httpAnswered({ method: 'BREW', route: 'other', status: 405, durationMs: 1 });
  const text = await metrics.registry.metrics();
  assert.equal(value(text, 'switchyard_errors_total{code="forbidden",blame="client"}'), '1');
  assert.equal(value(text, 'switchyard_errors_total{code="media_lost",blame="server"}'), '1');
  assert.equal(value(text, 'switchyard_ws_connections'), '1');
  assert.equal(value(text, 'switchyard_ws_connections_total'), '2');
  assert.equal(value(text, 'switchyard_http_requests_total{method="GET",route="/api/rooms",status="200"}'), '1');
  assert.equal(value(text, 'switchyard_http_requests_total{method="other",route="other",status="405"}'), '1');
});

test('process metrics are there: CPU, memory, event loop delay', async () => {
  const { rooms, sfu, log } = someRooms();
  const text = await new Metrics({ rooms, sfu, log }).render();
  assert.ok(Number(value(text, 'process_cpu_seconds_total')) > 0);
  assert.ok(Number(value(text, 'process_resident_memory_bytes')) > 1e6);
  assert.match(text, /switchyard_event_loop_delay_seconds\{quantile="0\.99"\} [\d.e-]+/);
});

test('jobs and media workers are shown, and those that are gone are not', async () => {
  const { rooms, sfu, log } = someRooms();
  const media = new FakeMedia();
  const room = await rooms.create({ name: 'one' }).then(() => rooms.open('one'));
  const spec = {
    kind: 'ingress',
    source: { via: 'fed' },
    audio: 'auto',
    video: 'auto',
    videoCodec: 'auto',
    stallTimeoutMs: 1_000,
  } as const;
  const ingress = await Ingress.start({ room, media, spec, user: 'obs', displayName: 'OBS', log });
  const mixLateness = { p50Ms: 2, p99Ms: 9 };
  const load = { costMsPerS: 40, cpuMs: 1_500, rssBytes: 1e8, eventLoopDelayP99Ms: 12, mixLateness };
  const worker: MediaWorkerInfo = { pid: 77, state: 'ready', jobs: 1, rtpPort: 40_000, ...load };
  const metrics = new Metrics({ rooms, sfu, log, media: { jobs: media.jobs, describeWorkers: () => [worker] } });
  const text = await metrics.render();
  assert.match(text, /switchyard_jobs\{kind="ingress",state="starting"\} 1/);
  assert.match(text, /switchyard_media_worker_jobs\{pid="77",state="ready"\} 1/);
  assert.match(text, /switchyard_media_worker_cpu_seconds_total\{pid="77"\} 1.5/);
  assert.match(text, /switchyard_mix_lateness_seconds\{pid="77",quantile="0.99"\} 0.009/);
  await ingress.close();
  assert.doesNotMatch(await metrics.render(), /switchyard_jobs\{/);
  await rooms.close();
});
