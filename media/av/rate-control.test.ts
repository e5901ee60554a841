import { expect, test } from 'vitest';
import { RateControl } from './rate-control.ts';

const framerateHz = 30;

interface Shown {
  readonly quantiser: number;
  readonly bytes: number;
  readonly isKey: boolean;
}

interface Scene {
  readonly seconds: number;
  readonly cost: number;
  readonly framerateHz?: number;
}

/** An encoder whose bits halve with each six steps, but for what it takes to say that nothing has changed. */
class Encoder {
  readonly rate: RateControl;
  readonly shown: Shown[] = [];
  #ptsUs = 0;

  constructor(bitrateBps: number) {
    this.rate = new RateControl({ bitrateBps, framerateHz });
  }

  show(scene: Scene, isKeyAt: (index: number) => boolean = () => false): Shown[] {
    const hz = scene.framerateHz ?? framerateHz;
    const shown = Array.from({ length: Math.round(scene.seconds * hz) }, (_, index) => {
      const isKey = isKeyAt(index);
      const cost = isKey ? 4e6 : scene.cost * (1 + 0.3 * Math.sin(index));
      this.#ptsUs += 1e6 / hz;
      const quantiser = this.rate.next({ cost, isKey, ptsUs: this.#ptsUs });
      const bytes = Math.round(60 + (cost * (isKey ? 1.5 : 1.3)) / 2 ** (quantiser / 6) / 8);
      this.rate.spent(bytes);
      return { quantiser, bytes, isKey };
    });
    this.shown.push(...shown);
    return shown;
  }
}

const kbps = (shown: readonly Shown[], hz = framerateHz) =>
  (shown.reduce((sum, { bytes }) => sum + bytes, 0) * 8 * hz) / shown.length / 1_000;

/** What a line of the bitrate has still to carry after each picture, at the most, in seconds. */
function longestQueueS(shown: readonly Shown[], bitrateBps: number): number {
  let [bits, most] = [0, 0];
  for (const { bytes } of shown) {
    bits = Math.max(0, bits + bytes * 8 - bitrateBps / framerateHz);
    most = Math.max(most, bits);
  }
  return most / bitrateBps;
}

test.each([300_000, 800_000, 1_600_000, 4_000_000])('%d bit/s are spent as asked for, key pictures and all', (bps) => {
  const encoder = new Encoder(bps);
  encoder.show({ seconds: 1, cost: 2e6 }, (index) => index === 0);
  const shown = encoder.show({ seconds: 10, cost: 2e6 }, (index) => index % 90 === 89);
  expect(kbps(shown) / (bps / 1_000)).toBeGreaterThan(0.93);
  expect(kbps(shown) / (bps / 1_000)).toBeLessThan(1.07);
  expect(longestQueueS(encoder.shown, bps)).toBeLessThan(0.5);
});

test('what is steady is shown at a steady quantiser', () => {
  const encoder = new Encoder(1_600_000);
  encoder.show({ seconds: 3, cost: 2e6 }, (index) => index === 0);
  const shown = encoder.show({ seconds: 10, cost: 2e6 });
  const gains = shown.filter(({ quantiser }, index) => quantiser < (shown[index - 1]?.quantiser ?? 0));
  expect(gains.length).toBeLessThan(15);
});

test('another bitrate is kept within a second, up and down', () => {
  const encoder = new Encoder(1_600_000);
  encoder.show({ seconds: 3, cost: 2e6 }, (index) => index === 0);
  for (const bps of [500_000, 2_000_000]) {
    encoder.rate.setBitrate(bps);
    encoder.show({ seconds: 1, cost: 2e6 });
    const after = kbps(encoder.show({ seconds: 3, cost: 2e6 })) / (bps / 1_000);
    expect(after).toBeGreaterThan(0.9);
    expect(after).toBeLessThan(1.1);
  }
});

test('a stand-still is shown better and better; what moves after it floods nobody', () => {
  const encoder = new Encoder(1_600_000);
  encoder.show({ seconds: 2, cost: 2e6 }, (index) => index === 0);
  const still = encoder.show({ seconds: 4, cost: 0 });
  expect(still.at(-1)?.quantiser).toBeLessThan(20);
  const steps = still.map(({ quantiser }, index) => (still[index - 1]?.quantiser ?? quantiser) - quantiser);
  expect(Math.max(...steps)).toBe(1);
  const moving = encoder.show({ seconds: 3, cost: 4e6 });
  expect(longestQueueS(moving, 1_600_000)).toBeLessThan(0.5);
  const last = kbps(moving.slice(-framerateHz)) / 1_600;
  expect(last).toBeGreaterThan(0.85);
  expect(last).toBeLessThan(1.15);
});

test('a cut is one large picture, after which the quantiser comes back', () => {
  const encoder = new Encoder(1_600_000);
  encoder.show({ seconds: 3, cost: 2e6 }, (index) => index === 0);
  const before = encoder.shown.at(-1)?.quantiser ?? 0;
  const [cut] = encoder.show({ seconds: 1 / framerateHz, cost: 40e6 });
  expect(((cut?.bytes ?? 0) * 8) / 1_600_000).toBeLessThan(0.4);
  const after = encoder.show({ seconds: 2, cost: 2e6 });
  expect(after.slice(20).every(({ quantiser }) => quantiser < before + 4)).toBe(true);
});

test('fewer pictures a second get more each', () => {
  const encoder = new Encoder(800_000);
  encoder.show({ seconds: 2, cost: 2e6 }, (index) => index === 0);
  encoder.show({ seconds: 2, cost: 2e6, framerateHz: 10 });
  const spent = kbps(encoder.show({ seconds: 5, cost: 2e6, framerateHz: 10 }), 10) / 800;
  expect(spent).toBeGreaterThan(0.9);
  expect(spent).toBeLessThan(1.1);
});

test('quantisers stay those of H264, whatever is asked for', () => {
  for (const bps of [1, 1_000, 1e9]) {
    const encoder = new Encoder(bps);
    encoder.show({ seconds: 2, cost: 8e6 }, (index) => index % 20 === 0);
    for (const { quantiser } of encoder.shown) {
      expect(Number.isInteger(quantiser)).toBe(true);
      expect(quantiser).toBeGreaterThanOrEqual(14);
      expect(quantiser).toBeLessThanOrEqual(51);
    }
  }
});
