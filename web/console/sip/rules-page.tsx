// Owns: the rules for calls that come in, in their order, and what would become of a call. May import: API contract (types),
// ui and the console.
import { useRef, useState } from 'preact/hooks';
import type { DispatchRuleResource } from '#api/contract.ts';
import { Icon } from '../../ui/icons.tsx';
import { act } from '../act.ts';
import { ActionTable } from '../action-table.tsx';
import { Confirm } from '../confirm.tsx';
import type { Console } from '../console.ts';
import { usePolled } from '../polled.ts';
import { Empty, Loaded } from '../states.tsx';
import { RuleDialog } from './rule-dialog.tsx';
import { ordersAfterMove } from './rule-order.ts';
import { actionOf, askedTexts, becomesText } from './rule-words.ts';
import { Simulator } from './simulator.tsx';

const pollMs = 5_000;

export function RulesPage({ app }: { app: Console }) {
  const rules = usePolled(app, 'dispatch rules', pollMs, () => app.api.sip.dispatchRules());
  const [editing, setEditing] = useState<DispatchRuleResource | 'new'>();
  const [deleting, setDeleting] = useState<DispatchRuleResource>();
  const refresh = () => rules.refresh();
  return (
    <>
      <header class="page-head">
        <h1>Dispatch rules</h1>
        <button type="button" class="button primary" data-testid="create-rule" onClick={() => setEditing('new')}>
          <Icon name="plus" size={18} /> New rule
        </button>
      </header>
      <p class="dim summary">
        What becomes of calls that come in. The first rule that fits holds; where none does, the room that is called
        what was dialled.
      </p>
      <Loaded from={rules}>
        {(all) => (
          <>
            {all.length === 0 ? (
              <Empty icon="rules" title="No rules">
                <p>Calls go to the room that is called what was dialled.</p>
              </Empty>
            ) : (
              <RuleTable app={app} rules={all} onChanged={refresh} {...{ setEditing, setDeleting }} />
            )}
            <Simulator app={app} rules={all} />
          </>
        )}
      </Loaded>
      {editing && (
        <RuleDialog
          app={app}
          {...(editing !== 'new' && { rule: editing })}
          onClose={() => {
            setEditing(undefined);
            void refresh();
          }}
        />
      )}
      {deleting && (
        <Confirm
          title="Delete the rule?"
          text={`Calls ${askedTexts(deleting).join(', ')}: another rule holds for them then, or none. That cannot be undone.`}
          deed="Delete the rule"
          onConfirm={() => act(app, () => app.api.sip.deleteDispatchRule(deleting.id), 'Rule deleted.').then(refresh)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </>
  );
}

interface TableProps {
  readonly app: Console;
  readonly rules: readonly DispatchRuleResource[];
  readonly onChanged: () => Promise<void>;
  readonly setEditing: (rule: DispatchRuleResource) => void;
  readonly setDeleting: (rule: DispatchRuleResource) => void;
}

function RuleTable({ app, rules, onChanged, ...choices }: TableProps) {
  const [moving, setMoving] = useState<string>();
  const body = useRef<HTMLDivElement>(null);
  // Those of the configuration are above, and stay there.
  const own = rules.filter(({ source }) => source === 'api');
  const move = async (id: string, steps: -1 | 1) => {
    setMoving(id);
    await act(app, async () => {
      for (const { id: other, order } of ordersAfterMove(own, id, steps)) {
        await app.api.sip.patchDispatchRule(other, { order });
      }
    });
    await onChanged();
    setMoving(undefined);
    // The row was put elsewhere, and the keyboard stays with it.
    const button = `[data-rule="${id}"] [data-steps="${steps}"]`;
    requestAnimationFrame(() => body.current?.querySelector<HTMLButtonElement>(button)?.focus());
  };
  return (
    <div ref={body} data-testid="rules" aria-busy={moving !== undefined}>
      <ActionTable
        head={
          <>
            <th class="number">Order</th>
            <th>A call</th>
            <th>then</th>
          </>
        }
      >
        {rules.map((rule) => (
          <RuleRow
            key={rule.id}
            rule={rule}
            place={own.indexOf(rule)}
            count={own.length}
            isMoving={moving !== undefined}
            onMove={(steps) => void move(rule.id, steps)}
            {...choices}
          />
        ))}
      </ActionTable>
    </div>
  );
}

interface RowProps extends Pick<TableProps, 'setEditing' | 'setDeleting'> {
  readonly rule: DispatchRuleResource;
  /** Among those that can be moved; -1 for one that cannot. */
  readonly place: number;
  readonly count: number;
  readonly isMoving: boolean;
  readonly onMove: (steps: -1 | 1) => void;
}

function RuleRow({ rule, place, count, isMoving, onMove, setEditing, setDeleting }: RowProps) {
  const mover = (steps: -1 | 1, icon: 'chevronUp' | 'chevronDown', words: string) => (
    <button
      type="button"
      class="button small square"
      title={words}
      aria-label={words}
      data-steps={steps}
      data-testid={steps < 0 ? 'rule-up' : 'rule-down'}
      // Not disabled while one moves: the keyboard would be lost.
      aria-disabled={isMoving}
      disabled={place + steps < 0 || place + steps >= count}
      onClick={() => !isMoving && onMove(steps)}
    >
      <Icon name={icon} size={16} />
    </button>
  );
  return (
    <tr data-testid="rule-row" data-rule={rule.id}>
      <td class="number dim">{rule.source === 'api' ? rule.order : '–'}</td>
      <td>
        {askedTexts(rule).map((text) => (
          <p key={text}>{text}</p>
        ))}
      </td>
      <td class={actionOf(rule) === 'other' ? 'mono json' : ''} data-testid="rule-becomes">
        {becomesText(rule)}
      </td>
      <td class="row-actions">
        {place < 0 ? (
          <span class="tag" title="Change it there: sip.rules">
            of the configuration
          </span>
        ) : (
          <>
            {mover(-1, 'chevronUp', 'Try it earlier')}
            {mover(1, 'chevronDown', 'Try it later')}
            <button type="button" class="button small" data-testid="edit-rule" onClick={() => setEditing(rule)}>
              <Icon name="edit" size={16} /> Edit
            </button>
            <button type="button" class="button small" data-testid="delete-rule" onClick={() => setDeleting(rule)}>
              <Icon name="trash" size={16} /> Delete
            </button>
          </>
        )}
      </td>
    </tr>
  );
}
