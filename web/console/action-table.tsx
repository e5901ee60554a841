// Owns: a table whose last column is what can be done with each row. May import: nothing of ours.
import type { ComponentChildren } from 'preact';

interface Props {
  /** Of the columns before. */
  readonly head: ComponentChildren;
  /** Rows. */
  readonly children: ComponentChildren;
}

/** Scrolls by itself where it is wider than the page. */
export function ActionTable({ head, children }: Props) {
  return (
    <div class="table-scroll">
      <table class="table">
        <thead>
          <tr>
            {head}
            <ActionsHead />
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Seen by screen readers alone: buttons need no title above them. */
export function ActionsHead() {
  return (
    <th>
      <span class="visually-hidden">Actions</span>
    </th>
  );
}
