// Owns: which font of this machine has the letters of a name. May import: node.
import { existsSync } from 'node:fs';
import { FontCoverage } from './font-coverage.ts';

interface Font {
  /** Debian's package that has it. */
  readonly debian: string;
  readonly files: readonly string[];
  /** Names with one of these letters need it. */
  readonly letters: RegExp;
}

const folder = '/usr/share/fonts';

/** Debian's fonts-dejavu-core, fonts-noto-cjk and fonts-noto-core; what is not installed is passed over. */
const fonts: readonly Font[] = [
  {
    debian: 'fonts-noto-cjk',
    letters: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/u,
    files: [`${folder}/opentype/noto/NotoSansCJK-Bold.ttc`, `${folder}/opentype/noto/NotoSansCJK-Regular.ttc`],
  },
  ...(
    [
      [/\p{Script=Devanagari}/u, 'Devanagari'],
      [/\p{Script=Bengali}/u, 'Bengali'],
      [/\p{Script=Tamil}/u, 'Tamil'],
      [/\p{Script=Telugu}/u, 'Telugu'],
      [/\p{Script=Gujarati}/u, 'Gujarati'],
      [/\p{Script=Gurmukhi}/u, 'Gurmukhi'],
      [/\p{Script=Kannada}/u, 'Kannada'],
      [/\p{Script=Malayalam}/u, 'Malayalam'],
      [/\p{Script=Sinhala}/u, 'Sinhala'],
      [/\p{Script=Thai}/u, 'Thai'],
      [/\p{Script=Khmer}/u, 'Khmer'],
      [/\p{Script=Myanmar}/u, 'Myanmar'],
      [/\p{Script=Ethiopic}/u, 'Ethiopic'],
      [/\p{Script=Oriya}/u, 'Oriya'],
      [/\p{Script=Lao}/u, 'Lao'],
      [/\p{Script=Thaana}/u, 'Thaana'],
      [/\p{Script=Javanese}/u, 'Javanese'],
      [/\p{Script=Ol_Chiki}/u, 'OlChiki'],
      [/\p{Script=Meetei_Mayek}/u, 'MeeteiMayek'],
      [/\p{Script=Cherokee}/u, 'Cherokee'],
    ] as const
  ).map(([letters, script]) => ({
    debian: 'fonts-noto-core',
    letters,
    files: [
      `${folder}/truetype/noto/NotoSans${script}-Bold.ttf`,
      `${folder}/truetype/noto/NotoSans${script}-Regular.ttf`,
    ],
  })),
];

/** Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian and Georgian. */
const usual: readonly string[] = [
  `${folder}/truetype/dejavu/DejaVuSans-Bold.ttf`,
  `${folder}/truetype/dejavu/DejaVuSans.ttf`,
  `${folder}/truetype/noto/NotoSans-Bold.ttf`,
];

/** Letters of mathematics and signs; their plain letters are not for names. */
const signs: readonly string[] = [
  `${folder}/truetype/noto/NotoSansMath-Regular.ttf`,
  `${folder}/truetype/noto/NotoSansSymbols-Bold.ttf`,
  `${folder}/truetype/noto/NotoSansSymbols2-Regular.ttf`,
];

/** For what those before have not: they have more of Arabic, and letters of full width. */
const others: readonly string[] = [`${folder}/truetype/noto/NotoSansArabic-Bold.ttf`, ...(fonts[0]?.files ?? [])];

const known = new Map<string, boolean>();
const coverages = new Map<string, FontCoverage>();

function isThere(file: string): boolean {
  let there = known.get(file);
  if (there === undefined) {
    there = existsSync(file);
    known.set(file, there);
  }
  return there;
}

function coverageOf(file: string): FontCoverage {
  const coverage = coverages.get(file) ?? FontCoverage.read(file);
  coverages.set(file, coverage);
  return coverage;
}

/** Of Arabic letters by the letter: FFmpeg puts these in its place, so a font must have them too (Unicode §9.2). */
const joiningForms = new Map<number, number[]>();
for (const [first, last] of [
  [0xfb50, 0xfbff],
  [0xfe80, 0xfefc],
] as const) {
  for (let form = first; form <= last; form++) {
    const letters = [...String.fromCodePoint(form).normalize('NFKC')];
    const letter = letters[0]?.codePointAt(0);
    if (letters.length === 1 && letter !== undefined && letter !== form)
      joiningForms.set(letter, [...(joiningForms.get(letter) ?? []), form]);
  }
}

function hasAll(file: string, text: string): boolean {
  const coverage = coverageOf(file);
  return [...text].every((letter) => {
    const codePoint = letter.codePointAt(0) ?? 0;
    return [codePoint, ...(joiningForms.get(codePoint) ?? [])].every((one) => coverage.has(one)) || isUnseen(letter);
  });
}

/** Joiners and the like: they tell how their neighbours are drawn, and are not. */
const isUnseen = (letter: string) => /\p{Default_Ignorable_Code_Point}/u.test(letter);

const isOfNoScript = (text: string) => /^[\p{Script=Common}\p{Script=Inherited}]/u.test(text);

/**
 * @param preferred of the letters before, which it is drawn with where that font has it
 * @returns the file of one that has all of it; undefined where none that is installed has
 */
export function fontFor(text: string, preferred?: string): string | undefined {
  const needed = fonts.find(({ letters }) => letters.test(text));
  const isKept = preferred && (isOfNoScript(text) || !signs.includes(preferred));
  const files = [...(needed?.files ?? []), ...(isKept ? [preferred] : []), ...usual, ...signs, ...others];
  return files.find((file) => isThere(file) && hasAll(file, text));
}

/** @returns Debian's package without which a name is not shown as it is written; undefined where nothing is missing */
export function fontMissingFor(text: string): string | undefined {
  const needed = fonts.filter(({ letters }) => letters.test(text));
  const lacking = needed.find(({ files }) => !files.some(isThere));
  if (needed.length > 0) return lacking?.debian;
  return usual.some(isThere) ? undefined : 'fonts-dejavu-core';
}

/** @returns Debian's packages without which some names are not shown, each once */
export function missingFonts(): readonly string[] {
  const lacking = fonts.filter(({ files }) => !files.some(isThere)).map(({ debian }) => debian);
  return [...new Set([...(usual.some(isThere) ? [] : ['fonts-dejavu-core']), ...lacking])];
}
