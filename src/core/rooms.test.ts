import { afterEach, expect, test, vi } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** As a process leaves it that was killed between the claim on a name and the room's record. */
async function withAbandonedClaim() {
  const parts = someRooms();
  await parts.store.put('room-names', 'demo', { roomId: 'RM_neverwritten' }, 0);
  return parts;
}

const inAMinute = () => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });

test('a name that a killed process had claimed for no room is free again after a moment', async () => {
  const { rooms } = await withAbandonedClaim();
  await expect(rooms.create({ name: 'Demo' })).rejects.toMatchObject({ code: 'conflict' });
  inAMinute();
  const { record } = await rooms.create({ name: 'Demo' });
  expect((await rooms.get('demo')).record.id).toBe(record.id);
});

test('of several that want an abandoned name at once, one gets it', async () => {
  const { rooms } = await withAbandonedClaim();
  inAMinute();
  const settled = await Promise.allSettled(Array.from({ length: 5 }, () => rooms.create({ name: 'demo' })));
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const one of settled) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'conflict' });
  expect(await rooms.list()).toHaveLength(1);
});

test('the name of a room that is there stays taken however old it is, also for renaming', async () => {
  const { rooms } = someRooms();
  await rooms.create({ name: 'demo' });
  await rooms.create({ name: 'other' });
  inAMinute();
  await expect(rooms.create({ name: 'DEMO' })).rejects.toMatchObject({ code: 'conflict' });
  await expect(rooms.update('other', { name: 'demo' })).rejects.toMatchObject({ code: 'conflict' });
});
