// Owns: between what is typed and what the API takes. Pure.

/** One a line, or with commas between. */
export function linesOf(text: string): string[] {
  return text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

export function linesText(lines: readonly string[] | null | undefined): string {
  return (lines ?? []).join('\n');
}

/** null, which takes a value away, where there is nothing. */
export function lines(text: string): string[] | null {
  const all = linesOf(text);
  return all.length === 0 ? null : all;
}

export function textOrNull(text: string): string | null {
  return text.trim() === '' ? null : text.trim();
}

export function numberOrNull(text: string): number | null {
  return text.trim() === '' ? null : Number(text);
}

export function numberText(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : String(value);
}

type Present<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T as null extends T[K] ? never : K]: Present<T[K]> } & {
        [K in keyof T as null extends T[K] ? K : never]?: Present<Exclude<T[K], null>>;
      }
    : T;

/** What makes a new thing of what would change one: nothing is taken away from it. */
export function withoutNulls<T extends object>(patch: T): Present<T> {
  const kept = Object.entries(patch)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => [key, isPlain(value) ? withoutNulls(value) : value]);
  return Object.fromEntries(kept) as Present<T>;
}

export function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
