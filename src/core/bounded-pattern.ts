// Owns: trying a pattern on text that a caller chose, in bounded time. Pure. May import: core only.

const maxText = 256;
const maxKnown = 2_000;
/** Two for each thing of open length, one for each that may be left out: 256 characters cost milliseconds then. */
const maxChoices = 7;
const known = new Map<string, RegExp>();

/** @param pattern without a flaw: see {@link flawOfPattern} */
export function fitsPattern(pattern: string, text: string): boolean {
  return compiledOf(pattern).test(text.slice(0, maxText));
}

/**
 * Why a pattern cannot be one: callers choose what it is tried on, so that one that can take for ever is refused.
 * @returns undefined for a good one
 */
export function flawOfPattern(pattern: string): string | undefined {
  try {
    new RegExp(pattern, 'u');
  } catch {
    return 'is no regular expression';
  }
  const bare = pattern.replaceAll(/\\.|\[(?:\\.|[^\]\\])*\]/g, 'x');
  if (/\([^()]*[*+{][^()]*\)[*+{]/.test(bare)) return 'repeats a group that itself repeats, which can take for ever';
  if (/\([^()]*[|?][^()]*\)[*+{]|\)\)[*+{]/.test(bare))
    return 'repeats a group with a choice in it, which can take for ever';
  if (/\\[1-9]/.test(pattern)) return 'refers back to a group, which can take for ever';
  const open = bare.match(/[*+]|\{\d+,\d*\}/g)?.length ?? 0;
  const optional = bare.match(/(?<![*+?}(])\?/g)?.length ?? 0;
  return open * 2 + optional > maxChoices ? 'leaves too much open (three things of any length at the most)' : undefined;
}

function compiledOf(pattern: string): RegExp {
  const found = known.get(pattern);
  if (found) return found;
  if (known.size >= maxKnown) known.clear();
  const made = new RegExp(`^(?:${pattern})$`, 'u');
  known.set(pattern, made);
  return made;
}
