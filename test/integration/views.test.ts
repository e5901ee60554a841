import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Room } from '#core/room.ts';
import type { View } from '#core/view.ts';
import type { ViewChange } from '#core/view-settings.ts';
import { type CameraOptions, CameraPeer } from '#test/support/camera-peer.ts';
import { startViewStack, type ViewStack, ViewWatcher } from '#test/support/view-stack.ts';

const colors = { red: '#c02020', green: '#20a020', blue: '#2020c0', grey: '#808080' } as const;
let stack: ViewStack;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  stack = await startViewStack({ workers: 2 });
});

beforeEach(async () => {
  room = await stack.openRoom();
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await room.close();
});

afterAll(() => stack.close());

async function join(options: CameraOptions): Promise<CameraPeer> {
  const camera = await CameraPeer.join(room, options);
  opened.push(camera);
  return camera;
}

async function watch(wish: Parameters<View['open']>[0] = {}): Promise<ViewWatcher> {
  const watcher = await ViewWatcher.watch(stack, room, wish);
  opened.push(watcher);
  return watcher;
}

type Shown = Parameters<ViewWatcher['shows']>[0];

const otherWay = (shown: Shown): Shown => shown.map(([x, y], n) => [x, y, shown.toReversed()[n]?.[2] ?? ''] as const);

const quarter = { first: [0.25, 0.25], second: [0.75, 0.25], third: [0.25, 0.75], fourth: [0.75, 0.75] } as const;

test('a view shows each camera where its layout says, through join, leave, swap, mute and a custom layout', async () => {
  const red = await join({ name: 'red', color: colors.red });
  const watcher = await watch();
  await watcher.shows([[0.5, 0.5, colors.red]]);
  const green = await join({ name: 'green', color: colors.green, codec: 'vp8' });
  await watcher.shows([
    [0.25, 0.5, colors.red],
    [0.75, 0.5, colors.green],
    [0.5, 0.1, '#000000'],
  ]);
  const blue = await join({ name: 'blue', color: colors.blue, codec: 'vp9', width: 640, height: 360 });
  const grey = await join({ name: 'grey', color: colors.grey });
  await watcher.shows([
    [...quarter.first, colors.red],
    [...quarter.second, colors.green],
    [...quarter.third, colors.blue],
    [...quarter.fourth, colors.grey],
  ]);
  watcher.view.swap(red.publication.id, grey.participant.id);
  await watcher.shows([
    [...quarter.first, colors.grey],
    [...quarter.fourth, colors.red],
  ]);
  const left = { id: 'a', shape: 'rectangle', area: { left: '0', top: '0', width: '1/4', height: '1' } } as const;
  const right = { id: 'b', shape: 'rectangle', area: { left: '1/4', top: '0', width: '3/4', height: '1' } } as const;
  await change({ layout: { base: 'void', custom: [{ region: [left, right] }], fitPolicy: 'crop' } });
  await watcher.shows([
    [0.12, 0.6, colors.grey],
    [0.3, 0.95, colors.green],
  ]);
  await change({ layout: { base: 'fluid', custom: [] } });
  await grey.close();
  await watcher.shows([
    [...quarter.first, colors.green],
    [...quarter.second, colors.blue],
    [0.5, 0.75, colors.red],
  ]);
  await green.publication.setMuted(true, 'owner');
  await watcher.shows([[0.05, 0.05, '#202020']]);
  await green.publication.setMuted(false, 'owner');
  await watcher.shows([[...quarter.first, colors.green]]);
  expect(blue.keyFramesAsked).toBeGreaterThan(0);
  expect(watcher.viewer.packetsLost).toBe(0);
}, 60_000);

test('who is pinned stays first until somebody else is put there by hand, and is not said to be pinned any more then', async () => {
  const red = await join({ name: 'red', color: colors.red });
  const green = await join({ name: 'green', color: colors.green });
  const watcher = await watch();
  const { view } = watcher;
  const stand = (first: string, second: string) =>
    watcher.shows([
      [0.25, 0.5, first],
      [0.75, 0.5, second],
    ]);
  const byHand = [
    () => view.setPrimary(red.publication.id),
    () => view.swap(green.publication.id, red.publication.id),
    () => view.reorder([red.publication.id]),
  ];
  for (const putFirst of byHand) {
    view.pin(green.publication.id);
    await stand(colors.green, colors.red);
    view.setPrimary(green.publication.id);
    view.reorder([green.publication.id, red.publication.id]);
    expect(view.pinned?.publication?.id).toBe(green.publication.id);
    putFirst();
    await stand(colors.red, colors.green);
    expect(view.pinned?.publication?.id).toBeUndefined();
  }
}, 60_000);

test('a view leaves no picture out for who joins, moves or leaves, nor for another layout', async () => {
  const red = await join({ name: 'red', color: colors.red });
  const watcher = await watch();
  await watcher.shows([[0.5, 0.5, colors.red]]);
  const halves: Shown = [
    [0.25, 0.5, colors.red],
    [0.75, 0.5, colors.green],
  ];
  const { publication } = red;
  let green: CameraPeer | undefined;
  const changes: readonly (readonly [what: string, change: () => unknown, shown: Shown])[] = [
    ['join', async () => (green = await join({ name: 'green', color: colors.green, codec: 'vp9' })), halves],
    ['swap', () => watcher.view.swap(publication.id, green?.publication.id ?? ''), otherWay(halves)],
    ['primary', () => watcher.view.setPrimary(publication.id), halves],
    ['layout', () => change({ layout: { base: 'lecture' } }), [[0.33, 0.4, colors.red]]],
    ['layout back', () => change({ layout: { base: 'fluid' } }), halves],
    ['mute', () => red.publication.setMuted(true, 'owner'), [[0.05, 0.5, '#202020']]],
    ['no mute', () => red.publication.setMuted(false, 'owner'), halves],
    ['leave', () => green?.close(), [[0.5, 0.5, colors.red]]],
  ];
  // A busy machine leaves gaps of its own, now here and now there: what we leave out would be missing each time.
  const left = new Set(changes.map(([what]) => what));
  for (let round = 0; round < 10 && left.size > 0; round++) {
    for (const [what, change, shown] of changes) {
      const from = watcher.viewer.pictures.length - 1;
      await change();
      await watcher.shows(shown);
      const last = watcher.viewer.pictures.length + 3;
      await watcher.viewer.until(({ pictures }) => pictures.length > last);
      const times = watcher.viewer.pictures.slice(Math.max(0, from)).map(({ unixUs = Number.NaN }) => unixUs);
      const longestUs = Math.max(...times.slice(1).map((time, n) => time - (times[n] ?? 0)));
      if (longestUs < 200_000) left.delete(what);
    }
  }
  expect([...left]).toEqual([]);
}, 120_000);

test('equal wishes share an encoder and a third of another size costs a second, which ends with its last', async () => {
  await join({ name: 'red', color: colors.red });
  const view = await stack.views.viewOf(room, 'common');
  const [one, other] = [await view.open(), await view.open()];
  const small = await view.open({ width: 320, height: 180, codec: 'h264' });
  expect(one.publication).toBe(other.publication);
  expect(small.publication).not.toBe(one.publication);
  await until(() => view.stats?.encoders.length === 2);
  expect(view.stats?.encoders.map(({ codec, width }) => `${codec} ${width}`).sort()).toEqual(['h264 320', 'vp8 1280']);
  small.close();
  one.close();
  await until(() => view.stats?.encoders.length === 1);
  other.close();
  expect(other.request.bitrateBps).toBe(1_920_000);
  await view.done;
}, 30_000);

test('sizes that follow each other faster than encoders do end in the last, and what is part of the view with it', async () => {
  await join({ name: 'red', color: colors.red });
  const watcher = await watch();
  const half = await watcher.view.openFormat({ resolution: 'x1/2' });
  opened.push(half);
  for (const [width, height] of [
    [640, 360],
    [320, 180],
    [848, 480],
    [640, 480],
    [320, 240],
  ] as const) {
    await change({ video: { width, height, framerateHz: 25 } });
  }
  const sizes = () => [watcher.stream.request, half.request].map(({ width, height }) => `${width}x${height}`);
  await until(() => sizes().join() === '320x240,160x120');
  await watcher.viewer.until(({ pictures }) => pictures.at(-1)?.height === 240);
  expect(watcher.stream.request.framerateHz).toBe(25);
}, 30_000);

test('a view is back with the same layout within 2 s after its media worker was killed', async () => {
  const [red, green] = [
    await join({ name: 'red', color: colors.red }),
    await join({ name: 'green', color: colors.green }),
  ];
  const watcher = await watch();
  watcher.view.swap(red.publication.id, green.publication.id);
  /** @returns milliseconds until what happens now is seen, with everybody where he was */
  const showsOnTheLeft = async (color: string) => {
    const sinceMs = performance.now();
    green.setColor(color);
    await watcher.shows([
      [0.25, 0.5, color],
      [0.75, 0.5, colors.red],
    ]);
    return performance.now() - sinceMs;
  };
  await showsOnTheLeft(colors.green);
  await until(() => stack.pool.describeWorkers().some(({ state }) => state === 'spare'));
  const pid = watcher.view.job?.workerPid ?? 0;
  process.kill(pid, 'SIGKILL');
  expect(await showsOnTheLeft(colors.blue)).toBeLessThan(2_000);
  expect(watcher.view.job?.workerPid).not.toBe(pid);
}, 120_000);

test.each([
  ['h264', 640, 360],
  ['vp8', 360, 640],
] as const)(
  'a telephone that sends %s is seen upright, however it is held and turned',
  async (codec, width, height) => {
    const phone = await join({ name: 'phone', color: colors.green, sky: colors.blue, codec, width, height });
    const watcher = await watch();
    for (const degrees of [0, 90, 180, 270, 0] as const) {
      phone.hold(degrees);
      const isWide = width > height === (degrees % 180 === 0);
      await watcher.shows([
        [0.5, 0.1, colors.blue],
        [0.5, 0.45, colors.blue],
        [0.5, 0.55, colors.green],
        [0.5, 0.9, colors.green],
        // Beside what stands are bars.
        [0.1, 0.25, isWide ? colors.blue : '#000000'],
        [0.9, 0.75, isWide ? colors.green : '#000000'],
      ]);
    }
  },
  60_000,
);

test('cameras that hang, send garbage, one picture a second or 120 stand beside each other, and each is seen', async () => {
  const small = { width: 160, height: 90 };
  const frozen = await join({ name: 'frozen', color: colors.red });
  const slow = await join({ name: 'slow', color: colors.green, framerateHz: 1, ...small });
  const fast = await join({ name: 'fast', color: colors.blue, framerateHz: 120, ...small });
  const broken = await join({ name: 'broken', color: colors.grey });
  const watcher = await watch();
  await watcher.shows([
    [...quarter.first, colors.red],
    [...quarter.second, colors.green],
    [...quarter.third, colors.blue],
    [...quarter.fourth, colors.grey],
  ]);
  frozen.freeze();
  broken.freeze();
  for (let size = 1; size < 1_200; size += 37) broken.sendPayloads([randomBytes(size), randomBytes(size)]);
  slow.setColor(colors.blue);
  fast.setColor(colors.green);
  await watcher.shows([
    [...quarter.first, colors.red],
    [...quarter.second, colors.blue],
    [...quarter.third, colors.green],
  ]);
  frozen.resume();
  frozen.setColor(colors.grey);
  broken.resume();
  broken.setColor(colors.red);
  await watcher.shows([
    [...quarter.first, colors.grey],
    [...quarter.fourth, colors.red],
  ]);
  expect(watcher.view.job?.state).toBe('live');
}, 60_000);

test('sixteen cameras are seen at once, and a seventeenth takes the place of who leaves', async () => {
  const shades = ['#c02020', '#20a020', '#2020c0', '#808080'];
  const cameras: CameraPeer[] = [];
  const tiny = { width: 160, height: 90, framerateHz: 5 };
  for (let n = 0; n < 17; n++) {
    cameras.push(await join({ name: `n${n}`, color: n === 16 ? '#c0c020' : (shades[n % 4] ?? ''), ...tiny }));
  }
  const watcher = await watch({ codec: 'h264', width: 640, height: 360 });
  const cells = Array.from({ length: 16 }, (_, n) => {
    return [((n % 4) + 0.5) / 4, (Math.floor(n / 4) + 0.6) / 4, shades[n % 4] ?? ''] as const;
  });
  await watcher.shows(cells);
  await until(() => watcher.view.stats?.inputsWaiting === 1);
  await cameras[15]?.close();
  await watcher.shows([...cells.slice(0, 15), [3.5 / 4, 3.6 / 4, '#c0c020']]);
}, 60_000);

const change = (wanted: ViewChange) => stack.views.ofRooms.change(room.id, 'common', wanted);

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 50));
}
