import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import { someViews } from '#test/support/some-views.ts';
import { tapViews } from './view-taps.ts';

test('a view that is made, changed and taken away is told of once, and what leaves views alone is not', async () => {
  const { rooms, store, log } = someRooms();
  const views = someViews({ rooms, store, log });
  const told: string[] = [];
  tapViews(rooms, views, {
    emit: (type, { name, transitionMs }, room) => told.push([type, room?.name, name, transitionMs ?? ''].join(' ')),
  });
  const { record } = await rooms.create({ name: 'demo' });
  await rooms.update('demo', { displayName: 'Demo' });
  await views.ofRooms.change(record.id, 'common', { transitionMs: 300 });
  await views.ofRooms.change(record.id, 'common', { transitionMs: 300 });
  await views.ofRooms.create(record.id, { name: 'wide' });
  await views.ofRooms.delete(record.id, 'common');
  assert.deepEqual(told, ['view.updated demo common 300', 'view.created demo wide 0', 'view.deleted demo common ']);
});
