import { randomBytes } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import type { ViewLook } from '#core/view-messages.ts';
import { compositorOf, disposeOpened, expectColor, filled, look, opened, Sender } from '#test/support/composed.ts';
import { plainPng } from '#test/support/png.ts';
import { Canvas, CellScaler } from '../av/canvas.ts';
import { toYuv } from './backdrop.ts';
import { Compositor } from './compositor.ts';
import { EncoderRegistry } from './encoder-registry.ts';

afterEach(disposeOpened);

const sizes = [
  [16, 16],
  [4_096, 2_160],
  [2, 2],
  [322, 182],
  [1_920, 16],
  [16, 1_080],
  [1_280, 720],
] as const;

test.each(['h264', 'vp8', 'vp9'] as const)(
  '%s that jumps between sizes is always seen',
  (codec) => {
    const compositor = compositorOf();
    const sender = new Sender(compositor, 1, codec);
    for (const [index, [width, height]] of sizes.entries()) {
      // Encoders have smallest sizes of their own.
      if (width < 16) continue;
      const color = index % 2 ? '#c02020' : '#2020c0';
      sender.show(color, width, height);
      compositor.paint(index * 33);
      expectColor(compositor.canvas, 320, 120, color);
    }
  },
  60_000,
);

test('odd sizes, and every kind of fit, stay in their cell', () => {
  using canvas = new Canvas(640, 360);
  using scaler = new CellScaler();
  const target = { x: 208, y: 100, width: 208, height: 122 };
  for (const [width, height] of [...sizes, [321, 181], [3, 5], [1_279, 719], [17, 1_001]] as const) {
    canvas.fill({ x: 0, y: 0, width: 640, height: 360 }, toYuv('#000000'));
    using picture = filled('#20a020', width, height);
    scaler.paint(picture, { x: 0, y: 0, width, height }, 0, canvas, target);
    expectColor(canvas, 312, 160, '#20a020');
    for (const [x, y] of [
      [207, 160],
      [416, 160],
      [417, 221],
      [300, 99],
      [300, 222],
    ] as const) {
      expectColor(canvas, x, y, '#000000');
    }
  }
});

test.each([
  [0, 'red at the top', 320, 20, '#c02020'],
  [90, 'red on the right', 620, 180, '#c02020'],
  [180, 'red at the bottom', 320, 340, '#c02020'],
  [270, 'red on the left', 20, 180, '#c02020'],
] as const)('a picture that says %i degrees is turned: %s', (rotation, _title, x, y, color) => {
  using canvas = new Canvas(640, 360);
  using scaler = new CellScaler();
  using picture = filled('#2020c0', 320, 180);
  const { y: luma, u, v } = toYuv('#c02020');
  // The upper half.
  for (const [plane, value] of [luma, u, v].entries()) {
    const rows = plane === 0 ? 90 : 45;
    picture.planes[plane]?.fill(value, 0, rows * (picture.strides[plane] ?? 0));
  }
  const whole = { x: 0, y: 0, width: 640, height: 360 };
  scaler.paint(picture, { x: 0, y: 0, width: 320, height: 180 }, rotation, canvas, whole);
  expectColor(canvas, x, y, color);
  expectColor(canvas, 640 - x, 360 - y, '#2020c0');
});

test('who sends the largest pictures at a rate beyond measure is not decoded for a while, then seen again', () => {
  const compositor = compositorOf();
  const sender = new Sender(compositor, 1);
  const input = compositor.inputs.get(1);
  sender.stepUs = 1_000;
  for (let sent = 0; sent < 80; sent++) sender.show('#c02020', 4_096, 2_160);
  expect(sender.overspent).toHaveBeenCalledExactlyOnceWith(4_096, 2_160);
  expect(input?.latest).toBeUndefined();
  sender.show('#c02020', 320, 180);
  expect(input?.latest).toBeUndefined();
  sender.stepUs = 6_000_000;
  sender.show('#2020c0', 640, 360);
  expect(input?.latest?.height).toBe(360);
});

test('pictures of one size lie in the same memory, so that V8 has nothing to look for', () => {
  const compositor = compositorOf();
  const sender = new Sender(compositor, 1, 'vp8');
  const planes = () => compositor.inputs.get(1)?.latest?.planes ?? [];
  sender.show('#c02020');
  const [first] = planes();
  sender.show('#2020c0');
  expect(planes()[0]).toBe(first);
  sender.show('#2020c0', 640, 360);
  expect(planes()[0]).not.toBe(first);
  compositor.paint(0);
  expectColor(compositor.canvas, 320, 120, '#2020c0');
});

test('what is passed over is not seen: the last picture stays until the next key picture, which is asked for', async () => {
  const compositor = compositorOf({ hasLabels: false });
  const sender = new Sender(compositor, 1);
  const input = compositor.inputs.get(1);
  sender.show('#c02020');
  input?.passOver();
  await vi.waitFor(() => {
    sender.show('#2020c0');
    expect(sender.keyFrameWanted).toHaveBeenCalled();
  });
  compositor.paint(0);
  expectColor(compositor.canvas, 320, 180, '#c02020');
  // Of another size: it begins with a key picture.
  sender.show('#20a020', 640, 360);
  compositor.paint(33);
  expectColor(compositor.canvas, 320, 180, '#20a020');
});

test('pictures larger than any screen are broken ones', () => {
  const compositor = compositorOf();
  const sender = new Sender(compositor, 1);
  sender.show('#c02020', 8_192, 2_176);
  expect(compositor.inputs.get(1)?.latest).toBeUndefined();
  sender.show('#2020c0', 4_096, 4_096);
  expect(compositor.inputs.get(1)?.latest?.height).toBe(4_096);
}, 30_000);

test('garbage is answered with a request for a key frame, and the last picture stays', () => {
  const compositor = compositorOf({ hasLabels: false });
  const good = new Sender(compositor, 1);
  for (const [index, codec] of (['h264', 'vp8', 'vp9'] as const).entries()) {
    const bad = new Sender(compositor, 2 + index, codec);
    bad.show('#20a020');
    for (let i = 0; i < 300; i++) bad.send([randomBytes(1 + (i % 1_100))]);
    // What looks like a frame of its codec and is none.
    for (let i = 0; i < 100; i++) bad.send([Buffer.concat([Buffer.from([0x65, 0x88]), randomBytes(500)])]);
    for (let i = 0; i < 100; i++)
      bad.send([Buffer.concat([Buffer.from([0x10, 0x00, 0x9d, 0x01, 0x2a]), randomBytes(500)])]);
    good.show('#c02020');
    compositor.paint(index);
    bad.show('#d0d020', 640, 360);
  }
  good.show('#2020c0');
  compositor.paint(100);
  expectColor(compositor.canvas, 100, 60, '#2020c0');
});

test('what is muted shows initials and comes back; who leaves makes room; the canvas is never another', () => {
  const compositor = compositorOf();
  const { picture } = compositor.canvas;
  const [one, other] = [new Sender(compositor, 1), new Sender(compositor, 2)];
  one.show('#c02020');
  other.show('#2020c0');
  compositor.paint(0);
  expectColor(compositor.canvas, 160, 180, '#c02020');
  compositor.put({ ...one.info, isMuted: true }, { keyFrameWanted: () => undefined, sized: () => undefined });
  compositor.paint(33);
  expectColor(compositor.canvas, 8, 100, '#202022');
  compositor.put(one.info, { keyFrameWanted: () => undefined, sized: () => undefined });
  one.show('#c02020');
  compositor.paint(66);
  expectColor(compositor.canvas, 160, 180, '#c02020');
  compositor.drop(1);
  compositor.paint(99);
  expectColor(compositor.canvas, 160, 180, '#2020c0');
  expect(compositor.canvas.picture).toBe(picture);
});

test('who is muted is shown by his avatar where he has one that can be read, and by initials again without', async () => {
  const compositor = compositorOf({ hasLabels: false });
  const one = new Sender(compositor, 1);
  one.show('#c02020');
  const [input] = compositor.inputs.values();
  input?.face.set(plainPng(64, [32, 160, 32]));
  compositor.paint(0);
  expectColor(compositor.canvas, 320, 180, '#c02020');
  compositor.put({ ...one.info, isMuted: true }, { keyFrameWanted: () => undefined, sized: () => undefined });
  await vi.waitFor(() => {
    compositor.paint(33);
    expectColor(compositor.canvas, 320, 180, '#20a020');
  });
  expectColor(compositor.canvas, 320, 90, '#20a020');
  expectColor(compositor.canvas, 60, 60, '#202022');
  expect(compositor.paint(66)).toBe(false);
  for (const image of [Buffer.from('nothing to see'), plainPng(64, [1, 2, 3]).subarray(0, 60), undefined]) {
    input?.face.set(plainPng(64, [32, 160, 32]));
    await vi.waitFor(() => {
      compositor.paint(99);
      expectColor(compositor.canvas, 320, 90, '#20a020');
    });
    input?.face.set(image);
    await vi.waitFor(() => expect(compositor.paint(99)).toBe(true));
    expectColor(compositor.canvas, 320, 90, '#202022');
  }
});

test('of what is painted only the cells with a new picture are said to have changed', () => {
  const compositor = compositorOf({ hasLabels: false });
  const [one, two] = [new Sender(compositor, 1), new Sender(compositor, 2)];
  for (const sender of [one, two]) sender.show('#c02020');
  expect(compositor.changed).toEqual([]);
  compositor.paint(0);
  expect(compositor.changed[0]).toEqual({ x: 0, y: 0, width: 640, height: 360 });
  two.show('#20c020');
  compositor.paint(33);
  expect(compositor.changed).toMatchObject([{ x: 320, y: 90, width: 320 }]);
  compositor.paint(66);
  expect(compositor.changed).toEqual([]);
});

test('with transitions cells are half way in the middle of the time, where they belong at its end, and told of at once', () => {
  const told: string[] = [];
  const compositor = new Compositor({
    ...{ width: 640, height: 360 },
    look: { ...look, hasLabels: false, hasSpeakerBorder: false, transitionMs: 400 },
    onArranged: (_order, places) => told.push(places.map(({ x, width }) => `${x}+${width}`).join()),
  });
  opened.push(compositor);
  const one = new Sender(compositor, 1);
  one.show('#c02020');
  // Nobody was there before: at once.
  compositor.paint(0);
  expectColor(compositor.canvas, 630, 180, '#c02020');
  const other = new Sender(compositor, 2);
  other.show('#2020c0');
  compositor.paint(1_000);
  expect(told).toEqual(['0+640', '0+320,320+320']);
  // From the whole width to the left half; from half of the right half to all of it.
  expectColor(compositor.canvas, 20, 180, '#c02020');
  expectColor(compositor.canvas, 630, 20, '#c02020');
  expectColor(compositor.canvas, 480, 180, '#2020c0');
  expect(compositor.paint(1_200)).toBe(true);
  expectColor(compositor.canvas, 350, 120, '#c02020');
  expectColor(compositor.canvas, 376, 180, '#2020c0');
  expectColor(compositor.canvas, 630, 180, '#000000');
  compositor.paint(1_400);
  expectColor(compositor.canvas, 160, 180, '#c02020');
  expectColor(compositor.canvas, 630, 180, '#2020c0');
  expect(compositor.paint(1_433)).toBe(false);
  // Turned round on the way: from where he is.
  compositor.drop(2);
  compositor.paint(1_500);
  compositor.paint(1_600);
  expectColor(compositor.canvas, 60, 180, '#c02020');
  expectColor(compositor.canvas, 630, 180, '#000000');
  compositor.paint(2_000);
  expectColor(compositor.canvas, 630, 180, '#c02020');
});

test('another way to fit shows at once although everybody stays where he is, of the view and of a region', () => {
  const compositor = compositorOf({ hasLabels: false });
  new Sender(compositor, 1).show('#20a020', 180, 320);
  const shows = (layout: Partial<ViewLook['layout']>, color: string) => {
    compositor.setLook({ ...look, hasLabels: false, layout: { ...look.layout, ...layout } });
    compositor.paint(0);
    expectColor(compositor.canvas, 8, 8, color);
  };
  shows({ fitPolicy: 'crop' }, '#20a020');
  shows({ fitPolicy: 'letterbox' }, '#000000');
  shows({ fitPolicy: 'stretch' }, '#20a020');
  const area = { left: '0', top: '0', width: '1', height: '1' };
  for (const [fitPolicy, color] of [
    ['stretch', '#20a020'],
    ['letterbox', '#000000'],
    ['crop', '#20a020'],
  ] as const) {
    const region = { id: '1', shape: 'rectangle', area, fitPolicy } as const;
    shows({ custom: [{ region: [region] }] }, color);
  }
});

test('nothing new is painted twice', () => {
  const compositor = compositorOf();
  const sender = new Sender(compositor, 1);
  sender.show('#c02020');
  expect([compositor.paint(0), compositor.paint(33), compositor.paint(66)]).toEqual([true, false, false]);
  sender.show('#2020c0');
  expect(compositor.paint(99)).toBe(true);
});

test.each(['h264', 'vp8', 'vp9', 'h265', 'av1'] as const)(
  '%s comes to every tap, with one key frame for all who ask',
  (codec) => {
    using canvas = new Canvas(640, 360);
    using registry = new EncoderRegistry();
    const request = {
      codec,
      profile: 'high',
      width: 320,
      height: 180,
      framerateHz: 30,
      bitrateBps: 500_000,
      keyFrameIntervalS: 100,
    } as const;
    const units: { readonly isKey: boolean; readonly clockUs: number }[][] = [[], []];
    const handles = units.map((list) =>
      registry.tap(request, { onUnit: ({ isKey }, clockUs) => list.push({ isKey, clockUs }) }),
    );
    expect(registry.size).toBe(1);
    for (let frame = 0; frame < 40; frame++) {
      if (frame === 20) for (const handle of handles) handle.requestKeyFrame();
      canvas.fill({ x: 0, y: 0, width: 640, height: 360 }, { y: 16 + frame * 5, u: 128, v: 128 });
      registry.encode(canvas.picture, frame * 33_333, 33_333);
    }
    expect(units[0]).toEqual(units[1]);
    expect(units[0]?.filter(({ isKey }) => isKey).map(({ clockUs }) => Math.round(clockUs / 33_333))).toEqual([0, 20]);
    for (const handle of handles) handle.close();
    expect(registry.size).toBe(0);
  },
);

test('of one picture a second the key frame that somebody waits for comes at once, and the next a second later', () => {
  const registry = new EncoderRegistry();
  opened.push(registry);
  const request = { codec: 'vp8', profile: 'baseline', width: 320, height: 180 } as const;
  const times: [seconds: number, isKey: boolean][] = [];
  const handle = registry.tap(
    { ...request, framerateHz: 1, bitrateBps: 100_000, keyFrameIntervalS: 100 },
    { onUnit: ({ isKey }, clockUs) => times.push([clockUs / 1e6, isKey]) },
  );
  using picture = filled('#c02020', 320, 180);
  for (let tick = 0; tick < 100; tick++) {
    if (tick === 15) handle.requestKeyFrame();
    registry.encode(picture, tick * 40_000, 40_000);
  }
  expect(times).toEqual([
    [0, true],
    [0.6, true],
    [1.6, false],
    [2.6, false],
    [3.6, false],
  ]);
});
