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

test('one is drawn for each picture however long it takes, and others until it took long enough', () => {
  let nowMs = 0;
  const shelf = new TileShelf(() => nowMs);
  const drawnIn = (tookMs: number) => () => {
    nowMs += tookMs;
    return tileOf(100, 40);
  };
  const isDrawn = (key: string, tookMs: number) => shelf.take(key, drawnIn(tookMs)) !== undefined;
  expect([isDrawn('a', 50), isDrawn('b', 50)]).toEqual([true, false]);
  shelf.beginPicture();
  // What is known takes no time.
  expect([isDrawn('a', 50), isDrawn('b', 50), isDrawn('c', 50)]).toEqual([true, true, false]);
  shelf.beginPicture();
  const drawn = Array.from({ length: 20 }, (_, n) => isDrawn(`short ${n}`, 0.5));
  expect(drawn.filter(Boolean).length).toBe(8);
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
