import { expect, test, vi } from 'vitest';
import type { Tile } from '../av/canvas.ts';
import { TileShelf } from './tile-shelf.ts';

const tileOf = (width: number, height: number) => ({ width, height }) as Tile;

test('what was drawn is drawn once, and what nothing came of as well', () => {
  const shelf = new TileShelf();
  const draw = vi.fn((): Tile | undefined => tileOf(100, 100));
  expect(shelf.take('a', draw)?.tile).toBe(shelf.take('a', draw)?.tile);
  const none = vi.fn(() => undefined);
  for (let n = 0; n < 2; n++) expect(shelf.take('b', none)).toEqual({ tile: undefined });
  expect([draw, none].map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
});

test('one is drawn for each picture however large it is, and small ones until enough was drawn', () => {
  const shelf = new TileShelf();
  const huge = () => tileOf(1_000, 1_000);
  expect([shelf.take('a', huge), shelf.take('b', huge)].map(Boolean)).toEqual([true, false]);
  shelf.beginPicture();
  expect([shelf.take('a', huge), shelf.take('b', huge), shelf.take('c', huge)].map(Boolean)).toEqual([
    true,
    true,
    false,
  ]);
  shelf.beginPicture();
  let small = 0;
  while (shelf.take(`small ${small}`, () => tileOf(100, 40))) small += 1;
  expect(small).toBeGreaterThan(5);
  expect(small).toBeLessThan(20);
});

test('it keeps a bounded number of bytes: what was not asked for the longest goes first', () => {
  const shelf = new TileShelf();
  const draw = vi.fn(() => tileOf(1_000, 1_000));
  for (const key of ['a', 'b', 'c', 'd', 'a', 'e', 'f', 'a', 'b']) {
    shelf.beginPicture();
    shelf.take(key, draw);
  }
  // Four have room: `b` went when `f` came.
  expect(draw).toHaveBeenCalledTimes(7);
});
