import { expect, test, vi } from 'vitest';
import type { ViewCommand, ViewEvent } from '#core/view-messages.ts';
import { FakeMedia } from '#test/support/fake-media.ts';
import { plainPng } from '#test/support/png.ts';
import { joinAndPublish, someRooms } from '#test/support/some-room.ts';
import { someViews } from '#test/support/some-views.ts';

const image = plainPng(16, [200, 30, 30]);

/** @param media holds back what a test lets go */
async function viewsOfDemo(media = new FakeMedia()) {
  const stack = someRooms();
  const reads: (() => void)[] = [];
  const gate = { isShut: false };
  const { store } = stack;
  const get = store.get.bind(store);
  store.get = async <T>(collection: string, id: string) => {
    const found = await get<T>(collection, id);
    if (gate.isShut && collection === 'view-images') await new Promise<void>((resolve) => reads.push(resolve));
    return found;
  };
  const views = someViews({ ...stack, media });
  const { record } = await stack.rooms.create({ name: 'demo' });
  const room = await stack.rooms.open('demo');
  return { views, room, record, reads, gate };
}

test('a view that was begun before its room was changed looks as the room says now', async () => {
  const begun = Promise.withResolvers<void>();
  const media = new FakeMedia();
  const start = media.startJob.bind(media);
  media.startJob = async (options) => {
    await begun.promise;
    return start(options);
  };
  const { views, room, record } = await viewsOfDemo(media);
  const opening = views.viewOf(room, 'common');
  await views.ofRooms.change(record.id, 'common', { backgroundColor: '#102030', backgroundImage: image });
  begun.resolve();
  const { look } = (await opening).settings;
  expect([look.backgroundColor, look.backgroundImage]).toEqual(['#102030', image]);
});

test('a view is told of its look when that is another, and of its image when that is; whatever else of its room changes', async () => {
  const media = new FakeMedia();
  const { views, room, record } = await viewsOfDemo(media);
  const view = await views.viewOf(room, 'common');
  const told: ViewCommand[] = [];
  const transport = await room.media.createPlainTransport();
  media.started[0]?.host.attached?.({ transport, send: (command) => void told.push(command as ViewCommand) }, true);
  told.length = 0;
  const looks = () => told.flatMap((one) => (one.type === 'lookView' ? [one] : []));
  await views.ofRooms.change(record.id, 'common', { backgroundImage: image });
  await expect.poll(looks).toMatchObject([{ look: { backgroundImage: image } }]);
  await views.ofRooms.change(record.id, 'common', { hasLabels: false });
  await expect.poll(() => looks().length).toBe(2);
  expect(looks()[1]).toMatchObject({ keepsImage: true, look: { hasLabels: false } });
  expect(looks()[1]?.look.backgroundImage).toBeUndefined();
  // Followed as all others, and nothing to say of it.
  await views.ofRooms.change(record.id, 'common', { hasAudio: false });
  await expect.poll(() => view.settings.hasAudio).toBe(false);
  expect(looks()).toHaveLength(2);
});

test('of simulcast the layer for the last of its places is asked for, and not again for another place of that size', async () => {
  const media = new FakeMedia();
  const { views, room } = await viewsOfDemo(media);
  const view = await views.viewOf(room, 'common');
  const transport = await room.media.createPlainTransport();
  const { host } = media.started[0] ?? {};
  host?.attached?.({ transport, send: () => undefined }, true);
  await joinAndPublish(room, 'alice');
  await expect.poll(() => view.inputs.members[0]?.subscription).toBeDefined();
  const [member] = view.inputs.members;
  const consumer = member?.subscription?.consumer;
  if (!member || !consumer) throw new Error('nobody is in the view');
  const ask = vi.spyOn(consumer, 'setPreferredLayers');
  const asked = () => ask.mock.calls.map(([{ spatialLayer }]) => spatialLayer);
  const arrange = (...heights: number[]) => {
    const places = heights.map((height) => ({ inputId: member.id, regionId: '1', x: 0, y: 0, width: 320, height }));
    const event: ViewEvent = { type: 'viewArranged', order: [member.id], places };
    (host as unknown as { received(event: ViewEvent): void }).received(event);
  };
  for (let n = 0; n < 5; n++) arrange(180);
  await expect.poll(asked).toEqual([0]);
  arrange(720);
  await expect.poll(asked).toEqual([0, 2]);
  arrange();
  await expect.poll(() => member.subscription?.isPaused).toBe(true);
  // On its way to the first of these places when it gets the second.
  arrange(180);
  arrange(360);
  await expect.poll(asked).toEqual([0, 2, 1]);
});

test('an image that is read slowly does not come back after it was taken away', async () => {
  const { views, room, record, reads, gate } = await viewsOfDemo();
  const view = await views.viewOf(room, 'common');
  const shown: [ms: number | undefined, hasImage: boolean][] = [];
  view.events.on('changed', () => {
    const { transitionMs, backgroundImage } = view.settings.look;
    shown.push([transitionMs, backgroundImage !== undefined]);
  });
  gate.isShut = true;
  await views.ofRooms.change(record.id, 'common', { backgroundImage: image, transitionMs: 100 });
  await views.ofRooms.change(record.id, 'common', { backgroundImage: null, transitionMs: 200 });
  await expect.poll(() => shown).toEqual([[200, false]]);
  for (const read of reads) read();
  await views.ofRooms.change(record.id, 'common', { transitionMs: 300 });
  await expect.poll(() => shown.at(-1)).toEqual([300, false]);
  expect(shown.filter(([, hasImage]) => hasImage)).toEqual([]);
});

test('a view without one participant follows its room as the whole one does, and goes with it', async () => {
  const { views, room, record } = await viewsOfDemo();
  const { participant } = await joinAndPublish(room, 'bridge');
  const view = await views.viewWithout(room, 'common', participant);
  await views.ofRooms.change(record.id, 'common', { layout: { base: 'lecture' }, hasLabels: false });
  await expect.poll(() => view.settings.look).toMatchObject({ layout: { base: 'lecture' }, hasLabels: false });
  await views.ofRooms.delete(record.id, 'common');
  await view.done;
});
