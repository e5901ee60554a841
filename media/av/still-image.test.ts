import { expect, test } from 'vitest';
import { palettePng, plainPng } from '#test/support/png.ts';
import { AvError } from './library.ts';
import { decodeImage } from './still-image.ts';

async function sideOf(image: Uint8Array): Promise<number | undefined> {
  let side: number | undefined;
  const isRead = await decodeImage(image, ({ width }) => {
    side = width;
  });
  return isRead ? side : undefined;
}

test('an image as large as any view is read, and one that a small file blows up to more is none', async () => {
  expect(await sideOf(plainPng(4_096, [1, 2, 3]))).toBe(4_096);
  const bomb = plainPng(5_000, [1, 2, 3]);
  expect(bomb.length).toBeLessThan(131_072);
  expect(await sideOf(bomb)).toBeUndefined();
});

test('what is no image, or is cut off in its header, is none', async () => {
  expect(await sideOf(Buffer.from('<svg/>'))).toBeUndefined();
  expect(await sideOf(plainPng(16, [1, 2, 3]).subarray(0, 20))).toBeUndefined();
});

test('one that cannot be painted is none, and what is wrong with who paints it is his to hear', async () => {
  const image = plainPng(16, [1, 2, 3]);
  const fail = (error: Error) => () => {
    throw error;
  };
  expect(await decodeImage(image, fail(new AvError('painting', -22)))).toBe(false);
  await expect(decodeImage(image, fail(new TypeError('ours')))).rejects.toThrow('ours');
  expect(await sideOf(image)).toBe(16);
});

test('an image that nobody wants any more is not read, and one after the other is', async () => {
  const read: string[] = [];
  let isWanted = true;
  const image = plainPng(64, [1, 2, 3]);
  const both = [
    decodeImage(image, () => {
      read.push('first');
      isWanted = false;
    }),
    decodeImage(
      image,
      () => read.push('second'),
      () => isWanted,
    ),
  ];
  expect(await Promise.all(both)).toEqual([true, false]);
  expect(read).toEqual(['first']);
});

test('an image with a palette has its colours', async () => {
  const seen: number[][] = [];
  const isRead = await decodeImage(palettePng(64, [200, 30, 30]), ({ planes: [y, u, v], strides: [, stride = 0] }) => {
    for (const x of [8, 56]) seen.push([y?.[x] ?? -1, u?.[stride + x / 2] ?? -1, v?.[stride + x / 2] ?? -1]);
  });
  expect(isRead).toBe(true);
  const expected = [
    [86, 103, 209],
    [16, 128, 128],
  ];
  const distances = seen.flatMap((color, at) => color.map((value, index) => value - (expected[at]?.[index] ?? 0)));
  expect(Math.max(...distances.map(Math.abs))).toBeLessThan(10);
});
