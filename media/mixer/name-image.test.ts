import { expect, test } from 'vitest';
import { drawText, type TextImage } from '../av/text-image.ts';
import { FontCoverage } from './font-coverage.ts';
import { fontFor } from './fonts.ts';
import { drawName } from './name-image.ts';
import { lineOf } from './name-runs.ts';

const fontSize = 40;
const maxWidth = 1_000;
const draw = (name: string) => drawName(name, fontSize, maxWidth);
/** Assigned to nothing: what a font shows for it, it shows for all that it has not. */
const nothing = '\u0378';
const fontOf = (text: string) => fontFor(text) ?? '';
const boxes = ['A', '王', 'र', 'ไ', '𝓐', '★'].flatMap((text) => {
  const box = drawText({ text: nothing, fontFile: fontOf(text), fontSize, maxWidth });
  return box.width > 0 ? [box] : [];
});

/** Whether one picture is somewhere in the other, but for parts of a pixel by which letters stand apart. */
function contains(image: TextImage | undefined, part: TextImage): boolean {
  const isAt = (left: number) =>
    part.coverage.every((value, at) => {
      const [x, y] = [at % part.width, Math.floor(at / part.width)];
      return Math.abs(value - (image?.coverage[y * image.width + left + x] ?? 0)) < 200;
    });
  return Array.from({ length: Math.max(0, (image?.width ?? 0) - part.width + 1) }, (_, left) => left).some(isAt);
}

const hasBox = (image: TextImage | undefined) => boxes.some((box) => contains(image, box));

const mixed = [
  'Zoë 王小明',
  'محمد 王小明',
  'राम 田中 Дмитрий',
  '𝓐𝓭𝓪 𝕷𝖔𝖛𝖊',
  'Ada ☺ Lovelace',
  '김철수 (Ελένη)',
  'สมชาย שרה',
  'ＡＤＡ ①②',
];

test('a box is known for one where a single font draws a name of two scripts', () => {
  expect(boxes.length).toBeGreaterThan(3);
  for (const [text, letter] of [
    ['Zoë 王小明', 'Z'],
    ['محمد 王小明', '王'],
    ['𝓐𝓭𝓪', 'A'],
  ] as const) {
    expect(hasBox(drawText({ text, fontFile: fontOf(letter), fontSize, maxWidth })), text).toBe(true);
  }
});

test.each(mixed)('%s has no box in it, and each of its letters is drawn', (name) => {
  expect(hasBox(draw(name))).toBe(false);
  const { runs } = lineOf(name);
  const shown = runs.map(({ text }) => text.replaceAll(' ', '')).join('');
  expect([...shown].toSorted()).toEqual([...name.replaceAll(' ', '')].toSorted());
  for (const letter of name.replaceAll(' ', '')) {
    const image = draw(letter);
    expect(
      image?.coverage.some((value) => value > 128),
      letter,
    ).toBe(true);
    expect(hasBox(image), letter).toBe(false);
  }
});

test('what no font has is left out and leaves no hole, with its letter where only a mark is missing', () => {
  const texts = (name: string) => lineOf(name).runs.map(({ text }) => text);
  expect(texts(`Ada ${nothing} Lovelace ${nothing}`)).toEqual(['Ada Lovelace']);
  expect(texts(`${nothing} A\u{1d165}da`)).toEqual(['Ada']);
  expect(draw(nothing)).toBeUndefined();
  expect(draw('')).toBeUndefined();
});

test('a letter keeps the font of those before it, but for plain ones after one of mathematics', () => {
  const runsOf = (name: string) => lineOf(name).runs.map(({ text }) => text);
  expect(runsOf('王小明 Ada')).toEqual(['王小明 Ada']);
  expect(runsOf('𝓓mitri')).toEqual(['𝓓', 'mitri']);
  // Unicode has some of these letters among its signs, and fonts of names have them there.
  expect(runsOf('𝒜ℬ𝒞')).toEqual(['𝒜ℬ𝒞']);
});

test('who begins on the right has the first of his names there, and is cut off on the left', () => {
  const [first, both, cut] = [draw('محمد'), draw('محمد Lovelace'), drawName('محمد Lovelace', fontSize, 120)];
  expect(first && both && cut && contains(both, first)).toBe(true);
  expect(cut?.width).toBe(120);
  const right = ({ width, height, coverage }: TextImage, count: number) =>
    Array.from({ length: height }, (_, y) => [...coverage.subarray((y + 1) * width - count, (y + 1) * width)]);
  expect(cut && both && first && right(cut, first.width)).toEqual(both && first && right(both, first.width));
  const latin = drawName('Lovelace محمد', fontSize, 60);
  expect(latin && contains(draw('Lovelace'), latin)).toBe(true);
});

test('a font says which characters it has, and what is no font has none', () => {
  const coverage = FontCoverage.read(fontOf('王'));
  expect([...'王Aあ한'].map((letter) => coverage.has(letter.codePointAt(0) ?? 0))).toEqual([true, true, true, true]);
  expect([...'رไ'].map((letter) => coverage.has(letter.codePointAt(0) ?? 0))).toEqual([false, false]);
  expect(FontCoverage.read(fontOf('𝓐')).has(0x1d4d0)).toBe(true);
  for (const file of ['/etc/hostname', '/nowhere', '/dev/null']) expect(FontCoverage.read(file).has(65)).toBe(false);
});
