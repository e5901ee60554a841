import { strict as assert } from 'node:assert';
import { tmpdir } from 'node:os';
import { test } from 'vitest';
import type { LoadStep } from '#core/load-breaker.ts';
import { someRooms } from '#test/support/some-room.ts';
import { Health, type HealthOptions } from './health.ts';

function someHealth(options: Partial<HealthOptions> = {}) {
  const { store } = someRooms();
  return new Health({ sfu: { problems: () => [] }, store, dataFolder: tmpdir(), minFreeBytes: 1, ...options });
}

test('a sound node is alive and ready', async () => {
  const health = someHealth();
  assert.equal(health.live().status, 'ok');
  assert.deepEqual(await health.ready(), { isReady: true, problems: [], load: { shedding: [], reason: '' } });
});

test('draining ends readiness at once, with its reason, and not liveness', async () => {
  const health = someHealth();
  await health.ready();
  health.drain();
  const { isReady, problems } = await health.ready();
  assert.equal(isReady, false);
  assert.deepEqual(
    problems.map(({ part }) => part),
    ['server'],
  );
  assert.equal(health.live().status, 'ok');
  assert.equal(health.isDraining, true);
});

test('each part says what is wrong with it', async () => {
  const { store } = someRooms();
  await store.close();
  const health = someHealth({
    sfu: { problems: () => ['Worker 1 is restarting.', 'Worker 2 is restarting.'] },
    store,
    minFreeBytes: Number.MAX_SAFE_INTEGER,
    checkTimeoutMs: 20,
  });
  health.addCheck('nats', () => new Promise(() => undefined));
  health.addCheck('sip', () => Promise.reject(new Error('registrar is gone')));
  const { isReady, problems } = await health.ready();
  assert.equal(isReady, false);
  assert.deepEqual(problems.slice(0, 3), [
    { part: 'sfu', message: 'Worker 1 is restarting.' },
    { part: 'sfu', message: 'Worker 2 is restarting.' },
    { part: 'store', message: 'The store has closed.' },
  ]);
  assert.match(problems[3]?.message ?? '', /^Disk nearly full: \d+ MB free/);
  assert.deepEqual(problems.slice(4), [
    { part: 'nats', message: 'Did not answer in time.' },
    { part: 'sip', message: 'registrar is gone' },
  ]);
});

test('a data folder that is gone is a problem, not a crash', async () => {
  const { problems } = await someHealth({ dataFolder: '/nonexistent/folder' }).ready();
  assert.equal(problems[0]?.part, 'disk');
});

test('many that ask at once cost one check', async () => {
  let asked = 0;
  const health = someHealth({
    sfu: {
      problems: () => {
        asked++;
        return [];
      },
    },
  });
  await Promise.all(Array.from({ length: 50 }, () => health.ready()));
  assert.equal(asked, 1);
});

test('with no new jobs it is ready and says so; with no new joins it is not, and says why', async () => {
  const load = { state: { shedding: ['jobs'] as readonly LoadStep[], reason: 'CPU 97 % of its cores' } };
  const health = someHealth({ load });
  const withoutJobs = await health.ready();
  assert.deepEqual(withoutJobs, { isReady: true, problems: [], load: load.state });
  load.state = { ...load.state, shedding: ['jobs', 'joins', 'layers'] };
  // At once, whatever else is kept for a second.
  const { isReady, problems } = await health.ready();
  assert.equal(isReady, false);
  assert.deepEqual(problems, [
    {
      part: 'load',
      message:
        'Overloaded: takes no new jobs and participants. Video is sent in its lowest layer. CPU 97 % of its cores.',
    },
  ]);
});
