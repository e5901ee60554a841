// Owns: the form of a phone's account, and its password, shown once. May import: API contract (types), ui and the console.
import { useState } from 'preact/hooks';
import type { SipAccount } from '#api/contract.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Icon } from '../../ui/icons.tsx';
import { showToast } from '../../ui/toasts.tsx';
import { copyText } from '../act.ts';
import type { Console } from '../console.ts';
import { ApiForm, CheckField, SelectField, TextField } from '../form.tsx';
import { newPassword } from './account-password.ts';
import { numberOrNull, textOrNull, withoutNulls } from './draft-values.ts';

interface Props {
  readonly app: Console;
  /** Absent for a new one. */
  readonly account?: SipAccount;
  readonly onClose: () => void;
}

type PasswordChoice = 'keep' | 'make' | 'type';

export function AccountDialog({ app, account, onClose }: Props) {
  const [username, setUsername] = useState(account?.username ?? '');
  const [displayName, setDisplayName] = useState(account?.displayName ?? '');
  const [isEnabled, setEnabled] = useState(account?.isEnabled ?? true);
  const [maxContacts, setMaxContacts] = useState(account ? String(account.maxContacts) : '');
  const [choice, setChoice] = useState<PasswordChoice>(account ? 'keep' : 'make');
  const [typed, setTyped] = useState('');
  const [shown, setShown] = useState<Login>();
  const submit = async () => {
    const password = { keep: undefined, make: newPassword(), type: typed }[choice];
    const patch = {
      ...{ username: username.trim(), displayName: textOrNull(displayName), isEnabled },
      ...{ maxContacts: numberOrNull(maxContacts), ...(password !== undefined && { password }) },
    };
    if (account) await app.api.sip.patchAccount(account.id, patch);
    else await app.api.sip.createAccount(withoutNulls(patch));
    showToast(account ? 'Account saved.' : 'Account made.', { icon: 'check' });
    if (password === undefined) onClose();
    else setShown({ username: patch.username, password });
  };
  if (shown) return <MadeLogin login={shown} onClose={onClose} />;
  return (
    <Dialog title={account ? `Account ${account.username}` : 'New account'} testId="account-dialog" onClose={onClose}>
      <ApiForm
        app={app}
        testId="account-form"
        deed={account ? 'Save' : 'Make the account'}
        onSubmit={submit}
        onCancel={onClose}
      >
        <TextField
          path="username"
          label="User name"
          hint="Part of its address, and its name in the password dialogue."
          value={username}
          isRequired
          placeholder="alice"
          onChange={setUsername}
        />
        <TextField
          path="displayName"
          label="Name in rooms"
          value={displayName}
          placeholder={username}
          onChange={setDisplayName}
        />
        <SelectField
          path="passwordChoice"
          label="Password"
          value={choice}
          options={[
            ...(account ? ([['keep', 'stays as it is']] as const) : []),
            ['make', 'make one, and show it once'],
            ['type', 'the one that I type'],
          ]}
          onChange={(value) => setChoice(value as PasswordChoice)}
        />
        {choice === 'type' && (
          <TextField path="password" label="New password" type="password" value={typed} onChange={setTyped} />
        )}
        <TextField
          path="maxContacts"
          label="Phones at once, at most"
          type="number"
          value={maxContacts}
          placeholder="4"
          onChange={setMaxContacts}
        />
        <CheckField path="isEnabled" label="Phones may register" isChecked={isEnabled} onChange={setEnabled} />
      </ApiForm>
    </Dialog>
  );
}

interface Login {
  readonly username: string;
  readonly password: string;
}

function MadeLogin({ login: { username, password }, onClose }: { login: Login; onClose: () => void }) {
  return (
    <Dialog title={`What to type into the phone of ${username}`} testId="made-account" onClose={onClose}>
      <p class="notice">
        <Icon name="warning" size={18} />
        <span>Copy the password now: the server keeps it sealed, and it is not shown again.</span>
      </p>
      <dl class="call-facts">
        <div>
          <dt>Server</dt>
          <dd class="mono">{location.hostname}</dd>
        </div>
        <div>
          <dt>User name</dt>
          <dd class="mono">{username}</dd>
        </div>
      </dl>
      <code class="made-text" data-testid="account-password">
        {password}
      </code>
      <div class="dialog-actions">
        <button
          type="button"
          class="button"
          onClick={() => void copyText(password, 'The password is in the clipboard.')}
        >
          <Icon name="copy" size={18} /> Copy the password
        </button>
        <button type="button" class="button primary" data-testid="account-done" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
