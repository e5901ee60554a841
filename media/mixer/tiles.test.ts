import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fontFor } from './fonts.ts';
import { initialsOf, initialsTile, labelTile } from './tiles.ts';

test.each([
  ['Ada Lovelace', 'AL'],
  ['zoë', 'Z'],
  ['Jean-Luc van der Meer', 'JM'],
  ['王小明', '王'],
  ['محمد العربي', 'م'],
  ['🎉🎉', '?'],
  ['  ', '?'],
  ['42', '4'],
])('initials of %j', (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});

/** Pixels that let nothing of the picture through, which only letters do. */
const inked = (name: string) => labelTile(name, 360, 640)?.keep.filter((kept) => kept < 20).length ?? 0;

test.each(['Ada', 'Ελένη', 'Дмитрий', 'محمد العربي', 'שרה', '王小明', '田中さん', '김철수', 'राम शर्मा', 'สมชาย'])(
  'a label says %s in letters that the font has',
  (name) => {
    expect(existsSync(fontFor(name) ?? '')).toBe(true);
    // A font without the letters draws the same box for each; real letters differ.
    expect(inked(name)).toBeGreaterThan(60);
    const { keep: first } = labelTile(name, 360, 640) ?? { keep: [] };
    const { keep: other } = labelTile([...name].reverse().join(''), 360, 640) ?? { keep: [] };
    expect([...first]).not.toEqual([...other]);
  },
);

test('a name with what FFmpeg would read as a command is only drawn', () => {
  expect(inked("%{pts} O'Brien \\:[x];,")).toBeGreaterThan(200);
});

test('a name of nothing that can be drawn has no label, and a long one is cut to its cell', () => {
  expect(labelTile('🎉', 360, 640)).toBeUndefined();
  expect(labelTile('x'.repeat(10_000), 360, 320)?.width).toBeLessThanOrEqual(320);
});

test('initials stand on a disc with nothing in its corners', () => {
  const { width, height, keep } = initialsTile('Ada Lovelace', 360, 640);
  expect([keep[0], keep.at(-1)]).toEqual([256, 256]);
  expect(keep[(height / 2) * width + 8]).toBe(0);
});
