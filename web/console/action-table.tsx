// Owns: tables that stay readable on a narrow screen, and those whose last column is what can be done with each row.
// May import: nothing of ours.
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

interface TableProps {
  /** Cells of the head. */
  readonly head: ComponentChildren;
  /** Rows. */
  readonly children: ComponentChildren;
  readonly testId?: string;
  readonly class?: string;
}

/** Scrolls by itself where it is wider than the page; where there is no room for columns each row is a card. */
export function Table({ head, children, testId, class: more = '' }: TableProps) {
  const table = useRef<HTMLTableElement>(null);
  // After each change: rows come and go.
  useLayoutEffect(() => nameCells(table.current));
  return (
    <div class="table-scroll">
      <table class={`table cards ${more}`} ref={table} data-testid={testId}>
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** In a card each cell says the name of its column by itself. */
function nameCells(table: HTMLTableElement | null): void {
  const names = [...(table?.tHead?.rows[0]?.cells ?? [])].map(({ textContent }) => textContent);
  for (const row of table?.tBodies[0]?.rows ?? []) {
    [...row.cells].forEach((cell, index) => {
      cell.setAttribute('data-label', names[index] ?? '');
    });
  }
}

export function ActionTable({ head, ...rest }: TableProps) {
  return (
    <Table
      {...rest}
      head={
        <>
          {head}
          <ActionsHead />
        </>
      }
    />
  );
}

/** Seen by screen readers alone: buttons need no title above them. */
function ActionsHead() {
  return (
    <th>
      <span class="visually-hidden">Actions</span>
    </th>
  );
}
