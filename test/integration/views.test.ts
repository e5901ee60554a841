import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import type { Room } from '#core/room.ts';
import type { View, ViewStream } from '#core/view.ts';
import type { ViewChange } from '#core/view-settings.ts';
import { Phones } from '#jobs/phones.ts';
import { MediaPool } from '#jobs/pool.ts';
import { Views } from '#jobs/views.ts';
import type { Picture } from '#media/av/picture.ts';
import { toYuv } from '#media/mixer/backdrop.ts';
import { createSfu, type Sfu } from '#sfu/index.ts';
import { type CameraOptions, CameraPeer } from '#test/support/camera-peer.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';
import { someRooms } from '#test/support/some-room.ts';

const log = new KeepingLog();
const config = configSchema.parse({});
const colors = { red: '#c02020', green: '#20a020', blue: '#2020c0', grey: '#808080' } as const;
let sfu: Sfu;
let pool: MediaPool;
let phones: Phones;
let views: Views;
let stack: ReturnType<typeof someRooms<Sfu>>;
let room: Room;
let view: View;
let lastRoom = 0;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
  pool = new MediaPool({ config: { ...config.media, workers: 2, maxLoadPercent: 100 }, log });
  phones = new Phones({ media: pool, rtp: config.rtp, mix: config.mix, log });
  stack = someRooms({ sfu });
  views = new Views({ ...stack, media: pool, mixOf: (of) => phones.mixOf(of), log });
});

beforeEach(async () => {
  const { record } = await stack.rooms.create({ name: `view${++lastRoom}` });
  room = await stack.rooms.open(record.name);
  await views.ofRooms.change(record.id, 'common', { hasLabels: false, hasSpeakerBorder: false });
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await room.close();
});

afterAll(async () => {
  await views.close();
  await phones.close();
  await stack.rooms.close();
  await pool.close();
  await sfu.close();
});

async function join(options: CameraOptions): Promise<CameraPeer> {
  const camera = await CameraPeer.join(room, options);
  opened.push(camera);
  return camera;
}

class Watcher {
  readonly viewer: RoomViewer;
  readonly stream: ViewStream;
  last: readonly (readonly [y: number, u: number, v: number])[][] = [];
  #wake: () => void = () => undefined;
  #points: readonly (readonly [x: number, y: number])[] = [];
  #seen: (readonly [number, number, number])[] = [];

  static async watch(wish: Parameters<View['open']>[0] = {}): Promise<Watcher> {
    view = await views.viewOf(room, 'common');
    const stream = await view.open(wish);
    const viewer = await RoomViewer.join(room.media);
    const watcher = new Watcher(viewer, stream);
    opened.push(viewer, stream);
    await viewer.watch(stream.publication.producer);
    return watcher;
  }

  private constructor(viewer: RoomViewer, stream: ViewStream) {
    this.viewer = viewer;
    this.stream = stream;
    viewer.onPicture = (picture) => {
      this.#seen = this.#points.map(([x, y]) => pixel(picture, x, y));
      this.#wake();
    };
  }

  /** Resolves once every point, in parts of the picture, has its colour; black is the background. */
  async shows(expected: readonly (readonly [x: number, y: number, color: string])[]): Promise<void> {
    this.#points = expected.map(([x, y]) => [x, y] as const);
    for (;;) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      const isRight = (index: number) => isNear(this.#seen[index], expected[index]?.[2] ?? '');
      if (this.#seen.length === expected.length && expected.every((_, index) => isRight(index))) return;
    }
  }
}

function pixel(picture: Picture, x: number, y: number): [number, number, number] {
  const at = (plane: number, shift: number) => {
    const column = Math.min(picture.width - 1, Math.floor(x * picture.width)) >> shift;
    const row = Math.min(picture.height - 1, Math.floor(y * picture.height)) >> shift;
    return picture.planes[plane]?.[row * (picture.strides[plane] ?? 0) + column] ?? -1;
  };
  return [at(0, 0), at(1, 1), at(2, 1)];
}

function isNear(seen: readonly number[] | undefined, color: string): boolean {
  const { y, u, v } = toYuv(color);
  return seen !== undefined && [y, u, v].every((value, index) => Math.abs(value - (seen[index] ?? -99)) < 14);
}

const quarter = { first: [0.25, 0.25], second: [0.75, 0.25], third: [0.25, 0.75], fourth: [0.75, 0.75] } as const;

test('a view shows each camera where its layout says, through join, leave, swap, mute and a custom layout', async () => {
  const red = await join({ name: 'red', color: colors.red });
  const watcher = await Watcher.watch();
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
  view.swap(red.publication.id, grey.participant.id);
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

test('equal wishes share an encoder and a third of another size costs a second, which ends with its last', async () => {
  await join({ name: 'red', color: colors.red });
  view = await views.viewOf(room, 'common');
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

test('a view is back with the same layout after its media worker was killed', async () => {
  const [red, green] = [
    await join({ name: 'red', color: colors.red }),
    await join({ name: 'green', color: colors.green }),
  ];
  const watcher = await Watcher.watch();
  view.swap(red.publication.id, green.publication.id);
  const swapped = [
    [0.25, 0.5, colors.green],
    [0.75, 0.5, colors.red],
  ] as const;
  await watcher.shows(swapped);
  const pid = view.job?.workerPid ?? 0;
  process.kill(pid, 'SIGKILL');
  green.setColor(colors.blue);
  await watcher.shows([[0.25, 0.5, colors.blue], swapped[1]]);
  expect(view.job?.workerPid).not.toBe(pid);
}, 30_000);

test('cameras that hang, send garbage, one picture a second or 120 stand beside each other, and each is seen', async () => {
  const small = { width: 160, height: 90 };
  const frozen = await join({ name: 'frozen', color: colors.red });
  const slow = await join({ name: 'slow', color: colors.green, framerateHz: 1, ...small });
  const fast = await join({ name: 'fast', color: colors.blue, framerateHz: 120, ...small });
  const broken = await join({ name: 'broken', color: colors.grey });
  const watcher = await Watcher.watch();
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
  expect(view.job?.state).toBe('live');
}, 60_000);

test('sixteen cameras are seen at once, and a seventeenth takes the place of who leaves', async () => {
  const shades = ['#c02020', '#20a020', '#2020c0', '#808080'];
  const cameras: CameraPeer[] = [];
  const tiny = { width: 160, height: 90, framerateHz: 5 };
  for (let n = 0; n < 17; n++) {
    cameras.push(await join({ name: `n${n}`, color: n === 16 ? '#c0c020' : (shades[n % 4] ?? ''), ...tiny }));
  }
  const watcher = await Watcher.watch({ codec: 'h264', width: 640, height: 360 });
  const cells = Array.from({ length: 16 }, (_, n) => {
    return [((n % 4) + 0.5) / 4, (Math.floor(n / 4) + 0.6) / 4, shades[n % 4] ?? ''] as const;
  });
  await watcher.shows(cells);
  await until(() => view.stats?.inputsWaiting === 1);
  await cameras[15]?.close();
  await watcher.shows([...cells.slice(0, 15), [3.5 / 4, 3.6 / 4, '#c0c020']]);
}, 60_000);

const change = (wanted: ViewChange) => views.ofRooms.change(room.id, 'common', wanted);

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 50));
}
