// Owns: what is drawn over or instead of pictures: name labels, initials. May import: media/av.
import type { Tile, Yuv } from '../av/canvas.ts';
import type { TextImage } from '../av/text-image.ts';
import { drawName } from './name-image.ts';

const white = 235;
/** How much of the picture is seen through the ground of a label. */
const seeThrough = 0.4;
/** Longer names are cut: nobody reads them on a tile. */
const longestName = 40;

/** Text on a dark ground. @returns undefined when there is nothing to write or no font to write it with */
export function labelTile(name: string, cellHeight: number, maxWidth: number): Tile | undefined {
  const text = cleaned(name);
  const fontSize = Math.max(11, Math.min(40, Math.round(cellHeight / 16)));
  const margin = Math.round(fontSize / 2);
  const drawn = draw(text, fontSize, maxWidth - margin * 2 - 2);
  if (!drawn) return undefined;
  const width = evenUp(drawn.width + margin * 2);
  const height = evenUp(drawn.height);
  return makeTile(width, height, (x, y, pixel) => {
    const cover = coverageAt(drawn, x - margin, y) / 255;
    pixel.keep = seeThrough * (1 - cover);
    pixel.y = 16 * (1 - seeThrough) * (1 - cover) + white * cover;
    pixel.u = 128 * (1 - pixel.keep);
    pixel.v = pixel.u;
  });
}

/** A disc in the colour of the name with its initials, on nothing. */
export function initialsTile(name: string, cellHeight: number, cellWidth: number): Tile {
  const size = Math.max(16, evenUp(Math.min(cellHeight, cellWidth) * 0.45));
  const fontSize = Math.round(size * 0.4);
  const drawn = draw(initialsOf(name), fontSize, size);
  const disc = colorOf(name);
  const center = size / 2;
  const left = drawn ? Math.round((size - drawn.width) / 2) : 0;
  const top = drawn ? Math.round((size - drawn.height) / 2) : 0;
  return makeTile(size, size, (x, y, pixel) => {
    const inside = insideDisc(center, x, y);
    const cover = drawn ? (coverageAt(drawn, x - left, y - top) / 255) * inside : 0;
    const solid = inside - cover;
    pixel.keep = 1 - inside;
    pixel.y = disc.y * solid + white * cover;
    pixel.u = disc.u * solid + 128 * cover;
    pixel.v = disc.v * solid + 128 * cover;
  });
}

/** At most two letters: of the first and the last word; one of a script that has no capitals. */
export function initialsOf(name: string): string {
  const words = cleaned(name.replace(/\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u200d/gu, ''))
    .split(' ')
    .filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].flatMap((word) => [...(word ?? '')][0] ?? []);
  const text = letters.join('').toLocaleUpperCase('en');
  const hasCapitals = /^[\p{Lu}\p{N}]+$/u.test(text);
  return (hasCapitals ? text : ([...text][0] ?? '')) || '?';
}

/** Without controls, which would turn the text of others round; what joins letters stays. */
function cleaned(name: string): string {
  const text = name
    .normalize('NFC')
    .replace(/(?![\u200c\u200d])\p{C}|[\ufe0e\ufe0f\u20e3]/gu, '')
    .replace(/\s+/gu, ' ')
    .trim();
  const letters = [...text];
  return letters.length > longestName ? `${letters.slice(0, longestName - 1).join('')}…` : text;
}

function draw(text: string, fontSize: number, maxWidth: number): TextImage | undefined {
  if (maxWidth < fontSize) return undefined;
  try {
    return drawName(text, fontSize, maxWidth);
  } catch {
    // A font that FFmpeg cannot open: the picture is shown without a name rather than not at all.
    return undefined;
  }
}

/** Of its colour what is laid over the canvas: less where more of that stays. */
interface Pixel {
  /** 0..1 of the canvas that stays. */
  keep: number;
  y: number;
  u: number;
  v: number;
}

/** @param draw is given the same object for each pixel: a tile may have a million of them */
export function makeTile(width: number, height: number, draw: (x: number, y: number, pixel: Pixel) => void): Tile {
  const tile: Tile = {
    width,
    height,
    keep: new Uint16Array(width * height),
    addY: new Uint8Array(width * height),
    keepChroma: new Uint16Array((width * height) / 4),
    addU: new Uint8Array((width * height) / 4),
    addV: new Uint8Array((width * height) / 4),
  };
  const pixel: Pixel = { keep: 0, y: 0, u: 0, v: 0 };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      draw(x, y, pixel);
      const at = y * width + x;
      tile.keep[at] = Math.round(pixel.keep * 256);
      tile.addY[at] = Math.min(255 - Math.floor(pixel.keep * 255), pixel.y);
      if (x % 2 || y % 2) continue;
      const half = (y >> 1) * (width >> 1) + (x >> 1);
      tile.keepChroma[half] = Math.round(pixel.keep * 256);
      tile.addU[half] = pixel.u;
      tile.addV[half] = pixel.v;
    }
  }
  return tile;
}

function coverageAt({ width, height, coverage }: TextImage, x: number, y: number): number {
  return x >= 0 && y >= 0 && x < width && y < height ? (coverage[y * width + x] as number) : 0;
}

/** The same for a name wherever it is shown, dark enough for white letters. */
function colorOf(name: string): Yuv {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  const angle = (hash * Math.PI) / 180;
  return { y: 90, u: 128 + 40 * Math.cos(angle), v: 128 + 40 * Math.sin(angle) };
}

/** 0..1 of a pixel of a square that lies within its circle. @param center of the square, and so the radius */
export function insideDisc(center: number, x: number, y: number): number {
  const across = x + 0.5 - center;
  const down = y + 0.5 - center;
  return Math.max(0, Math.min(1, center - Math.sqrt(across * across + down * down)));
}

const evenUp = (value: number) => Math.ceil(value / 2) * 2;
