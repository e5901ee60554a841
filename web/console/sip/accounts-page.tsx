// Owns: phones that register here, and which of them are there. May import: API contract (types), ui and the console.
import { useState } from 'preact/hooks';
import type { SipAccount } from '#api/contract.ts';
import { Icon } from '../../ui/icons.tsx';
import { act } from '../act.ts';
import { ActionTable } from '../action-table.tsx';
import { Confirm } from '../confirm.tsx';
import type { Console } from '../console.ts';
import { timeText } from '../figures.ts';
import { usePolled } from '../polled.ts';
import { Empty, Loaded } from '../states.tsx';
import { AccountDialog } from './account-dialog.tsx';

const pollMs = 3_000;

export function AccountsPage({ app }: { app: Console }) {
  const accounts = usePolled(app, 'sip accounts', pollMs, () => app.api.sip.accounts());
  const [editing, setEditing] = useState<SipAccount | 'new'>();
  const [deleting, setDeleting] = useState<SipAccount>();
  const refresh = () => accounts.refresh();
  return (
    <>
      <header class="page-head">
        <h1>Phone accounts</h1>
        <button type="button" class="button primary" data-testid="create-account" onClick={() => setEditing('new')}>
          <Icon name="plus" size={18} /> New account
        </button>
      </header>
      <p class="dim summary">Phones register with them at this server, and are called by their name from any room.</p>
      <Loaded from={accounts}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="phone" title="No accounts yet">
              <p>Make one, and type its name and password into a phone.</p>
            </Empty>
          ) : (
            <ActionTable
              head={
                <>
                  <th>Name</th>
                  <th>Now</th>
                  <th>Phones</th>
                </>
              }
            >
              {all.map((account) => (
                <AccountRow key={account.id} account={account} {...{ setEditing, setDeleting }} />
              ))}
            </ActionTable>
          )
        }
      </Loaded>
      {editing && (
        <AccountDialog
          app={app}
          {...(editing !== 'new' && { account: editing })}
          onClose={() => {
            setEditing(undefined);
            void refresh();
          }}
        />
      )}
      {deleting && (
        <Confirm
          title={`Delete the account ${deleting.username}?`}
          text="Its phones are forgotten and can register no more. That cannot be undone."
          deed="Delete the account"
          onConfirm={() => act(app, () => app.api.sip.deleteAccount(deleting.id), 'Account deleted.').then(refresh)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </>
  );
}

interface RowProps {
  readonly account: SipAccount;
  readonly setEditing: (account: SipAccount) => void;
  readonly setDeleting: (account: SipAccount) => void;
}

function AccountRow({ account, setEditing, setDeleting }: RowProps) {
  const { username, displayName, isEnabled, isOnline, contacts, maxContacts } = account;
  return (
    <tr data-testid="account-row" data-name={username} data-online={String(isOnline)} class={isEnabled ? '' : 'away'}>
      <td>
        <strong>{username}</strong>
        {displayName && <p class="dim small">{displayName}</p>}
      </td>
      <td>
        <span class={isOnline ? 'live on' : 'live'}>
          {isEnabled ? (isOnline ? `Online, ${contacts.length} of ${maxContacts}` : 'Not registered') : 'Turned off'}
        </span>
      </td>
      <td>
        {contacts.map(({ uri, userAgent, source, registeredAt, expiresAt }) => (
          <p key={uri} title={`${uri}\nsince ${timeText(registeredAt)}, until ${timeText(expiresAt)}`}>
            {userAgent || 'A phone'} <span class="dim small mono">{source}</span>
          </p>
        ))}
        {contacts.length === 0 && <span class="dim">–</span>}
      </td>
      <td class="row-actions">
        <button type="button" class="button small" data-testid="edit-account" onClick={() => setEditing(account)}>
          <Icon name="edit" size={16} /> Edit
        </button>
        <button type="button" class="button small" data-testid="delete-account" onClick={() => setDeleting(account)}>
          <Icon name="trash" size={16} /> Delete
        </button>
      </td>
    </tr>
  );
}
