// Owns: API keys. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { KeyInput, KeyResource, NewKeyResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { act, copyText } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { timeText } from './figures.ts';
import { ApiForm, FlawsAt, TextField } from './form.tsx';
import { usePolled } from './polled.ts';
import { Empty, Loaded } from './states.tsx';

type Scope = KeyInput['scopes'][number];

const scopeWords: Record<Scope, string> = {
  admin: 'Everything',
  'rooms:read': 'See rooms and who is in them',
  'rooms:write': 'Make, change and moderate rooms',
  'tokens:write': 'Make invitations',
  'events:read': 'Follow what happens',
  'webhooks:read': 'See webhooks and what they were sent',
  'webhooks:write': 'Make and change webhooks',
  'keys:read': 'See API keys',
  'keys:write': 'Make and delete API keys, of no more than it may itself',
  'audit:read': 'See who did what',
  'metrics:read': 'Read metrics',
};

export function KeysPage({ app }: { app: Console }) {
  const keys = usePolled(app, 'keys', 10_000, () => app.api.keys());
  const [isCreating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<KeyResource>();
  return (
    <>
      <header class="page-head">
        <h1>API keys</h1>
        <button type="button" class="button primary" data-testid="create-key" onClick={() => setCreating(true)}>
          <Icon name="plus" size={18} /> New key
        </button>
      </header>
      <p class="dim summary">For programs. People come in by invitations.</p>
      <Loaded from={keys}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="key" title="No keys" />
          ) : (
            <ActionTable
              head={
                <>
                  <th>Name</th>
                  <th>May</th>
                  <th>Made</th>
                  <th>Last used</th>
                  <th>Expires</th>
                </>
              }
            >
              {all.map((key) => (
                <tr key={key.id} data-testid="key-row" data-name={key.name}>
                  <td>{key.name}</td>
                  <td class="dim">{key.scopes.map((scope) => scopeWords[scope]).join('; ')}</td>
                  <td class="dim">{timeText(key.createdAt)}</td>
                  <td class="dim">{timeText(key.lastUsedAt)}</td>
                  <td class="dim">{timeText(key.expiresAt)}</td>
                  <td class="row-actions">
                    <button
                      type="button"
                      class="button small"
                      data-testid="delete-key"
                      onClick={() => setDeleting(key)}
                    >
                      <Icon name="trash" size={16} /> Delete
                    </button>
                  </td>
                </tr>
              ))}
            </ActionTable>
          )
        }
      </Loaded>
      {isCreating && (
        <NewKeyDialog
          app={app}
          onClose={() => {
            setCreating(false);
            void keys.refresh();
          }}
        />
      )}
      {deleting && (
        <Confirm
          title={`Delete the key ${deleting.name}?`}
          text="Programs that use it are refused from now on. That cannot be undone."
          deed="Delete the key"
          onConfirm={() => act(app, () => app.api.deleteKey(deleting.id), 'Key deleted.').then(() => keys.refresh())}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </>
  );
}

function NewKeyDialog({ app, onClose }: { app: Console; onClose: () => void }) {
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<readonly Scope[]>(['rooms:read']);
  const [made, setMade] = useState<NewKeyResource>();
  const submit = async () => setMade(await app.api.createKey({ name: name.trim(), scopes: [...scopes] }));
  if (made) {
    return (
      <Dialog title={`The key ${made.name}`} testId="new-key" onClose={onClose}>
        <p class="notice">
          <Icon name="warning" size={18} />
          <span>Copy it now: the server keeps only a hash, and it is not shown again.</span>
        </p>
        <code class="made-text" data-testid="new-key-text">
          {made.key}
        </code>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={() => void copyText(made.key, 'The key is in the clipboard.')}>
            <Icon name="copy" size={18} /> Copy
          </button>
          <button type="button" class="button primary" onClick={onClose}>
            Done
          </button>
        </div>
      </Dialog>
    );
  }
  const toggle = (scope: Scope) =>
    setScopes(scopes.includes(scope) ? scopes.filter((other) => other !== scope) : [...scopes, scope]);
  return (
    <Dialog title="New key" testId="new-key" onClose={onClose}>
      <ApiForm app={app} testId="key-form" deed="Make the key" onSubmit={submit} onCancel={onClose}>
        <TextField path="name" label="What is it for" value={name} onChange={setName} />
        <fieldset class="choices">
          <legend>It may</legend>
          {(Object.keys(scopeWords) as Scope[]).map((scope) => (
            <label key={scope} class="choice">
              <input
                type="checkbox"
                data-testid={`scope-${scope}`}
                checked={scopes.includes(scope)}
                onChange={() => toggle(scope)}
              />
              {scopeWords[scope]}
            </label>
          ))}
        </fieldset>
        <FlawsAt path="scopes" />
      </ApiForm>
    </Dialog>
  );
}
