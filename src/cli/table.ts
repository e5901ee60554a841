// Owns: how lists and single things are shown to people on a terminal. Pure.

type Cell = string | number | boolean | null | undefined;

/** What comes from others may hold escape sequences; a terminal must not obey them. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, '?');

const shown = (cell: Cell): string => {
  if (cell === null || cell === undefined || cell === '') return '-';
  return typeof cell === 'boolean' ? (cell ? 'yes' : 'no') : printable(String(cell));
};

/** Columns as wide as their longest cell, two blanks apart. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [head, ...rows.map((row) => row.map(shown))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One line for each field; what has fields of its own is shown as JSON. */
export function card(fields: object): string {
  const entries = Object.entries(fields).map(([name, value]) => [name, flat(value)] as const);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

function flat(value: unknown): string {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return shown(value.join(', '));
  return typeof value === 'object' && value !== null ? printable(JSON.stringify(value)) : shown(value as Cell);
}
