// Owns: in which order the letters of a name are seen, of scripts that are read from left or from right: Unicode Annex 9
// without what names have not (embeddings, isolates). Pure. May import: nothing.

export type Side = 'left' | 'right';
type Direction = Side | 'number' | 'neutral';

const rightToLeft =
  /^[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '（': '）', '「': '」' };

/** @param letters each with its marks */
export function baseOf(letters: readonly string[]): Side {
  const base = letters.map(directionOf).find((direction) => direction === 'left' || direction === 'right');
  return base === 'right' ? 'right' : 'left';
}

/** @returns of each letter; odd ones are seen from right to left */
export function levelsOf(letters: readonly string[], base: Side): number[] {
  const directions = letters.map(directionOf);
  let strong = base;
  // A number counts as the letters that it follows.
  const sides = directions.map((direction) => {
    if (direction === 'left' || direction === 'right') strong = direction;
    return direction === 'neutral' ? undefined : strong;
  });
  setBrackets(letters, sides, base);
  return directions.map((direction, index) => {
    const before = sides.slice(0, index).findLast(Boolean) ?? base;
    const after = sides.slice(index).find(Boolean) ?? base;
    const side = sides[index] ?? (before === after ? before : base);
    if (side === 'left') return base === 'left' ? 0 : 2;
    return direction === 'number' ? 2 : 1;
  });
}

/** Rule L2: from the highest level to the lowest odd one, what is at that level or above is turned round. */
export function inVisualOrder<T extends { readonly level: number }>(runs: readonly T[]): T[] {
  return [2, 1].reduce((order, least) => turned(order, least), [...runs]);
}

function turned<T extends { readonly level: number }>(runs: readonly T[], least: number): T[] {
  const order: T[] = [];
  let from = 0;
  for (const run of runs) {
    order.splice(run.level >= least ? from : order.length, 0, run);
    if (run.level < least) from = order.length;
  }
  return order;
}

/** Rule N0: a pair is of the line, unless what is in it and before it is of the other side. */
function setBrackets(letters: readonly string[], sides: (Side | undefined)[], base: Side): void {
  const open: number[] = [];
  for (const [index, letter] of letters.entries()) {
    if (letter in closing) open.push(index);
    const from = open.findLast((at) => closing[letters[at] ?? ''] === letter);
    if (from === undefined) continue;
    open.splice(open.indexOf(from));
    const inside = sides.slice(from, index).filter(Boolean);
    if (inside.length === 0) continue;
    const before = sides.slice(0, from).findLast(Boolean) ?? base;
    const side = inside.includes(base) ? base : before;
    sides[from] = side;
    sides[index] = side;
  }
}

function directionOf(letter: string): Direction {
  if (/^\p{Nd}/u.test(letter)) return 'number';
  if (!/^[\p{L}\p{M}]/u.test(letter)) return 'neutral';
  return rightToLeft.test(letter) ? 'right' : 'left';
}
