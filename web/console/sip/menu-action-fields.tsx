// Owns: what a key of a menu does, in the form of a rule. May import: the form and its siblings.
import { LinesField, SelectField, TextField } from '../form.tsx';
import type { ActionDraft, Deed, DialDraft } from './menu-draft.ts';

interface Props<D> {
  /** As the API names it: `menu.nodes.main.keys.1`. */
  readonly path: string;
  readonly draft: D;
  /** Names of the parts of the menu. */
  readonly names: readonly string[];
  readonly onChange: (part: Partial<D>) => void;
  /** A new part is to be led to from here. */
  readonly onNewNode: () => void;
}

export const languageOptions = [
  ['', 'as before'],
  ['en', 'English'],
  ['es', 'Spanish'],
  ['zh', 'Chinese'],
] as const;

export const deedOptions: readonly (readonly [Deed, string])[] = [
  ['menu', 'leads down to'],
  ['goto', 'goes to'],
  ['room', 'leads into a room'],
  ['dial', 'calls somebody'],
  ['repeat', 'says it again'],
  ['hangUp', 'hangs up'],
];

/** The fields of one deed; which it is has been chosen beside it. */
export function DeedFields({ path, draft, names, onChange, onNewNode }: Props<ActionDraft>) {
  switch (draft.deed) {
    case 'menu':
    case 'goto':
      return (
        <NodeField
          path={`${path}.${draft.deed}`}
          label="Part of the menu"
          value={draft.node}
          names={names}
          onChange={(node) => onChange({ node })}
          onNewNode={onNewNode}
        />
      );
    case 'room':
      return (
        <div class="field-row">
          <TextField
            path={`${path}.room`}
            label="Room"
            list="known-rooms"
            value={draft.room}
            onChange={(room) => onChange({ room })}
          />
          <SelectField
            path={`${path}.access`}
            label="Its door"
            value={draft.access}
            options={[
              ['', 'as the room says'],
              ['pin', 'asks for a PIN'],
              ['open', 'lets them in'],
            ]}
            onChange={(access) => onChange({ access })}
          />
        </div>
      );
    case 'dial':
      return (
        <>
          <TextField
            path={`${path}.dial.to`}
            label="Whom"
            hint="A SIP address, an account, or a number with the trunk that it goes through."
            list="known-accounts"
            value={draft.dial.to}
            placeholder="+4930123"
            onChange={(to) => onChange({ dial: { ...draft.dial, to } })}
          />
          <DialFields
            path={`${path}.dial`}
            draft={draft.dial}
            names={names}
            onChange={(part) => onChange({ dial: { ...draft.dial, ...part } })}
            onNewNode={onNewNode}
          />
        </>
      );
    case 'hangUp':
      return (
        <div class="field-row">
          <TextField
            path={`${path}.hangUp.reason`}
            label="Reason, for the record"
            value={draft.reason}
            onChange={(reason) => onChange({ reason })}
          />
          <LinesField
            path={`${path}.hangUp.say`}
            label="Says before"
            value={draft.say}
            placeholder="goodbye"
            onChange={(say) => onChange({ say })}
          />
        </div>
      );
    default:
      return null;
  }
}

/** How somebody is called, and what comes of it when nobody answers. */
export function DialFields({ path, draft, names, onChange, onNewNode }: Props<DialDraft>) {
  return (
    <>
      <div class="field-row three">
        <TextField
          path={`${path}.trunk`}
          label="Through the trunk"
          list="known-trunks"
          value={draft.trunk}
          onChange={(trunk) => onChange({ trunk })}
        />
        <TextField
          path={`${path}.ringTimeoutMs`}
          label="Rings at most, milliseconds"
          type="number"
          value={draft.ringTimeoutMs}
          placeholder="30000"
          onChange={(ringTimeoutMs) => onChange({ ringTimeoutMs })}
        />
        <SelectField
          path={`${path}.showsCaller`}
          label="Shown there"
          value={draft.showsCaller}
          options={[
            ['', draft.trunk.trim() === '' ? 'the caller (usual)' : "the trunk's number (usual)"],
            ['yes', 'the number of the caller'],
            ['no', "the trunk's number, or the room's"],
          ]}
          onChange={(showsCaller) => onChange({ showsCaller })}
        />
      </div>
      <div class="field-row">
        <LinesField
          path={`${path}.unanswered.say`}
          label="Says when nobody answers"
          hint="Our words that it is busy, does not answer or is not reached, if empty."
          value={draft.say}
          onChange={(say) => onChange({ say })}
        />
        <NodeField
          path={`${path}.unanswered.goto`}
          label="And goes on"
          value={draft.goto}
          none="where the caller was"
          names={names}
          onChange={(goto) => onChange({ goto })}
          onNewNode={onNewNode}
        />
      </div>
    </>
  );
}

interface NodeFieldProps {
  readonly path: string;
  readonly label: string;
  readonly value: string;
  readonly names: readonly string[];
  /** Words for no choice, where that is one. */
  readonly none?: string;
  readonly onChange: (name: string) => void;
  readonly onNewNode: () => void;
}

/** No name of a part begins so. */
const newOne = '+';

export function NodeField({ path, label, value, names, none = '–', onChange, onNewNode }: NodeFieldProps) {
  return (
    <SelectField
      path={path}
      label={label}
      value={value}
      options={[['', none], ...names.map((name) => [name, name] as const), [newOne, 'a new part']]}
      onChange={(name) => (name === newOne ? onNewNode() : onChange(name))}
    />
  );
}
