// Owns: trying a pattern on text that a caller chose, in bounded time. Pure. May import: core only.

const maxText = 256;
const maxKnown = 2_000;
/** Two for each thing of open length, one for each that may be left out, half a one for one of two: 256 characters cost milliseconds then. */
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
  return new PatternCost(pattern).flaw;
}

interface Part {
  readonly choices: number;
  readonly isOpen: boolean;
}

const nothing: Part = { choices: 0, isOpen: false };
/** An escape, a class of characters, the beginning and the end of a group, a choice, how often, any other character. */
const tokens =
  /\\(?:[pPu]\{[^}]*\}|k<[^>]*>|.)|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?|\)|\||(?:[*+?]|\{[\d,]+\})\??|./gsu;

/** How much of a pattern is left open, at any depth of its groups: what is tried over and over is tried by these. */
class PatternCost {
  readonly flaw: string | undefined;
  readonly #tokens: readonly string[];
  #at = 0;
  #found: string | undefined;

  constructor(pattern: string) {
    this.#tokens = pattern.match(tokens) ?? [];
    const { choices } = this.#alternatives();
    if (choices > maxChoices) this.#found ??= 'leaves too much open (three things of any length at the most)';
    this.flaw = this.#found;
  }

  /** Up to the end of its group. */
  #alternatives(): Part {
    const parts = [this.#sequence()];
    while (this.#tokens[this.#at] === '|') {
      this.#at++;
      parts.push(this.#sequence());
    }
    return {
      choices: Math.max(...parts.map(({ choices }) => choices)) + Math.log2(parts.length) / 2,
      isOpen: parts.some(({ isOpen }) => isOpen),
    };
  }

  #sequence(): Part {
    let choices = 0;
    let isOpen = false;
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || token === '|' || token === ')') return { choices, isOpen };
      this.#at++;
      if (/^\\(?:[1-9]|k<)/.test(token)) this.#found ??= 'refers back to a group, which can take for ever';
      const part = this.#repeated(token.startsWith('(') ? this.#group() : nothing);
      choices += part.choices;
      isOpen ||= part.isOpen;
    }
  }

  #group(): Part {
    const part = this.#alternatives();
    this.#at++; // its )
    return part;
  }

  #repeated(part: Part): Part {
    const quantifier = /^([*+?]|\{(\d+)(,?)(\d*)\})\??$/.exec(this.#tokens[this.#at] ?? '');
    if (!quantifier) return part;
    this.#at++;
    const [, times, least = '', comma, most = ''] = quantifier;
    if (times === '?') return { ...part, choices: part.choices + 1 };
    if (least !== '' && (comma === '' || least === most)) {
      return { ...part, choices: part.choices * Number(least) };
    }
    if (part.isOpen) this.#found ??= 'repeats a group that itself repeats, which can take for ever';
    else if (part.choices > 0) this.#found ??= 'repeats a group with a choice in it, which can take for ever';
    return { choices: part.choices + 2, isOpen: true };
  }
}

function compiledOf(pattern: string): RegExp {
  const found = known.get(pattern);
  if (found) return found;
  if (known.size >= maxKnown) known.clear();
  const made = new RegExp(`^(?:${pattern})$`, 'u');
  known.set(pattern, made);
  return made;
}
