import { expect, test } from 'vitest';
import { HeldPicture } from './held-picture.ts';
import type { Picture } from './picture.ts';
import { numberedPicture, readNumber } from './test-signals.ts';
import { VideoDecoder } from './video-decoder.ts';
import { VideoEncoder } from './video-encoder.ts';

function decodeNumbers(count: number, width: number, height: number, onPicture: (picture: Picture) => void): void {
  using encoder = new VideoEncoder({ codec: 'h264', width, height, framerateHz: 30, bitrateBps: 800_000 });
  using decoder = new VideoDecoder({ codec: 'h264' });
  for (let n = 0; n < count; n++) {
    using picture = numberedPicture(width, height, n);
    encoder.encode(picture, n * 33_333, ({ data, ptsUs }) => decoder.decode(data, ptsUs, onPicture));
  }
}

test('what is held stays as it was while its decoder goes on, and after that is closed', () => {
  const held: HeldPicture[] = [];
  decodeNumbers(30, 320, 180, (picture) => {
    if (held.length < 3) held.push(new HeldPicture(picture));
  });
  expect(held.map((one) => readNumber(one.copy))).toEqual([0, 1, 2]);
  for (const one of held) one[Symbol.dispose]();
});

test('each that is held shows in the same planes, until one has another size', () => {
  let held: HeldPicture | undefined;
  const numbers: number[] = [];
  const planes = new Set<Buffer | undefined>();
  const show = (picture: Picture) => {
    if (held) held.hold(picture);
    else held = new HeldPicture(picture);
    expect([held.width, held.height, held.format]).toEqual([picture.width, picture.height, picture.format]);
    numbers.push(readNumber(held.copy));
    planes.add(held.planes[0]);
  };
  decodeNumbers(4, 320, 180, show);
  expect(numbers).toEqual([0, 1, 2, 3]);
  expect(planes.size).toBe(1);
  decodeNumbers(3, 640, 360, show);
  expect(numbers.slice(4)).toEqual([0, 1, 2]);
  expect(planes.size).toBe(2);
  held?.[Symbol.dispose]();
});

test('a copy that somebody holds is not written over', () => {
  using first = numberedPicture(320, 180, 1);
  using second = numberedPicture(320, 180, 2);
  using held = new HeldPicture(first);
  using kept = held.copy.keep();
  held.hold(second);
  expect([readNumber(held.copy), readNumber(kept)]).toEqual([2, 1]);
});
