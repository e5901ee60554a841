// Owns: calling a phone into a room. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource, SipCallInput } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { showToast } from '../ui/toasts.tsx';
import type { Console } from './console.ts';
import { Problem } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
  readonly onClose: () => void;
}

interface Draft {
  readonly to: string;
  readonly from: string;
  readonly username: string;
  readonly password: string;
  readonly digits: string;
  readonly hasEarlyMedia: boolean;
}

const empty: Draft = { to: '', from: '', username: '', password: '', digits: '', hasEarlyMedia: false };

export function DialOutDialog({ app, room, onClose }: Props) {
  const [draft, setDraft] = useState(empty);
  const [error, setError] = useState<Error>();
  const [isBusy, setBusy] = useState(false);
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await app.api.dialOut(room.id, inputOf(draft));
      showToast('It is ringing.', { icon: 'phone' });
      onClose();
    } catch (thrown) {
      app.noticed(thrown);
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
      setBusy(false);
    }
  };
  const field = (name: 'to' | 'from' | 'username' | 'digits', label: string, placeholder: string) => (
    <label class="field">
      {label}
      <input
        class="input"
        data-testid={`dial-${name}`}
        value={draft[name]}
        required={name === 'to'}
        placeholder={placeholder}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => change({ [name]: event.currentTarget.value })}
      />
    </label>
  );
  return (
    <Dialog title={`Call a phone into ${room.displayName || room.name}`} testId="dial-out-dialog" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {error && <Problem error={error} />}
        {field('to', 'Whom to call', 'sip:alice@pbx.example or tel:+4930123')}
        {field('from', 'Number or name that is shown there', room.name)}
        <div class="field-row">
          {field('username', 'User name, if the other side asks', '')}
          <label class="field">
            Password
            <input
              class="input"
              type="password"
              data-testid="dial-password"
              value={draft.password}
              autocomplete="new-password"
              onInput={(event) => change({ password: event.currentTarget.value })}
            />
          </label>
        </div>
        {field('digits', 'Keys to press once it is answered', '1,,200# (a comma waits half a second)')}
        <label class="choice">
          <input
            type="checkbox"
            checked={draft.hasEarlyMedia}
            onChange={(event) => change({ hasEarlyMedia: event.currentTarget.checked })}
          />
          Let the room hear what comes before the answer
        </label>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid="dial" disabled={isBusy || draft.to.trim() === ''}>
            <Icon name="phone" size={18} /> Call
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function inputOf({ to, from, username, password, digits, hasEarlyMedia }: Draft): SipCallInput {
  return {
    to: to.trim(),
    ...(from.trim() && { from: from.trim() }),
    ...(username && { credentials: { username, password } }),
    ...(digits.trim() && { digits: digits.trim() }),
    ...(hasEarlyMedia && { hasEarlyMedia }),
  };
}
