// Owns: calling a phone into a room. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource, SipCallInput, SipTrunk } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { showToast } from '../ui/toasts.tsx';
import type { Console } from './console.ts';
import { ApiForm, CheckField, SelectField, TextField } from './form.tsx';
import { usePolled } from './polled.ts';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
  readonly onClose: () => void;
}

interface Draft {
  readonly to: string;
  /** Name of the one that it goes through; empty: `to` is a whole address. */
  readonly trunk: string;
  readonly from: string;
  readonly username: string;
  readonly password: string;
  readonly digits: string;
  readonly hasEarlyMedia: boolean;
}

const empty: Draft = { to: '', trunk: '', from: '', username: '', password: '', digits: '', hasEarlyMedia: false };
const trunksPollMs = 60_000;

export function DialOutDialog({ app, room, onClose }: Props) {
  const [draft, setDraft] = useState(empty);
  const trunks = usePolled(app, 'trunks that calls go through', trunksPollMs, () => app.api.sip.trunks());
  const outbound = (trunks.value ?? []).filter((trunk) => trunk.outbound && trunk.isEnabled);
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const submit = async () => {
    await app.api.dialOut(room.id, inputOf(draft));
    showToast('It is ringing.', { icon: 'phone' });
    onClose();
  };
  return (
    <Dialog title={`Call a phone into ${room.displayName || room.name}`} testId="dial-out-dialog" onClose={onClose}>
      <ApiForm app={app} testId="dial-form" deed="Call" onSubmit={submit} onCancel={onClose}>
        <div class="field-row">
          <TextField
            path="to"
            label="Whom to call"
            hint={draft.trunk === '' ? 'A SIP address, or an account, all of whose phones ring.' : 'A number.'}
            value={draft.to}
            placeholder={draft.trunk === '' ? 'sip:alice@pbx.example' : '+4930123'}
            onChange={(to) => change({ to })}
          />
          <SelectField
            path="trunk"
            label="Through the trunk"
            value={draft.trunk}
            options={[
              ['', 'none'],
              ...outbound.map(({ name, status }) => [name, trunkWords(name, status.state)] as const),
            ]}
            onChange={(trunk) => change({ trunk })}
          />
        </div>
        <TextField
          path="from"
          label="Number or name that is shown there"
          value={draft.from}
          placeholder={draft.trunk === '' ? room.name : 'as the trunk says'}
          onChange={(from) => change({ from })}
        />
        {draft.trunk === '' && (
          <div class="field-row">
            <TextField
              path="credentials.username"
              label="User name, if the other side asks"
              value={draft.username}
              onChange={(username) => change({ username })}
            />
            <TextField
              path="credentials.password"
              label="Password"
              type="password"
              value={draft.password}
              onChange={(password) => change({ password })}
            />
          </div>
        )}
        <TextField
          path="digits"
          label="Keys to press once it is answered"
          hint="A comma waits half a second."
          value={draft.digits}
          placeholder="1,,200#"
          onChange={(digits) => change({ digits })}
        />
        <CheckField
          path="hasEarlyMedia"
          label="Let the room hear what comes before the answer"
          isChecked={draft.hasEarlyMedia}
          onChange={(hasEarlyMedia) => change({ hasEarlyMedia })}
        />
      </ApiForm>
    </Dialog>
  );
}

function trunkWords(name: string, state: SipTrunk['status']['state']): string {
  return state === 'down' ? `${name} (down)` : name;
}

function inputOf({ to, trunk, from, username, password, digits, hasEarlyMedia }: Draft): SipCallInput {
  return {
    to: to.trim(),
    ...(trunk && { trunk }),
    ...(from.trim() && { from: from.trim() }),
    ...(username && trunk === '' && { credentials: { username, password } }),
    ...(digits.trim() && { digits: digits.trim() }),
    ...(hasEarlyMedia && { hasEarlyMedia }),
  };
}
