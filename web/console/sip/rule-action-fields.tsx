// Owns: what a rule makes of a call, in its form. May import: the form and its siblings.
import { useState } from 'preact/hooks';
import { LinesField, SelectField, TextField } from '../form.tsx';
import { MenuFields } from './menu-fields.tsx';
import { menuShownOtherwise, type RuleDraft } from './rule-draft.ts';
import type { RuleAction } from './rule-words.ts';

interface Props {
  readonly draft: RuleDraft;
  readonly onChange: (part: Partial<RuleDraft>) => void;
}

const actionWords: readonly (readonly [RuleAction, string])[] = [
  ['room', 'It goes to a room'],
  ['personalRoom', "It gets a room of the caller's own"],
  ['menu', 'The caller chooses in a menu'],
  ['webhook', 'A system of yours is asked'],
  ['reject', 'It is refused'],
  ['other', 'Something else, as JSON'],
];

export function ActionFields({ draft, onChange }: Props) {
  return (
    <>
      <SelectField
        path="action"
        label="Then"
        value={draft.action}
        options={actionWords}
        onChange={(action) => onChange({ action: action as RuleAction })}
      />
      <ChosenFields draft={draft} onChange={onChange} />
    </>
  );
}

function ChosenFields({ draft, onChange }: Props) {
  switch (draft.action) {
    case 'room':
      return (
        <TextField
          path="room"
          label="Room"
          list="known-rooms"
          value={draft.room}
          onChange={(room) => onChange({ room })}
        />
      );
    case 'personalRoom':
      return (
        <TextField
          path="personalRoom"
          label="Its name begins with"
          hint="The number of the caller follows. For calls by a trunk or an account only."
          value={draft.prefix}
          placeholder="my-"
          onChange={(prefix) => onChange({ prefix })}
        />
      );
    case 'menu':
      return <MenuPart draft={draft} onChange={onChange} />;
    case 'webhook':
      return <WebhookFields draft={draft} onChange={onChange} />;
    case 'reject':
      return (
        <div class="field-row">
          <TextField
            path="reject.reason"
            label="Reason, told to the caller and to the log"
            value={draft.rejectReason}
            onChange={(rejectReason) => onChange({ rejectReason })}
          />
          <TextField
            path="reject.status"
            label="SIP status"
            type="number"
            value={draft.rejectStatus}
            placeholder="603"
            onChange={(rejectStatus) => onChange({ rejectStatus })}
          />
        </div>
      );
    case 'other':
      return (
        <LinesField
          path="other"
          label="As the API takes it"
          hint="Kept as it is unless you change it."
          value={draft.other}
          placeholder={'{"room": "demo"}'}
          onChange={(other) => onChange({ other })}
        />
      );
  }
}

/** By fields, or as the API takes it. */
function MenuPart({ draft, onChange }: Props) {
  const [flaw, setFlaw] = useState('');
  const isText = draft.menuText !== undefined;
  const turn = () => {
    try {
      onChange(menuShownOtherwise(draft));
      setFlaw('');
    } catch (error) {
      setFlaw(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <div class="menu-turn">
        <button type="button" class="button small" data-testid="turn-menu" onClick={turn}>
          {isText ? 'Show it as a form' : 'Show it as JSON'}
        </button>
        {flaw && (
          <span class="flaw" role="alert" data-testid="turn-flaw">
            {flaw}
          </span>
        )}
      </div>
      {isText ? (
        <LinesField
          path="menu"
          label="As the API takes it"
          hint="docs/protocols/menus.md"
          value={draft.menuText ?? ''}
          rows={24}
          onChange={(menuText) => onChange({ menuText })}
        />
      ) : (
        <MenuFields draft={draft.menu} onChange={(menu) => onChange({ menu })} />
      )}
    </>
  );
}

function WebhookFields({ draft, onChange }: Props) {
  return (
    <>
      <TextField
        path="webhook.url"
        label="Its address"
        hint="It is POSTed the call, and answers {room, access} or {reject}."
        value={draft.webhookUrl}
        placeholder="https://pbx.example/where-to"
        onChange={(webhookUrl) => onChange({ webhookUrl })}
      />
      <TextField
        path="webhook.secret"
        label="Secret that signs what is asked"
        hint="whsec_ and base64. Never shown again; one that is kept stays if this is empty."
        type="password"
        value={draft.webhookSecret}
        onChange={(webhookSecret) => onChange({ webhookSecret })}
      />
      <div class="field-row">
        <TextField
          path="webhook.fallbackRoom"
          label="Room when it does not answer"
          hint="Refused with 480 if empty."
          list="known-rooms"
          value={draft.fallbackRoom}
          onChange={(fallbackRoom) => onChange({ fallbackRoom })}
        />
        <TextField
          path="webhook.timeoutMs"
          label="Waits for it, milliseconds"
          type="number"
          value={draft.webhookTimeoutMs}
          placeholder="3000"
          onChange={(webhookTimeoutMs) => onChange({ webhookTimeoutMs })}
        />
      </div>
    </>
  );
}
