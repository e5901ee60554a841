// Owns: the form of a rule, new or not. May import: API contract (types), ui and the console.
import { useState } from 'preact/hooks';
import type { DispatchRuleResource } from '#api/contract.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { showToast } from '../../ui/toasts.tsx';
import type { Console } from '../console.ts';
import { ApiForm, CheckField, SelectField, TextField } from '../form.tsx';
import { usePolled } from '../polled.ts';
import { ActionFields } from './rule-action-fields.tsx';
import { AskedFields } from './rule-asked-fields.tsx';
import { draftOfRule, emptyRule, inputOfRule, patchOfRule, type RuleDraft } from './rule-draft.ts';

interface Props {
  readonly app: Console;
  /** Absent for a new one. */
  readonly rule?: DispatchRuleResource;
  readonly onClose: () => void;
}

const choicesPollMs = 60_000;
const shownRooms = 200;

export function RuleDialog({ app, rule, onClose }: Props) {
  const [draft, setDraft] = useState<RuleDraft>(() => (rule ? draftOfRule(rule) : emptyRule));
  const change = (part: Partial<RuleDraft>) => setDraft((before) => ({ ...before, ...part }));
  const submit = async () => {
    if (rule) await app.api.sip.patchDispatchRule(rule.id, patchOfRule(draft, rule));
    else await app.api.sip.createDispatchRule(inputOfRule(draft));
    showToast(rule ? 'Rule saved.' : 'Rule made.', { icon: 'check' });
    onClose();
  };
  return (
    <Dialog title={rule ? 'Rule' : 'New rule'} testId="rule-dialog" isWide onClose={onClose}>
      <Choices app={app} />
      <ApiForm app={app} testId="rule-form" deed={rule ? 'Save' : 'Make the rule'} onSubmit={submit} onCancel={onClose}>
        <AskedFields draft={draft} onChange={change} />
        <fieldset class="choices">
          <legend>What becomes of it</legend>
          <div class="stack">
            <ActionFields draft={draft} onChange={change} />
          </div>
        </fieldset>
        <DoorFields draft={draft} hasPin={rule?.hasPin ?? false} onChange={change} />
      </ApiForm>
    </Dialog>
  );
}

/** Names that are offered while one types; without them all the same can be typed. */
function Choices({ app }: { app: Console }) {
  const { value } = usePolled(app, 'choices for rules', choicesPollMs, async () => {
    const [rooms, trunks, accounts] = await Promise.all([
      app.api.rooms(),
      app.api.sip.trunks(),
      app.api.sip.accounts(),
    ]);
    return {
      'known-rooms': rooms.slice(0, shownRooms).map(({ name }) => name),
      'known-trunks': trunks.map(({ name }) => name),
      'known-accounts': ['*', ...accounts.map(({ username }) => username)],
    };
  });
  return (
    <>
      {Object.entries(value ?? {}).map(([id, names]) => (
        <datalist key={id} id={id}>
          {names.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      ))}
    </>
  );
}

interface DoorProps {
  readonly draft: RuleDraft;
  readonly hasPin: boolean;
  readonly onChange: (part: Partial<RuleDraft>) => void;
}

function DoorFields({ draft, hasPin, onChange }: DoorProps) {
  return (
    <>
      {draft.action !== 'reject' && draft.action !== 'menu' && (
        <div class="field-row">
          <SelectField
            path="access"
            label="Door of the room"
            value={draft.access}
            options={[
              ['', 'as the room says'],
              ['pin', 'asks for a PIN'],
              ['open', 'lets in whoever comes by this rule'],
            ]}
            onChange={(access) => onChange({ access })}
          />
          <TextField
            path="pin"
            label="PIN of the rule"
            hint={
              hasPin ? 'There is one, which is never shown; it stays if this is empty.' : 'That of the room if empty.'
            }
            value={draft.pin}
            placeholder={hasPin ? 'stays as it is' : ''}
            onChange={(pin) => onChange({ pin })}
          />
        </div>
      )}
      {hasPin && draft.pin.trim() === '' && (
        <CheckField
          path="isPinGone"
          label="Take its PIN away"
          isChecked={draft.isPinGone}
          onChange={(isPinGone) => onChange({ isPinGone })}
        />
      )}
      <div class="field-row">
        <SelectField
          path="language"
          label="Language of announcements"
          value={draft.language}
          options={[
            ['', 'as the room says'],
            ['en', 'English'],
            ['es', 'Spanish'],
            ['zh', 'Chinese'],
          ]}
          onChange={(language) => onChange({ language })}
        />
        {draft.action !== 'reject' && (
          <SelectField
            path="record"
            label="Recording of the calls"
            hint="Each by itself, from when it is in its room."
            value={draft.record === null ? '' : draft.record === false ? 'no' : 'yes'}
            options={[
              ['', 'as their trunk says'],
              ['yes', 'they are recorded'],
              ['no', 'they are not recorded'],
            ]}
            onChange={(wish) => onChange({ record: wish === '' ? null : wish === 'yes' })}
          />
        )}
        <TextField
          path="order"
          label="Order"
          hint="Lower is tried first."
          type="number"
          value={draft.order}
          placeholder="100"
          onChange={(order) => onChange({ order })}
        />
      </div>
    </>
  );
}
