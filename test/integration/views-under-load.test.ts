// Views of more cameras than a view usually has: they keep up with them, or say at which rate they go.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Room } from '#core/room.ts';
import type { View } from '#core/view.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { type Cell, startViewStack, type ViewStack, ViewWatcher } from '#test/support/view-stack.ts';

const framerateHz = 15;
let stack: ViewStack;
let room: Room;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  // More than one core is asked for here.
  stack = await startViewStack({ workers: 1, maxLoadPercent: 1_000 });
});

beforeEach(async () => {
  room = await stack.openRoom();
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await room.close();
});

afterAll(() => stack.close());

async function joinMany(count: number): Promise<CameraPeer[]> {
  const size = { width: 320, height: 180, framerateHz };
  const cameras: CameraPeer[] = [];
  for (let n = 0; n < count; n++)
    cameras.push(await CameraPeer.join(room, { name: `n${n}`, color: '#206080', ...size }));
  opened.push(...cameras);
  return cameras;
}

const gridOf = (side: number): Cell[] =>
  Array.from({ length: side * side }, (_, n) => {
    return { x: (n % side) / side, y: Math.floor(n / side) / side, width: 1 / side, height: 1 / side };
  });

/** Pictures by which each camera is ahead of what is seen of it. */
async function behind(watcher: ViewWatcher, cameras: readonly CameraPeer[], cells: readonly Cell[]): Promise<number[]> {
  const numbers = await watcher.numbers(cells);
  return cameras.map(({ frames }, index) => (frames - 1 - (numbers[index] ?? 0)) & 255);
}

/** Every counter goes on and none falls behind, for as long as the slowest camera sends 60 pictures. */
async function keepsUp(watcher: ViewWatcher, cameras: readonly CameraPeer[], cells: readonly Cell[]): Promise<void> {
  const isNear = async () => (await behind(watcher, cameras, cells)).every((pictures) => pictures < framerateHz);
  await vi.waitUntil(isNear, { timeout: 60_000, interval: 10 });
  const until = cameras.map(({ frames }) => frames + 60);
  let samples = 0;
  let late = 0;
  while (cameras.some(({ frames }, index) => frames < (until[index] ?? 0))) {
    const pictures = await behind(watcher, cameras, cells);
    samples += 1;
    if (Math.max(...pictures) > 2 * framerateHz) late += 1;
  }
  expect(samples).toBeGreaterThan(3);
  // A machine that is busy elsewhere may stop us for a moment; it does not add up.
  expect(late / samples).toBeLessThan(0.1);
  await vi.waitUntil(isNear, { timeout: 10_000, interval: 10 });
}

/** As many pictures are made as it says that it is at. */
const goesAsSaid = (view: View) =>
  vi.waitUntil(
    () => {
      const { framerateHz: made = 0, targetFramerateHz: said = 0 } = view.stats ?? {};
      return made > 0 && Math.abs(made - said) <= 0.25 * said;
    },
    { timeout: 60_000, interval: 50 },
  );

test.each([
  [16, 4],
  [25, 5],
])(
  '%i cameras are seen at once, and none falls behind',
  async (count, side) => {
    await stack.views.ofRooms.change(room.id, 'common', { maxInputs: count });
    const cameras = await joinMany(count);
    const watcher = await ViewWatcher.watch(stack, room, { codec: 'h264' });
    opened.push(watcher);
    const cells = gridOf(side);
    await keepsUp(watcher, cameras, cells);
    await goesAsSaid(watcher.view);
    expect(watcher.view.stats).toMatchObject({ inputsSeen: count, inputsWaiting: 0 });
  },
  120_000,
);

test('a view that asks for more than there is goes slower and says so, and its pictures are those of now', async () => {
  const video = { width: 2_560, height: 1_440, framerateHz: 60 };
  await stack.views.ofRooms.change(room.id, 'common', { maxInputs: 25, video });
  const cameras = await joinMany(25);
  const watcher = await ViewWatcher.watch(stack, room, { codec: 'h264', width: 1_280, height: 720 });
  opened.push(watcher);
  // In its own size nobody could look at it here; it is encoded all the same.
  opened.push(await watcher.view.open());
  await vi.waitUntil(() => (watcher.view.stats?.targetFramerateHz ?? 60) < 60, { timeout: 60_000, interval: 50 });
  await keepsUp(watcher, cameras, gridOf(5));
  expect(watcher.view.stats?.targetFramerateHz).toBeLessThan(60);
  expect(watcher.view.stats?.ticksSkipped).toBeGreaterThan(0);
}, 180_000);
