// Owns: carriers and PBXs, and how they do. May import: API contract (types), ui and the console.
import { useState } from 'preact/hooks';
import type { SipTrunk } from '#api/contract.ts';
import { Icon } from '../../ui/icons.tsx';
import { act } from '../act.ts';
import { ActionTable } from '../action-table.tsx';
import { Confirm } from '../confirm.tsx';
import type { Console } from '../console.ts';
import { timeText } from '../figures.ts';
import { usePolled } from '../polled.ts';
import { Empty, Loaded } from '../states.tsx';
import { TrunkDialog } from './trunk-dialog.tsx';
import { hostText, inboundText, outboundText, registrationWords, stateWords } from './trunk-words.ts';

const pollMs = 3_000;

export function TrunksPage({ app }: { app: Console }) {
  const trunks = usePolled(app, 'trunks', pollMs, () => app.api.sip.trunks());
  const [editing, setEditing] = useState<SipTrunk | 'new'>();
  const [deleting, setDeleting] = useState<SipTrunk>();
  const refresh = () => trunks.refresh();
  return (
    <>
      <header class="page-head">
        <h1>Trunks</h1>
        <button type="button" class="button primary" data-testid="create-trunk" onClick={() => setEditing('new')}>
          <Icon name="plus" size={18} /> New trunk
        </button>
      </header>
      <p class="dim summary">
        Carriers and PBXs: who may bring calls, and where calls go out. A call is compared with them in this order.
      </p>
      <Loaded from={trunks}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="phone" title="No trunks yet">
              <p>Phones may still call rooms, if sip.callers lets in whoever calls.</p>
            </Empty>
          ) : (
            <ActionTable
              head={
                <>
                  <th>Name</th>
                  <th>State</th>
                  <th>Calls in from</th>
                  <th>Calls out to</th>
                  <th class="number">Calls now</th>
                </>
              }
            >
              {all.map((trunk) => (
                <TrunkRow key={trunk.id} app={app} trunk={trunk} onChanged={refresh} {...{ setEditing, setDeleting }} />
              ))}
            </ActionTable>
          )
        }
      </Loaded>
      {editing && (
        <TrunkDialog
          app={app}
          {...(editing !== 'new' && { trunk: editing })}
          onClose={() => {
            setEditing(undefined);
            void refresh();
          }}
        />
      )}
      {deleting && (
        <Confirm
          title={`Delete the trunk ${deleting.name}?`}
          text="Its calls are no longer known, its registration is taken back. Calls that are on go on. That cannot be undone."
          deed="Delete the trunk"
          onConfirm={() => act(app, () => app.api.sip.deleteTrunk(deleting.id), 'Trunk deleted.').then(refresh)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </>
  );
}

interface RowProps {
  readonly app: Console;
  readonly trunk: SipTrunk;
  readonly onChanged: () => Promise<void>;
  readonly setEditing: (trunk: SipTrunk) => void;
  readonly setDeleting: (trunk: SipTrunk) => void;
}

function TrunkRow({ app, trunk, onChanged, setEditing, setDeleting }: RowProps) {
  const { id, name, isEnabled, status } = trunk;
  const turn = async () => {
    const done = isEnabled ? `${name} is turned off.` : `${name} is turned on.`;
    await act(app, () => app.api.sip.patchTrunk(id, { isEnabled: !isEnabled }), done);
    await onChanged();
  };
  return (
    <tr data-testid="trunk-row" data-name={name} data-state={status.state} class={isEnabled ? '' : 'away'}>
      <td>
        <strong>{name}</strong>
      </td>
      <td>
        <TrunkState status={status} />
      </td>
      <td>{inboundText(trunk)}</td>
      <td>
        {outboundText(trunk)}
        {status.hosts.map((host) => (
          <p key={host.host} class={host.state === 'down' ? 'bad small' : 'dim small'}>
            {status.hosts.length > 1 && `${host.host} `}
            {hostText(host)}
          </p>
        ))}
      </td>
      <td class="number" title="In / out">
        {status.inboundCalls} / {status.outboundCalls}
      </td>
      <td class="row-actions">
        <button type="button" class="button small" data-testid="turn-trunk" onClick={() => void turn()}>
          {isEnabled ? 'Turn off' : 'Turn on'}
        </button>
        <button type="button" class="button small" data-testid="edit-trunk" onClick={() => setEditing(trunk)}>
          <Icon name="edit" size={16} /> Edit
        </button>
        <button type="button" class="button small" data-testid="delete-trunk" onClick={() => setDeleting(trunk)}>
          <Icon name="trash" size={16} /> Delete
        </button>
      </td>
    </tr>
  );
}

const dotOf = { up: 'live on', down: 'live bad', unknown: 'live', disabled: 'live' } as const;

function TrunkState({ status }: { status: SipTrunk['status'] }) {
  const { state, since, registration, lastError, lastErrorAt } = status;
  const isDown = state === 'down';
  return (
    <>
      <span class={dotOf[state]} title={since === null ? undefined : `Since ${timeText(since)}`}>
        {stateWords[state]}
        {registration && `, ${registrationWords[registration.state]}`}
      </span>
      {lastError && (
        <p class={isDown ? 'bad small' : 'dim small'} data-testid="trunk-error">
          {isDown ? lastError : `Last failure: ${lastError}`}
          {lastErrorAt && ` (${timeText(lastErrorAt)})`}
        </p>
      )}
    </>
  );
}
