// Owns: rooms on a real SFU with real media workers, and who watches a view of one without a browser.
import { configSchema } from '#config/schema.ts';
import type { Room } from '#core/room.ts';
import type { View, ViewStream } from '#core/view.ts';
import { Phones } from '#jobs/phones.ts';
import { MediaPool } from '#jobs/pool.ts';
import { Views } from '#jobs/views.ts';
import type { Picture } from '#media/av/picture.ts';
import { toYuv } from '#media/mixer/backdrop.ts';
import { createSfu } from '#sfu/index.ts';
import { KeepingLog } from './keeping-log.ts';
import { RoomViewer } from './room-viewer.ts';
import { someRooms } from './some-room.ts';

/** Without a gateway round it. */
export async function startViewStack({ workers, maxLoadPercent = 100 }: { workers: number; maxLoadPercent?: number }) {
  const log = new KeepingLog();
  const config = configSchema.parse({});
  const sfu = await createSfu({ ...config.sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] }, { log });
  const pool = new MediaPool({ config: { ...config.media, workers, maxLoadPercent }, log });
  const phones = new Phones({ media: pool, rtp: config.rtp, mix: config.mix, log });
  const stack = someRooms({ sfu });
  const views = new Views({ ...stack, media: pool, mixOf: (of) => phones.mixOf(of), log });
  let lastRoom = 0;
  return {
    log,
    pool,
    views,
    /** A room whose view has neither names nor frames, so that its pixels are those of cameras. */
    async openRoom(): Promise<Room> {
      const { record } = await stack.rooms.create({ name: `view${++lastRoom}` });
      const room = await stack.rooms.open(record.name);
      await views.ofRooms.change(record.id, 'common', { hasLabels: false, hasSpeakerBorder: false });
      return room;
    },
    async close(): Promise<void> {
      await views.close();
      await phones.close();
      await stack.rooms.close();
      await pool.close();
      await sfu.close();
    },
  };
}

export type ViewStack = Awaited<ReturnType<typeof startViewStack>>;

type Yuv = readonly [y: number, u: number, v: number];

export class ViewWatcher {
  readonly viewer: RoomViewer;
  readonly view: View;
  readonly stream: ViewStream;
  #wake: () => void = () => undefined;
  #points: readonly (readonly [x: number, y: number])[] = [];
  #seen: Yuv[] = [];

  static async watch(
    { views }: Pick<ViewStack, 'views'>,
    room: Room,
    wish: Parameters<View['open']>[0] = {},
  ): Promise<ViewWatcher> {
    const view = await views.viewOf(room, 'common');
    const stream = await view.open(wish);
    const viewer = await RoomViewer.join(room.media);
    const watcher = new ViewWatcher(viewer, view, stream);
    await viewer.watch(stream.publication.producer);
    return watcher;
  }

  private constructor(viewer: RoomViewer, view: View, stream: ViewStream) {
    this.viewer = viewer;
    this.view = view;
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

  /** The numbers of cameras in cells, given in parts of the picture, as the next picture has them. */
  async numbers(cells: readonly Cell[]): Promise<number[]> {
    const points = cells.flatMap(({ x, y, width, height }) =>
      Array.from({ length: 8 }, (_, bit) => [x + ((bit + 0.5) / 8) * width, y + height / 8] as const),
    );
    this.#points = points;
    do await new Promise<void>((resolve) => (this.#wake = resolve));
    while (this.#seen.length !== points.length);
    const seen = this.#seen;
    return cells.map((_, index) => {
      let number = 0;
      for (let bit = 0; bit < 8; bit++) if ((seen[index * 8 + bit]?.[0] ?? 0) > 125) number |= 1 << bit;
      return number;
    });
  }

  close(): void {
    this.stream.close();
    this.viewer.close();
  }
}

/** In parts of the picture. */
export interface Cell {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
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
