// Owns: a name cut into runs that one font draws in one direction. Pure but for the fonts.
import { baseOf, inVisualOrder, levelsOf } from './bidi.ts';
import { fontFor } from './fonts.ts';

export interface NameRun {
  readonly text: string;
  readonly fontFile: string;
  readonly isRightToLeft: boolean;
  /** On its left and right. */
  readonly spaces: readonly [left: number, right: number];
}

export interface NameLine {
  /** From left to right, as they are seen. */
  readonly runs: readonly NameRun[];
  /** It begins on the right. */
  readonly isRightToLeft: boolean;
}

/** A letter with its marks. */
interface Letter {
  readonly text: string;
  readonly fontFile: string;
}

interface Run extends Letter {
  readonly level: number;
}

const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** What no font has is left out, or written in plain letters where Unicode knows some (NFKC): never a box. */
export function lineOf(name: string): NameLine {
  const seen = lettersOf(name);
  const texts = seen.map(({ text }) => text);
  const base = baseOf(texts);
  const levels = levelsOf(texts, base);
  const runs: Run[] = [];
  for (const [index, { text, fontFile }] of seen.entries()) {
    const level = levels[index] ?? 0;
    const last = runs.at(-1);
    const isSame = last?.level === level && last.fontFile === fontFile;
    if (isSame) runs.pop();
    runs.push({ text: isSame ? last.text + text : text, fontFile, level });
  }
  return { runs: inVisualOrder(runs).map(runOf), isRightToLeft: base === 'right' };
}

function runOf({ text, fontFile, level }: Run): NameRun {
  const isRightToLeft = level % 2 === 1;
  const before = text.length - text.trimStart().length;
  const after = text.length - text.trimEnd().length;
  return { text: text.trim(), fontFile, isRightToLeft, spaces: isRightToLeft ? [after, before] : [before, after] };
}

function lettersOf(name: string): Letter[] {
  const found: Letter[] = [];
  for (const { segment } of letters.segment(name)) {
    const last = found.at(-1);
    const letter = letterOf(segment, last?.fontFile);
    // What was left out leaves no hole.
    const isNeedless = letter?.text === ' ' && (!last || last.text === ' ');
    if (letter && !isNeedless) found.push(letter);
  }
  if (found.at(-1)?.text === ' ') found.pop();
  return found;
}

/** As it is, or without its marks, or in plain letters. */
function letterOf(segment: string, preferred: string | undefined): Letter | undefined {
  const [first = ''] = segment;
  for (const text of [segment, first, segment.normalize('NFKC')]) {
    const fontFile = fontFor(text, preferred);
    if (fontFile !== undefined) return { text, fontFile };
  }
  return undefined;
}
