// Owns: what is common to streams that are pulled into a room and those that leave it: a list that lives, with what is
// turned on and off and removed. May import: API contract (types), ui and its siblings.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

interface RemoteStream {
  readonly id: string;
  readonly name: string;
  readonly isEnabled: boolean;
  readonly state: string;
}

interface Props<T extends RemoteStream> {
  readonly app: Console;
  /** `streaming-in`: begins the names that tests and style sheets know. */
  readonly kind: string;
  /** Whose they are: another one forgets what was read. */
  readonly of: string;
  readonly title: string;
  readonly summary: string;
  readonly addWords: string;
  /** What is lost with one. */
  readonly removalWords: string;
  readonly list: () => Promise<readonly T[]>;
  readonly turn: (one: T, isEnabled: boolean) => Promise<unknown>;
  readonly remove: (one: T) => Promise<unknown>;
  /** Cells, as those of each row. */
  readonly head: ComponentChildren;
  readonly cells: (one: T) => ComponentChildren;
  /** The dialog that makes one. */
  readonly dialog: (onClose: () => void) => ComponentChildren;
}

const pollMs = 2_000;

export function RemoteStreams<T extends RemoteStream>(props: Props<T>) {
  const { app, kind, head, cells, dialog, turn, remove } = props;
  const polled = usePolled(app, `${kind} of ${props.of}`, pollMs, props.list);
  const [isCreating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<T>();
  const refresh = () => void polled.refresh();
  const turnOver = async (one: T) => {
    await act(app, () => turn(one, !one.isEnabled), `${one.name} is turned ${one.isEnabled ? 'off' : 'on'}.`);
    refresh();
  };
  return (
    <section class="block" data-testid={`${kind}s`}>
      <h2>{props.title}</h2>
      <p class="dim summary">{props.summary}</p>
      <Loaded from={polled}>
        {(all) =>
          all.length > 0 && (
            <ActionTable head={head}>
              {all.map((one) => (
                <tr key={one.id} data-testid={`${kind}-row`} data-name={one.name} data-state={one.state}>
                  {cells(one)}
                  <td class="row-actions">
                    <button
                      type="button"
                      class="button small"
                      data-testid={`turn-${kind}`}
                      onClick={() => void turnOver(one)}
                    >
                      {one.isEnabled ? 'Turn off' : 'Turn on'}
                    </button>
                    <button
                      type="button"
                      class="button small"
                      data-testid={`delete-${kind}`}
                      onClick={() => setDeleting(one)}
                    >
                      <Icon name="trash" size={16} /> Remove
                    </button>
                  </td>
                </tr>
              ))}
            </ActionTable>
          )
        }
      </Loaded>
      <button type="button" class="button" data-testid={`create-${kind}`} onClick={() => setCreating(true)}>
        <Icon name="plus" size={18} /> {props.addWords}
      </button>
      {isCreating &&
        dialog(() => {
          setCreating(false);
          refresh();
        })}
      {deleting && (
        <Confirm
          title={`Remove ${deleting.name}?`}
          text={props.removalWords}
          deed="Remove it"
          onConfirm={() => act(app, () => remove(deleting), 'Removed.').then(refresh)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </section>
  );
}
