// Owns: addresses that SIP does not listen to. May import: API contract (types), ui and the console.
import { useState } from 'preact/hooks';
import type { SipBan } from '#api/contract.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Icon } from '../../ui/icons.tsx';
import { showToast } from '../../ui/toasts.tsx';
import { act } from '../act.ts';
import { ActionTable } from '../action-table.tsx';
import { Confirm } from '../confirm.tsx';
import type { Console } from '../console.ts';
import { timeText } from '../figures.ts';
import { ApiForm, SelectField, TextField } from '../form.tsx';
import { usePolled } from '../polled.ts';
import { Empty, Loaded } from '../states.tsx';
import { textOrNull, withoutNulls } from './draft-values.ts';

const pollMs = 3_000;

const sourceWords: Readonly<Record<SipBan['source'], string>> = { auto: 'the server', api: 'somebody' };

export function BansPage({ app }: { app: Console }) {
  const bans = usePolled(app, 'sip bans', pollMs, () => app.api.sip.bans());
  const [isAdding, setAdding] = useState(false);
  const [lifting, setLifting] = useState<SipBan>();
  const refresh = () => bans.refresh();
  return (
    <>
      <header class="page-head">
        <h1>Bans</h1>
        <button type="button" class="button primary" data-testid="create-ban" onClick={() => setAdding(true)}>
          <Icon name="plus" size={18} /> Ban an address
        </button>
      </header>
      <p class="dim summary">
        Addresses that SIP does not answer. The server bans whoever guesses passwords or scans, for longer each time;
        addresses of trunks and of <code>sip.bans.exemptNetworks</code> never by itself.
      </p>
      <Loaded from={bans}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="check" title="Nobody is banned" />
          ) : (
            <ActionTable
              head={
                <>
                  <th>Address</th>
                  <th>Why</th>
                  <th>By</th>
                  <th>Since</th>
                  <th>Until</th>
                </>
              }
            >
              {all.map((ban) => (
                <tr key={ban.id} data-testid="ban-row" data-address={ban.address}>
                  <td class="mono">{ban.address}</td>
                  <td>{ban.reason}</td>
                  <td class="dim">{sourceWords[ban.source]}</td>
                  <td class="dim">{timeText(ban.createdAt)}</td>
                  <td class="dim">{ban.until === null ? 'it is lifted' : timeText(ban.until)}</td>
                  <td class="row-actions">
                    <button type="button" class="button small" data-testid="lift-ban" onClick={() => setLifting(ban)}>
                      <Icon name="trash" size={16} /> Lift
                    </button>
                  </td>
                </tr>
              ))}
            </ActionTable>
          )
        }
      </Loaded>
      {isAdding && (
        <BanDialog
          app={app}
          onClose={() => {
            setAdding(false);
            void refresh();
          }}
        />
      )}
      {lifting && (
        <Confirm
          title={`Listen to ${lifting.address} again?`}
          text="What it did is forgotten: its next wrong passwords count from the first."
          deed="Lift the ban"
          onConfirm={() => act(app, () => app.api.sip.deleteBan(lifting.id), 'Ban lifted.').then(refresh)}
          onClose={() => setLifting(undefined)}
        />
      )}
    </>
  );
}

/** Seconds and their words. */
const durations = [
  ['', 'until it is lifted'],
  ['3600', 'for an hour'],
  ['86400', 'for a day'],
  ['604800', 'for a week'],
  ['2592000', 'for 30 days'],
] as const;

function BanDialog({ app, onClose }: { app: Console; onClose: () => void }) {
  const [address, setAddress] = useState('');
  const [duration, setDuration] = useState('');
  const [reason, setReason] = useState('');
  const submit = async () => {
    const durationSec = duration === '' ? null : Number(duration);
    await app.api.sip.createBan(withoutNulls({ address: address.trim(), durationSec, reason: textOrNull(reason) }));
    showToast(`${address.trim()} is banned.`, { icon: 'check' });
    onClose();
  };
  return (
    <Dialog title="Ban an address" testId="ban-dialog" onClose={onClose}>
      <ApiForm app={app} testId="ban-form" deed="Ban it" onSubmit={submit} onCancel={onClose}>
        <TextField
          path="address"
          label="Address or range"
          hint="It gets no answer any more, whatever it sends."
          value={address}
          isRequired
          placeholder="198.51.100.0/24"
          onChange={setAddress}
        />
        <SelectField path="durationSec" label="How long" value={duration} options={durations} onChange={setDuration} />
        <TextField path="reason" label="Why" value={reason} onChange={setReason} />
      </ApiForm>
    </Dialog>
  );
}
