import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Picture } from '../av/picture.ts';
import { VideoDecoder } from '../av/video-decoder.ts';
import { h264NalType, splitAnnexB } from '../rtp/h264.ts';
import { nativeAddon } from './addons.ts';

interface H264Encode {
  open(width: number, height: number, framerateHz: number, profile: string, sliceMaxBytes: number): number;
  look(encoder: number, ...rest: unknown[]): number;
  encode(encoder: number, ...rest: unknown[]): number;
  close(encoder: number): number;
  shown(encoder: number, ...planes: unknown[]): number;
}

const addon = nativeAddon<H264Encode>('h264-encode') as H264Encode;
const isHere = addon !== undefined;
const finest = 12;
/** Of a picture at the finest quantiser, in dB. */
const leastLikeness = 41;

interface Scene {
  readonly width: number;
  readonly height: number;
  readonly sliceMaxBytes: number;
  readonly seed: number;
}

interface Step {
  /** What happens on the picture before it is encoded. */
  readonly kind: 'still' | 'noise' | 'move' | 'patch' | 'flat' | 'extreme' | 'checks' | 'scroll' | 'line' | 'blank';
  readonly quantiser: number;
  readonly isKey: boolean;
  readonly saysWhere: boolean;
}

/** Pictures that go on from the last, as those of a view do. */
class Film implements Disposable {
  readonly picture: Picture;
  #seed: number;
  #offset = 0;

  constructor({ width, height, seed }: Scene) {
    this.picture = Picture.blank(width, height);
    this.#seed = seed;
    this.#paint({ x: 0, y: 0, width, height }, (x, y) => 128 + 60 * Math.sin(x / 11) * Math.cos(y / 7));
  }

  /** @returns what has changed */
  go(kind: Step['kind']) {
    const { width, height } = this.picture;
    const even = (most: number) => 2 * Math.floor((this.#random() * most) / 2);
    const [x, y] = [even(width - 2), even(height - 2)];
    const part = { x, y, width: Math.min(width - x, 2 + even(40)), height: Math.min(height - y, 2 + even(40)) };
    const whole = { x: 0, y: 0, width, height };
    switch (kind) {
      case 'still':
        return [];
      case 'noise':
        this.#paint(part, () => this.#random() * 256);
        return [part];
      case 'extreme':
        this.#paint(part, () => (this.#random() < 0.5 ? 0 : 255));
        return [part];
      case 'flat':
        this.#paint(part, () => 40 + (this.#seed & 127));
        return [part];
      case 'patch':
        this.#paint(part, (px, py) => 128 + 90 * Math.sin(px / 3 + py / 5));
        return [part];
      case 'checks':
        // Black and white by 4x4, one in seven samples the other way round.
        this.#paint(whole, (px, py) => (((px >> 2) ^ (py >> 2)) % 2 === (this.#random() < 1 / 7 ? 0 : 1) ? 255 : 0));
        return [whole];
      case 'blank':
        this.#paint(whole, () => 60);
        return [whole];
      case 'line':
        this.#paint(whole, (px) => (px % 32 === 7 ? 92 : 60));
        return [whole];
      case 'scroll':
        this.#offset += 2;
        this.#paint(whole, (px, py) => 50 * ((((px >> 1) * 37) ^ (((py + this.#offset) >> 1) ** 2)) % 5));
        return [whole];
      case 'move':
        this.#offset += 3;
        this.#paint(
          whole,
          (px, py) => 128 + 60 * Math.sin((px + this.#offset) / 11) * Math.cos((py - this.#offset) / 7),
        );
        return [whole];
    }
  }

  #paint(box: { x: number; y: number; width: number; height: number }, valueAt: (x: number, y: number) => number) {
    this.picture.planes.forEach((plane, index) => {
      const shift = index === 0 ? 0 : 1;
      const stride = this.picture.strides[index] ?? 0;
      for (let row = box.y >> shift; row < (box.y + box.height) >> shift; row++) {
        for (let column = box.x >> shift; column < (box.x + box.width) >> shift; column++) {
          plane[row * stride + column] = Math.max(0, Math.min(255, Math.round(valueAt(column << shift, row << shift))));
        }
      }
    });
  }

  #random(): number {
    this.#seed = (Math.imul(this.#seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return this.#seed / 0x80000000;
  }

  [Symbol.dispose](): void {
    this.picture[Symbol.dispose]();
  }
}

class Encoder implements Disposable {
  readonly #encoder: number;
  readonly #width: number;
  readonly #height: number;
  readonly #bytes: Uint8Array;
  readonly #boxes = new Int32Array(4 * 16);

  constructor({ width, height, sliceMaxBytes }: Scene) {
    this.#encoder = addon.open(width, height, 30, 'baseline', sliceMaxBytes);
    this.#width = width;
    this.#height = height;
    this.#bytes = new Uint8Array(3 * width * height + 65_536);
  }

  /** Has it say that a picture is written to memory which has no room for it. */
  fail(picture: Picture, { quantiser, isKey }: Step, room: number): void {
    const lent = lentOf(picture);
    const key = isKey ? 1 : 0;
    addon.look(this.#encoder, ...lent, this.#boxes, -1, key);
    expect(addon.encode(this.#encoder, ...lent, key, quantiser, this.#bytes.subarray(0, room))).toBe(-1);
  }

  encode(
    picture: Picture,
    { quantiser, isKey }: Step,
    boxes: readonly { x: number; y: number; width: number; height: number }[] | undefined,
  ) {
    boxes?.forEach(({ x, y, width, height }, index) => {
      this.#boxes.set([x, y, width, height], 4 * index);
    });
    const lent = lentOf(picture);
    const key = isKey ? 1 : 0;
    const cost = addon.look(this.#encoder, ...lent, this.#boxes, boxes ? boxes.length : -1, key);
    const length = addon.encode(this.#encoder, ...lent, key, quantiser, this.#bytes);
    expect(length).toBeGreaterThan(0);
    return { cost, data: Buffer.from(this.#bytes.subarray(0, length)) };
  }

  /** The picture as it takes every decoder to have it; to be disposed of. */
  shown(): Picture {
    const picture = Picture.blank(this.#width, this.#height);
    expect(addon.shown(this.#encoder, ...lentOf(picture))).toBe(0);
    return picture;
  }

  [Symbol.dispose](): void {
    addon.close(this.#encoder);
  }
}

const lentOf = ({ planes, strides }: Picture) => [planes[0], planes[1], planes[2], Int32Array.from(strides)];

/** Of all planes: the greatest difference of two samples, and how alike they are in dB. */
function compare(a: Picture, b: Picture): { readonly most: number; readonly likeness: number } {
  let [squares, count, most] = [0, 0, 0];
  a.planes.forEach((plane, index) => {
    const shift = index === 0 ? 0 : 1;
    for (let y = 0; y < a.height >> shift; y++) {
      for (let x = 0; x < a.width >> shift; x++, count++) {
        const other = b.planes[index]?.[y * (b.strides[index] ?? 0) + x] ?? 0;
        const differs = Math.abs((plane[y * (a.strides[index] ?? 0) + x] ?? 0) - other);
        squares += differs ** 2;
        most = Math.max(most, differs);
      }
    }
  });
  return { most, likeness: 10 * Math.log10(255 ** 2 / Math.max(1e-9, squares / count)) };
}

const scenes = fc.record({
  width: fc.integer({ min: 8, max: 70 }).map((half) => 2 * half),
  height: fc.integer({ min: 8, max: 50 }).map((half) => 2 * half),
  sliceMaxBytes: fc.constantFrom(0, 120, 500),
  seed: fc.nat(),
});

const stepsOf = (quantisers: fc.Arbitrary<number>) =>
  fc.array(
    fc.record({
      kind: fc.constantFrom<Step['kind'][]>(
        'still',
        'noise',
        'move',
        'patch',
        'flat',
        'extreme',
        'checks',
        'scroll',
        'line',
        'blank',
      ),
      quantiser: quantisers,
      isKey: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
      saysWhere: fc.boolean(),
    }),
    { minLength: 2, maxLength: 24 },
  );

/** Plays it to FFmpeg's decoder, which must have every sample as the encoder thinks. @returns how alike each picture was */
function play(scene: Scene, steps: readonly Step[]): number[] {
  using film = new Film(scene);
  using encoder = new Encoder(scene);
  using decoder = new VideoDecoder({ codec: 'h264' });
  const seen: number[] = [];
  steps.forEach((step, index) => {
    const changed = film.go(step.kind);
    const { data } = encoder.encode(film.picture, step, step.saysWhere && index > 0 ? changed : undefined);
    decoder.decode(data, index, (decoded) => {
      using shown = encoder.shown();
      expect(compare(shown, decoded).most).toBe(0);
      seen.push(compare(film.picture, decoded).likeness);
    });
  });
  expect(seen.length).toBe(steps.length);
  expect(decoder.corruptUnits).toBe(0);
  return seen;
}

test.runIf(isHere)('whatever is shown, at the finest quantiser a decoder has it as it was', () => {
  fc.assert(
    fc.property(scenes, stepsOf(fc.constant(finest)), (scene, steps) => {
      for (const likes of play(scene, steps)) expect(likes).toBeGreaterThan(leastLikeness);
    }),
    { numRuns: 60 },
  );
});

test.runIf(isHere)('what was shown badly is shown well when the quantiser allows it, still as it is', () => {
  // As many pictures as it takes to look at all of it again, and one.
  const rest = Array.from(
    { length: 13 },
    () => ({ kind: 'still', quantiser: finest, isKey: false, saysWhere: true }) as const,
  );
  fc.assert(
    fc.property(scenes, stepsOf(fc.integer({ min: finest, max: 51 })), (scene, steps) => {
      const likes = play(scene, [...steps, ...rest]);
      expect(likes.at(-1)).toBeGreaterThan(leastLikeness);
    }),
    { numRuns: 60 },
  );
});

test.runIf(isHere)('a faint line that a coarse quantiser passes over at first is seen once nothing moves', () => {
  const scene = { width: 96, height: 64, sliceMaxBytes: 0, seed: 1 };
  const show = (kind: Step['kind'], isKey = false) => ({ kind, quantiser: 36, isKey, saysWhere: false }) as const;
  // It is asked once whether it rests, and once whether it could be better.
  const rest = Array.from({ length: 25 }, () => show('still'));
  const likes = play(scene, [show('blank', true), show('line'), ...rest]);
  expect(likes.at(-1)).toBeGreaterThan((likes[1] ?? 0) + 2);
});

test.runIf(isHere)('slices end before they are longer than they may be', () => {
  const steps = stepsOf(fc.integer({ min: finest, max: 51 }));
  fc.assert(
    fc.property(scenes, steps, (scene, all) => {
      using film = new Film(scene);
      using encoder = new Encoder({ ...scene, sliceMaxBytes: 700 });
      for (const step of all) {
        film.go(step.kind);
        const { data } = encoder.encode(film.picture, step, undefined);
        const units = splitAnnexB(data);
        for (const unit of units) expect(unit.length).toBeLessThanOrEqual(700);
        if (step.isKey) expect(units.slice(0, 3).map(h264NalType)).toEqual([7, 8, 5]);
      }
    }),
    { numRuns: 40 },
  );
});

test.runIf(isHere)('after pictures that failed the next is a key picture, another one than the last', () => {
  const scene = { width: 160, height: 96, sliceMaxBytes: 300, seed: 3 };
  using film = new Film(scene);
  using encoder = new Encoder(scene);
  using decoder = new VideoDecoder({ codec: 'h264' });
  const step = { kind: 'checks', quantiser: 30, isKey: false, saysWhere: false } as const;
  const ids = new Set<number>();
  for (let round = 0; round < 2; round++) {
    film.go('checks');
    const { data } = encoder.encode(film.picture, step, undefined);
    const units = splitAnnexB(data);
    expect(units.slice(0, 3).map(h264NalType)).toEqual([7, 8, 5]);
    ids.add(idOfKey(units[2]));
    decoder.decode(data, round, (decoded) => {
      using shown = encoder.shown();
      expect(compare(shown, decoded).most).toBe(0);
    });
    // What each has written until then must not pile up: there is room for one picture.
    for (let failed = 0; failed < 20; failed++) {
      film.go('checks');
      encoder.fail(film.picture, { ...step, isKey: failed % 7 === 0 }, 1_200);
    }
  }
  expect(ids.size).toBe(2);
  expect(decoder.corruptUnits).toBe(0);
});

/** idr_pic_id, of the first slice of a picture (ITU-T H.264 §7.3.3): "1" for the macroblock, "0001000" for its type, "1", eight bits of frame_num. */
function idOfKey(unit: Uint8Array | undefined): number {
  const bits = [...(unit ?? []).slice(1, 5)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const code = bits.slice('1'.length + '0001000'.length + '1'.length + 8);
  const zeros = code.indexOf('1');
  return Number.parseInt(code.slice(zeros, 2 * zeros + 1), 2) - 1;
}

test.runIf(isHere)('what would leave the sixteen bits of an inverse transform goes as its samples', () => {
  const scene = { width: 128, height: 128, sliceMaxBytes: 0, seed: 31 };
  using film = new Film(scene);
  using encoder = new Encoder(scene);
  film.go('checks');
  encoder.encode(film.picture, { kind: 'checks', quantiser: 51, isKey: true, saysWhere: false }, undefined);
  using shown = encoder.shown();
  const at = ({ planes, strides }: Picture, column: number, row: number) =>
    Array.from({ length: 16 }, (_, y) => {
      const from = (16 * row + y) * (strides[0] ?? 0) + 16 * column;
      return [...(planes[0]?.subarray(from, from + 16) ?? [])];
    });
  const places = Array.from({ length: 64 }, (_, index) => [index % 8, index >> 3] as const);
  const exact = places.filter(([x, y]) => JSON.stringify(at(shown, x, y)) === JSON.stringify(at(film.picture, x, y)));
  expect(exact).toHaveLength(1);
});

test.runIf(isHere)('what scrolls in costs what is new of it, not all that it goes on from', () => {
  const scene = { width: 160, height: 96, sliceMaxBytes: 0, seed: 1 };
  using film = new Film(scene);
  using encoder = new Encoder(scene);
  const sizes = Array.from({ length: 24 }, (_, index) => {
    film.go('scroll');
    const step = { kind: 'scroll', quantiser: 30, isKey: index === 0, saysWhere: false } as const;
    return encoder.encode(film.picture, step, undefined).data.length;
  });
  const rowOfKey = (sizes[0] ?? 0) / (scene.height / 16);
  expect(Math.max(...sizes.slice(1))).toBeLessThan(rowOfKey / 2);
});

test.runIf(isHere)('a picture of which nothing has changed takes a dozen bytes, and costs nothing', () => {
  const scene = { width: 640, height: 360, sliceMaxBytes: 0, seed: 5 };
  using film = new Film(scene);
  using encoder = new Encoder(scene);
  const step = { kind: 'still', quantiser: 30, isKey: false, saysWhere: false } as const;
  encoder.encode(film.picture, { ...step, isKey: true }, undefined);
  const { cost, data } = encoder.encode(film.picture, step, undefined);
  expect(cost).toBe(0);
  expect(data.length).toBeLessThan(20);
});

test.runIf(isHere)('it refuses what it is not for', () => {
  expect(addon.open(640, 360, 30, 'high', 0)).toBe(-1);
  expect(addon.open(8, 360, 30, 'baseline', 0)).toBe(-1);
  const encoder = addon.open(64, 48, 30, 'baseline', 0);
  const small = new Uint8Array(16);
  const strides = Int32Array.from([64, 32, 32]);
  const boxes = new Int32Array(4);
  expect(addon.look(encoder, small, small, small, strides, boxes, -1, 1)).toBe(-1);
  expect(addon.encode(encoder, small, small, small, strides, 1, 30, small)).toBe(-1);
  const [y, u] = [new Uint8Array(64 * 48), new Uint8Array(32 * 24)];
  expect(addon.look(encoder, y, u, u, strides, boxes, 2, 0)).toBe(-1);
  expect(addon.encode(encoder, y, u, u, strides, 1, 30, small)).toBe(-1);
  expect(addon.close(encoder)).toBe(0);
  expect(addon.close(encoder)).toBe(-1);
  expect(addon.look(encoder, y, u, u, strides, boxes, -1, 0)).toBe(-1);
});
