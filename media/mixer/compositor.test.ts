import { randomBytes } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import type { ViewInput as ViewInputInfo, ViewLook } from '#core/view-messages.ts';
import { plainPng } from '#test/support/png.ts';
import { Canvas, CellScaler } from '../av/canvas.ts';
import { Picture } from '../av/picture.ts';
import { VideoEncoder } from '../av/video-encoder.ts';
import { splitAnnexB } from '../rtp/h264.ts';
import { buildRtp } from '../rtp/packet.ts';
import { packetiseH264, packetiseVp8, packetiseVp9 } from '../rtp/packetise.ts';
import { toYuv } from './backdrop.ts';
import { Compositor } from './compositor.ts';
import { EncoderRegistry } from './encoder-registry.ts';

const look: ViewLook = {
  layout: { base: 'fluid', gridSize: 4, custom: [], fitPolicy: 'crop' },
  maxInputs: 16,
  isVoicePrimary: false,
  backgroundColor: '#000000',
  hasLabels: true,
  hasSpeakerBorder: true,
};
const opened: Disposable[] = [];

afterEach(() => {
  for (const one of opened.splice(0).reverse()) one[Symbol.dispose]();
});

function compositorOf(change: Partial<ViewLook> = {}): Compositor {
  const compositor = new Compositor({
    ...{ width: 640, height: 360 },
    look: { ...look, ...change },
    onArranged: () => undefined,
  });
  opened.push(compositor);
  return compositor;
}

/** A camera in RTP, without a room. */
class Sender {
  readonly info: ViewInputInfo;
  readonly keyFrameWanted = vi.fn();
  readonly overspent = vi.fn();
  readonly #compositor: Compositor;
  readonly #codec: 'h264' | 'vp8' | 'vp9';
  /** From one picture to the next. */
  stepUs = 33_333;
  #nowUs = 0;
  #sequence = 65_530;
  #frames = 0;
  #encoder: VideoEncoder | undefined;

  constructor(compositor: Compositor, inputId: number, codec: 'h264' | 'vp8' | 'vp9' = 'h264') {
    this.#compositor = compositor;
    this.#codec = codec;
    const stream = { ssrc: inputId, payloadType: 96, codec, orientationExtensionId: undefined };
    this.info = { inputId, name: `input ${inputId}`, isShared: false, isMuted: false, stream };
    const { keyFrameWanted, overspent } = this;
    compositor.put(this.info, { keyFrameWanted, sized: () => undefined, overspent });
  }

  show(color: string, width = 320, height = 180): void {
    const picture = filled(color, width, height);
    if (this.#encoder?.width !== width || this.#encoder.height !== height) {
      const options = { codec: this.#codec, width, height, framerateHz: 30, bitrateBps: 2_000_000 } as const;
      this.#encoder = new VideoEncoder({ ...options, preset: 'ultrafast' });
      opened.push(this.#encoder);
    }
    this.#encoder.encode(picture, this.#frames * 33_333, ({ data, isKey }) => this.send(this.#packetise(data, isKey)));
    picture[Symbol.dispose]();
  }

  send(payloads: readonly Uint8Array[]): void {
    this.#frames += 1;
    this.#nowUs += this.stepUs;
    const timestamp = this.#frames * 3_000;
    for (const [index, payload] of payloads.entries()) {
      const marker = index === payloads.length - 1;
      this.#sequence = (this.#sequence + 1) & 0xffff;
      const header = { payloadType: 96, marker, sequenceNumber: this.#sequence, timestamp, ssrc: this.info.inputId };
      this.#compositor.inputs.get(this.info.inputId)?.receive(buildRtp(header, payload), this.#nowUs);
    }
  }

  #packetise(data: Buffer, isKey: boolean): Uint8Array[] {
    if (this.#codec === 'vp8') return packetiseVp8(data, this.#frames);
    return this.#codec === 'vp9' ? packetiseVp9(data, this.#frames, isKey) : packetiseH264(splitAnnexB(data));
  }
}

function filled(color: string, width: number, height: number): Picture {
  const picture = Picture.blank(width, height);
  const { y, u, v } = toYuv(color);
  for (const [index, value] of [y, u, v].entries()) picture.planes[index]?.fill(value);
  return picture;
}

function colorAt({ picture }: Canvas, x: number, y: number): number[] {
  return [0, 1, 2].map((plane) => {
    const shift = plane === 0 ? 0 : 1;
    return picture.planes[plane]?.[(y >> shift) * (picture.strides[plane] ?? 0) + (x >> shift)] ?? -1;
  });
}

function expectColor(canvas: Canvas, x: number, y: number, color: string): void {
  const { y: luma, u, v } = toYuv(color);
  const seen = colorAt(canvas, x, y);
  for (const [index, value] of [luma, u, v].entries()) {
    expect(Math.abs(value - (seen[index] ?? 0)), `${color} at ${x},${y}: ${seen}`).toBeLessThan(12);
  }
}

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

test('a background image fills what no input covers, and comes back when they go', async () => {
  const compositor = compositorOf({ backgroundImage: tinyPng, layout: { ...look.layout, fitPolicy: 'letterbox' } });
  await showsBehind(compositor, '#ff0000');
  const sender = new Sender(compositor, 1);
  sender.show('#2020c0', 180, 320);
  compositor.paint(33);
  expectColor(compositor.canvas, 320, 100, '#2020c0');
  expectColor(compositor.canvas, 20, 20, '#ff0000');
  compositor.drop(1);
  compositor.paint(66);
  expectColor(compositor.canvas, 320, 100, '#ff0000');
});

/** An image is read beside the pictures. */
function showsBehind(compositor: Compositor, color: string): Promise<void> {
  return vi.waitFor(() => {
    compositor.paint(0);
    expectColor(compositor.canvas, 20, 20, color);
  }, 10_000);
}

test('an image that was read is not read again when something else changes', async () => {
  const image = Buffer.from(tinyPng);
  const compositor = compositorOf({ backgroundImage: image });
  await showsBehind(compositor, '#ff0000');
  const other = Buffer.from(image);
  compositor.setLook({ ...look, backgroundImage: other, hasLabels: false, maxInputs: 3 });
  compositor.paint(0);
  expectColor(compositor.canvas, 20, 20, '#ff0000');
  compositor.setLook({ ...look, backgroundImage: Buffer.from('none') });
  await showsBehind(compositor, look.backgroundColor);
});

test('pictures go on while the largest image is read, whatever the size of the view becomes meanwhile', async () => {
  const compositor = compositorOf();
  const large = { ...look, backgroundColor: '#20a020', backgroundImage: plainPng(4_096, [200, 30, 30]) };
  compositor.setLook(large);
  compositor.paint(0);
  // What was there.
  expectColor(compositor.canvas, 20, 20, look.backgroundColor);
  for (let side = 320; side > 160; side -= 2) compositor.resize(side, side);
  compositor.paint(33);
  // There was none of this size.
  expectColor(compositor.canvas, 20, 20, '#20a020');
  await showsBehind(compositor, '#c81e1e');
  expect(compositor.paint(66)).toBe(false);
}, 20_000);

test('names and initials of many who come at once are drawn over several pictures', () => {
  const compositor = compositorOf({ maxInputs: 25 });
  const events = { keyFrameWanted: () => undefined, sized: () => undefined };
  for (let id = 1; id <= 25; id++) {
    compositor.put({ inputId: id, name: `Participant ${id}`, isShared: false, isMuted: true }, events);
  }
  /** Where the disc of each is, besides its letter. */
  const drawn = () => {
    const isDisc = (id: number) =>
      colorAt(compositor.canvas, (id % 5) * 128 + 56, Math.floor(id / 5) * 72 + 22)[0] === 90;
    return Array.from({ length: 25 }, (_, id) => isDisc(id)).filter(Boolean).length;
  };
  const counts = Array.from({ length: 10 }, (_, n) => {
    compositor.paint(n * 33);
    return drawn();
  });
  expect(counts[0]).toBeGreaterThan(0);
  expect(counts[0]).toBeLessThan(10);
  expect(counts.at(-1)).toBe(25);
  // Another layout and back: what is known is not drawn again.
  compositor.setLook({ ...look, maxInputs: 25, layout: { ...look.layout, base: 'lecture' } });
  compositor.paint(400);
  compositor.setLook({ ...look, maxInputs: 25 });
  compositor.paint(433);
  expect(drawn()).toBe(25);
});

/** One red pixel. */
const tinyPng = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==',
  'base64',
);

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
