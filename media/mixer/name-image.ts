// Owns: a name drawn as one line, each run of it in a font that has its letters. May import: media/av.
import { drawText, type TextImage } from '../av/text-image.ts';
import { lineOf, type NameRun } from './name-runs.ts';

/** In parts of the size of the font: a space, and what lies between letters of two fonts. */
const space = 0.3;
const gap = 0.06;
/** No letter that we know is wider, with its marks. */
const widestLetter = 1.4;
/** So that signs at the ends of what is read from right to left are, too. */
const rightToLeftMark = '\u200f';

/**
 * @param maxWidth what is longer is cut off at its end, which of Arabic and Hebrew is on the left
 * @returns undefined where nothing can be drawn of it
 * @throws AvError for a font that FFmpeg cannot open
 */
export function drawName(name: string, fontSize: number, maxWidth: number): TextImage | undefined {
  const { runs, isRightToLeft } = lineOf(name);
  let width = 0;
  const drawn = runs.map((run) => {
    const image = drawRun(run, fontSize);
    const left = width + Math.round(run.spaces[0] * space * fontSize);
    width = left + (image?.width ?? 0) + Math.round((run.spaces[1] * space + gap) * fontSize);
    return { image, left };
  });
  const height = Math.max(0, ...drawn.map(({ image }) => image?.height ?? 0));
  const used = Math.max(0, ...drawn.map(({ image, left }) => (image ? left + image.width : 0)));
  if (used === 0) return undefined;
  const seen = Math.min(used, Math.floor(maxWidth));
  const cut = isRightToLeft ? used - seen : 0;
  const coverage = new Uint8Array(seen * height);
  for (const { image, left } of drawn) if (image) lay(image, left - cut, coverage, seen);
  return { width: seen, height, coverage };
}

function drawRun({ text, fontFile, isRightToLeft }: NameRun, fontSize: number): TextImage | undefined {
  if (text === '') return undefined;
  const marked = isRightToLeft ? `${rightToLeftMark}${text}${rightToLeftMark}` : text;
  return drawText({ text: marked, fontFile, fontSize, maxWidth: (text.length + 1) * fontSize * widestLetter });
}

/** What does not lie within is cut off. */
function lay({ width, height, coverage }: TextImage, left: number, to: Uint8Array, toWidth: number): void {
  const from = Math.max(0, -left);
  const until = Math.min(width, toWidth - left);
  if (until <= from) return;
  for (let y = 0; y < height; y++)
    to.set(coverage.subarray(y * width + from, y * width + until), y * toWidth + left + from);
}
