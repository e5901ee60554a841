import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { FakeMedia } from '#test/support/fake-media.ts';
import { joinAndPublish, someRooms } from '#test/support/some-room.ts';
import { Analyses } from './analyses.ts';
import type { Analysis } from './analysis.ts';
import { GatewayError } from './errors.ts';
import { viewsOf } from './room-views.ts';
import type { ViewPort } from './view-port.ts';

const settings = {
  ...{ name: 'Look', source: { kind: 'participant', participant: 'alice' } as const, framerateHz: 5 },
  detectors: { black: { minDurationMs: 2_000, darkness: 0.1, share: 0.98 } },
};

async function setting() {
  const { rooms, store, log } = someRooms();
  const media = new FakeMedia();
  const views = { settingsOf: viewsOf } as Partial<ViewPort> as ViewPort;
  const create = () => Analyses.create({ store, rooms, media, views, log, maxPerRoom: 2 });
  const analyses = await create();
  const { record } = await rooms.create({ name: 'demo' });
  const told: string[] = [];
  analyses.events.on('detected', (_, { detector, sinceMs }) => told.push(`${detector} since ${sinceMs}`));
  analyses.events.on('cleared', (_, { detector }, endedAtMs, why) => {
    told.push(`${detector} until ${why ?? endedAtMs}`);
  });
  return { rooms, media, store, analyses, create, roomId: record.id, told };
}

/** The state as it is, or as it comes to be. */
async function reached(one: Analysis, state: Analysis['status']['state']): Promise<void> {
  while (one.status.state !== state) await new Promise((resolve) => one.events.once('changed', resolve));
}

test('it waits for somebody to come, runs while somebody is there, and lets the room close', async () => {
  const { rooms, media, analyses, roomId } = await setting();
  const one = await analyses.start(roomId, settings);
  assert.deepEqual([one.status.state, media.jobs.size], ['waiting', 0]);
  const room = await rooms.open('demo');
  const { participant } = await joinAndPublish(room, 'alice');
  await reached(one, 'starting');
  while (!one.egress) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    media.started.map(({ spec }) => spec),
    [{ kind: 'analytics', hasPictures: true, hasSound: false }],
  );
  const [sink] = one.egress.sinks.values();
  assert.equal(sink?.spec.type, 'analyse');
  sink?.note({ state: 'live', reason: 'media_flowing', message: 'It is looked at.' });
  assert.equal(one.status.state, 'live');
  await participant.close('peer_left');
  await reached(one, 'waiting');
  while (room.participants.size > 0) await new Promise((resolve) => setImmediate(resolve));
  await analyses.close();
  await rooms.close();
});

test('what is found is told once, and is over when its worker is lost', async () => {
  const { rooms, analyses, roomId, told } = await setting();
  await joinAndPublish(await rooms.open('demo'), 'alice');
  const one = await analyses.start(roomId, settings);
  const [sink] = one.egress?.sinks.values() ?? [];
  assert.ok(sink);
  const tell = (phase: 'begun' | 'over', atMs: number) =>
    sink.events.emit('analysed', [{ detector: 'black', phase, atMs, values: {} }], { motion: 3 });
  tell('begun', 1_000);
  tell('begun', 1_500);
  assert.deepEqual([one.findings.map(({ detector }) => detector), one.levels], [['black'], { motion: 3 }]);
  tell('over', 2_000);
  tell('over', 2_500);
  tell('begun', 3_000);
  sink.note({ state: 'reconnecting', reason: 'worker_lost', message: 'Its media worker died.' });
  assert.deepEqual([one.status.state, one.findings, one.levels], ['reconnecting', [], {}]);
  assert.deepEqual(told, ['black since 1000', 'black until 2000', 'black since 3000', 'black until interrupted']);
  await analyses.delete(roomId, one.record.id);
  assert.deepEqual(analyses.of(roomId), []);
  await rooms.close();
});

test('what no worker has room for is refused and not kept; what was allowed is there after the next start', async () => {
  const { rooms, media, analyses, create, roomId } = await setting();
  await joinAndPublish(await rooms.open('demo'), 'alice');
  const { startJob } = media;
  media.startJob = () => Promise.reject(new GatewayError('overloaded', 'No room.'));
  await assert.rejects(analyses.start(roomId, settings), { code: 'overloaded' });
  assert.deepEqual(analyses.of(roomId), []);
  media.startJob = startJob;
  const one = await analyses.start(roomId, settings);
  await analyses.close();
  const again = await create();
  assert.deepEqual(
    again.of(roomId).map(({ record }) => record),
    [one.record],
  );
  await rooms.delete(roomId);
  while (again.of(roomId).length > 0) await new Promise((resolve) => setImmediate(resolve));
  await again.close();
  await rooms.close();
});

test('a room that is deleted while an analysis of it is written leaves none behind', async () => {
  const { rooms, store, analyses, roomId } = await setting();
  const put = store.put.bind(store);
  store.put = async (...given: Parameters<typeof put>) => {
    const written = await put(...given);
    if (given[0] === 'analytics') await rooms.delete(roomId);
    return written as never;
  };
  await assert.rejects(analyses.start(roomId, settings), { code: 'not_found' });
  assert.deepEqual([analyses.of(roomId), await store.list('analytics')], [[], []]);
  await analyses.close();
  await rooms.close();
});

test('it runs in the room that is opened after one that closed while it was looked at', async () => {
  const { rooms, analyses, roomId } = await setting();
  const one = await analyses.start(roomId, settings);
  const before = await rooms.open('demo');
  await joinAndPublish(before, 'alice');
  while (!one.egress) await new Promise((resolve) => setImmediate(resolve));
  const gone = before.close();
  await one.review();
  await gone;
  assert.equal(one.status.state, 'waiting');
  await joinAndPublish(await rooms.open('demo'), 'alice');
  while (!one.egress) await new Promise((resolve) => setImmediate(resolve));
  assert.notEqual(one.egress.room, before);
  await analyses.close();
  await rooms.close();
});

test('nothing to look for, pictures of a mix, a view that is not there and one too many are refused', async () => {
  const { rooms, analyses, roomId } = await setting();
  const refusal = (change: object, code: string) =>
    assert.rejects(analyses.start(roomId, { ...settings, ...change }), { code });
  await refusal({ detectors: {} }, 'unprocessable');
  await refusal({ source: { kind: 'mix' } }, 'unprocessable');
  await refusal({ source: { kind: 'view', view: 'none' } }, 'unprocessable');
  for (const _ of [1, 2]) await analyses.start(roomId, settings);
  await refusal({}, 'limit_reached');
  analyses.drain();
  await refusal({}, 'draining');
  await analyses.close();
  await rooms.close();
});
