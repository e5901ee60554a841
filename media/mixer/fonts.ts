// Owns: which font of this machine can draw a name. May import: node.
import { existsSync } from 'node:fs';

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

const known = new Map<string, boolean>();

function isThere(file: string): boolean {
  let there = known.get(file);
  if (there === undefined) {
    there = existsSync(file);
    known.set(file, there);
  }
  return there;
}

/** @returns undefined where no font is installed: names are then not shown */
export function fontFor(text: string): string | undefined {
  const needed = fonts.find(({ letters }) => letters.test(text));
  return [...(needed?.files ?? []), ...usual].find(isThere);
}

/** @returns Debian's package without which a name is not shown as it is written; undefined where nothing is missing */
export function fontMissingFor(text: string): string | undefined {
  const needed = fonts.find(({ letters }) => letters.test(text));
  if (needed) return needed.files.some(isThere) ? undefined : needed.debian;
  return usual.some(isThere) ? undefined : 'fonts-dejavu-core';
}

/** @returns Debian's packages without which some names are not shown, each once */
export function missingFonts(): readonly string[] {
  const lacking = fonts.filter(({ files }) => !files.some(isThere)).map(({ debian }) => debian);
  return [...new Set([...(usual.some(isThere) ? [] : ['fonts-dejavu-core']), ...lacking])];
}
