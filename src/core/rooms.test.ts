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

test('a room that was read is found as it is now: changed, renamed and deleted', async () => {
  const { rooms } = someRooms();
  const { record } = await rooms.create({ name: 'demo' });
  await Promise.all([rooms.find('demo'), rooms.find(record.id)]);
  await rooms.update(record.id, { displayName: 'New' });
  expect(await rooms.get('demo')).toMatchObject({ record: { displayName: 'New' }, revision: 2 });
  await rooms.update(record.id, { name: 'other' });
  expect(await rooms.find('demo')).toBeUndefined();
  expect((await rooms.get('OTHER')).record.id).toBe(record.id);
  await rooms.delete('other');
  for (const name of ['other', 'OTHER', record.id]) expect(await rooms.find(name)).toBeUndefined();
});

test('what was asked for before a change and answered after it is not kept', async () => {
  const { rooms, store } = someRooms();
  const { record } = await rooms.create({ name: 'demo' });
  const get = store.get.bind(store);
  const gate = Promise.withResolvers<void>();
  store.get = async (collection, id) => {
    const found = await get(collection, id);
    if (id === record.id) await gate.promise;
    return found as never;
  };
  const early = rooms.find('demo');
  await new Promise((wake) => setImmediate(wake));
  store.get = get;
  await rooms.update(record.id, { displayName: 'New' });
  // Another reading begins before the early one is answered, of something else.
  await rooms.find('elsewhere');
  gate.resolve();
  expect((await early)?.record.displayName).not.toBe('New');
  expect((await rooms.get('demo')).record.displayName).toBe('New');
});

test('all rooms are read a page at a time, with what else there is to do in between', async () => {
  const { rooms, store } = someRooms();
  const { record } = await rooms.create({ name: 'first' });
  const more = Array.from({ length: 350 }, (_, n) => ({ id: `RM_${n}`, value: { ...record, id: `RM_${n}` } }));
  await store.putAll('rooms', more);
  let turns = 0;
  const turn = () => {
    turns += 1;
    timer = setImmediate(turn);
  };
  let timer = setImmediate(turn);
  let count = 0;
  for await (const _ of rooms.all()) count += 1;
  clearImmediate(timer);
  expect([count, turns]).toEqual([351, 3]);
});
