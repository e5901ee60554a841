// Owns: what can be done to a call that is on, besides its row: keys, transfer, another room, parking. May import: API contract
// (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { SipCallResource } from '#api/contract.ts';
import type { Console } from './console.ts';
import { ApiForm, SelectField, TextField } from './form.tsx';
import { usePolled } from './polled.ts';

interface Props {
  readonly app: Console;
  readonly call: SipCallResource;
  readonly roomId: string;
  readonly onChanged: () => Promise<void>;
}

const choicesPollMs = 10_000;

export function CallControls(props: Props) {
  const { state } = props.call;
  if (state === 'parked') return <MoveForm {...props} deed="Fetch it" />;
  if (state !== 'connected') return null;
  return (
    <div class="call-controls">
      <KeysForm {...props} />
      <TransferForm {...props} />
      <MoveForm {...props} deed="Move it" />
      <ParkForm {...props} />
    </div>
  );
}

function KeysForm({ app, call, roomId }: Props) {
  const [dtmf, setDtmf] = useState('');
  const press = async () => {
    await app.api.patchSipCall(roomId, call.id, { dtmf });
    setDtmf('');
    return 'The keys are pressed.';
  };
  return (
    <ApiForm app={app} testId="keys-form" deed="Press" onSubmit={press}>
      <TextField path="dtmf" label="Keys; a comma is a pause" value={dtmf} placeholder="1,,200#" onChange={setDtmf} />
    </ApiForm>
  );
}

function TransferForm({ app, call, roomId, onChanged }: Props) {
  const [to, setTo] = useState('');
  const [other, setOther] = useState('');
  const { value } = usePolled(app, 'calls to hand on to', choicesPollMs, () => app.api.sip.calls({ state: 'on' }));
  const others = (value?.items ?? []).filter(({ id, state }) => id !== call.id && state === 'connected');
  const transfer = async () => {
    const input = other ? ({ kind: 'attended', with: other } as const) : ({ kind: 'blind', to: to.trim() } as const);
    await app.api.transferSipCall(roomId, call.id, input);
    await onChanged();
    return 'The phone is asked to call there.';
  };
  return (
    <ApiForm app={app} testId="transfer-form" deed="Transfer" onSubmit={transfer}>
      {others.length > 0 && (
        <SelectField
          path="with"
          label="Hand it on to"
          value={other}
          options={[['', 'a number or address'], ...others.map(({ id, displayName }) => [id, displayName] as const)]}
          onChange={setOther}
        />
      )}
      {other === '' && (
        <TextField
          path="to"
          label={others.length > 0 ? 'Which' : 'Hand it on to'}
          value={to}
          placeholder="+49891234 or sip:bob@pbx.example"
          onChange={setTo}
        />
      )}
    </ApiForm>
  );
}

function MoveForm({ app, call, roomId, deed, onChanged }: Props & { readonly deed: string }) {
  const [room, setRoom] = useState(call.state === 'parked' ? (call.roomName ?? '') : '');
  const { value: rooms = [] } = usePolled(app, 'rooms to move to', choicesPollMs, () => app.api.rooms());
  const move = async () => {
    await app.api.moveSipCall(roomId, call.id, room.trim());
    await onChanged();
    return `It is in ${room.trim()} now.`;
  };
  return (
    <ApiForm app={app} testId="move-form" deed={deed} onSubmit={move}>
      <TextField path="room" label="To the room" list="rooms-to-move-to" value={room} onChange={setRoom} />
      <datalist id="rooms-to-move-to">
        {rooms.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </ApiForm>
  );
}

function ParkForm({ app, call, roomId, onChanged }: Props) {
  const park = async () => {
    await app.api.parkSipCall(roomId, call.id);
    await onChanged();
  };
  return (
    <ApiForm app={app} testId="park-form" deed="Park it" onSubmit={park}>
      <p class="dim small">It leaves the room and hears music until it is fetched.</p>
    </ApiForm>
  );
}
