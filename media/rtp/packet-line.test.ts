import { expect, test } from 'vitest';
import { PacketLine } from './packet-line.ts';
import { durationOf } from './voice-duration.ts';

test('packets that follow each other are laid end to end, whatever their clock makes of them', () => {
  const line = new PacketLine();
  const placed = Array.from({ length: 50 }, (_, n) => line.place(n * 20_000 + (n % 3) * 400, n * 20_007, 20_000));
  expect(placed).toEqual(Array.from({ length: 50 }, (_, n) => n * 20_000));
});

test('missing packets leave a gap of their length, and a clock that has run away is followed by a step', () => {
  const line = new PacketLine();
  line.place(0, 0, 20_000);
  expect(line.place(60_000, 60_000, 20_000)).toBe(60_000);
  expect(line.place(80_000, 115_000, 20_000)).toBe(115_000);
  expect(line.place(100_000, 135_000, 20_000)).toBe(135_000);
});

test('what would lie over what was sent is left out', () => {
  const line = new PacketLine();
  line.place(0, 1_000_000, 20_000);
  expect(line.place(20_000, 960_000, 20_000)).toBeUndefined();
  expect(line.place(40_000, 980_000, 20_000)).toBeUndefined();
  expect(line.place(80_000, 1_020_000, 20_000)).toBe(1_020_000);
});

test('time stamps that a correction of the clock has set back never lie within what was sent', () => {
  const line = new PacketLine();
  line.place(0, 0, 20_000);
  line.place(20_000, 20_000, 20_000);
  const set = [0, 1, 2, 3].map((n) => line.place(n * 20_000 - 10_000, n * 20_000 - 10_000, 20_000));
  expect(set).toEqual([undefined, undefined, 40_000, 60_000]);
});

test('a clock that was set back is followed to within half a packet', () => {
  const line = new PacketLine();
  for (let n = 0; n < 5; n++) line.place(n * 20_000, n * 20_000, 20_000);
  const set = [5, 6, 7, 8].map((n) => line.place(n * 20_000, n * 20_000 - 40_000, 20_000));
  expect(set).toEqual([undefined, undefined, 100_000, 120_000]);
});

test.each([
  ['opus', [0xfc], 960],
  ['opus', [0xfd, 1], 1_920],
  ['opus', [0x08], 960],
  ['opus', [0xff, 3], 2_880],
  ['pcmu', new Array(160).fill(0), 160],
] as const)('%s %j lasts %i ticks', (codec, payload, ticks) => {
  expect(durationOf(codec, Uint8Array.from(payload))).toBe(ticks);
});
