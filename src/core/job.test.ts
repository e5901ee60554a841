import { expect, test } from 'vitest';
import { canMove, Job, type JobChange, type JobState } from './job.ts';

const states: readonly JobState[] = ['starting', 'live', 'stalled', 'reconnecting', 'ended', 'failed'];

function newJob(): Job {
  return new Job(
    {
      kind: 'ingress',
      source: { via: 'fed' },
      audio: 'auto',
      video: 'auto',
      videoCodec: 'auto',
      stallTimeoutMs: 3_000,
    },
    { costMsPerS: 30 },
  );
}

test('nothing leaves ended or failed, and nothing goes back to starting', () => {
  for (const state of states) {
    expect(canMove('ended', state)).toBe(false);
    expect(canMove('failed', state)).toBe(false);
    expect(canMove(state, 'starting')).toBe(false);
    expect(canMove(state, state)).toBe(false);
  }
  for (const state of ['starting', 'live', 'stalled', 'reconnecting'] as const) {
    expect(canMove(state, 'ended')).toBe(true);
    expect(canMove(state, 'failed')).toBe(true);
  }
});

test('a job tells every change with its reason, and closes when it fails', async () => {
  const job = newJob();
  const changes: JobChange[] = [];
  job.events.on('changed', (change) => changes.push(change));
  job.move('live', 'media_flowing', 'Pictures arrive.');
  job.move('stalled', 'source_silent', 'Nothing for 3 s.');
  job.move('reconnecting', 'source_lost', 'The camera closed the connection.');
  job.move('failed', 'source_refused', 'Wrong password.');
  expect(changes.map((change) => `${change.state} ${change.reason}`)).toEqual([
    'live media_flowing',
    'stalled source_silent',
    'reconnecting source_lost',
    'failed source_refused',
  ]);
  expect(await job.done).toBe('failed');
});

test('a late report of a worker does not move a job that is over', async () => {
  const job = newJob();
  await job.close('requested');
  expect(job.info).toMatchObject({ state: 'ended', reason: 'stopped' });
  expect(job.move('live', 'media_flowing', 'late')).toBe(false);
  expect(job.state).toBe('ended');
});

test('whenLive() rejects with the reason of the failure', async () => {
  const job = newJob();
  const live = job.whenLive();
  job.move('failed', 'start_timeout', 'The camera sent no picture within 10 s.');
  await expect(live).rejects.toMatchObject({ code: 'timeout', message: 'The camera sent no picture within 10 s.' });
});

test('whenLive() goes through reconnecting, and holds for a job that is live already', async () => {
  const job = newJob();
  const live = job.whenLive();
  job.move('reconnecting', 'worker_lost', 'Its process died.');
  job.move('live', 'media_flowing', 'Pictures arrive.');
  await live;
  await job.whenLive();
});

test('whenLive() rejects when the job is stopped first', async () => {
  const job = newJob();
  const live = job.whenLive();
  void job.close('requested');
  await expect(live).rejects.toMatchObject({ code: 'closed' });
});
