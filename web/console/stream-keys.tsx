// Owns: the stream keys of a room: who may push into it. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { NewStreamKeyResource, RoomResource, StreamKeyInput, StreamKeyResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { act, copyText } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { timeText } from './figures.ts';
import { ApiForm, CheckField, SelectField, TextField } from './form.tsx';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

const pollMs = 3_000;

export function StreamKeys({ app, room }: Props) {
  const keys = usePolled(app, `stream keys of ${room.id}`, pollMs, () => app.api.streamKeys(room.id));
  const [isCreating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<StreamKeyResource>();
  return (
    <section class="block" data-testid="stream-keys">
      <h2>Encoders</h2>
      <p class="dim summary">OBS and others push into this room with a stream key.</p>
      <Loaded from={keys}>{(all) => all.length > 0 && <Table keys={all} onDelete={setDeleting} />}</Loaded>
      <button type="button" class="button" data-testid="create-stream-key" onClick={() => setCreating(true)}>
        <Icon name="plus" size={18} /> New stream key
      </button>
      {isCreating && (
        <NewStreamKeyDialog
          app={app}
          room={room}
          onClose={() => {
            setCreating(false);
            void keys.refresh();
          }}
        />
      )}
      {deleting && (
        <Confirm
          title={`Delete the stream key ${deleting.name}?`}
          text="Whoever publishes with it is ended now, and it is refused from now on."
          deed="Delete the stream key"
          onConfirm={() =>
            act(app, () => app.api.deleteStreamKey(deleting.id), 'Stream key deleted.').then(() => keys.refresh())
          }
          onClose={() => setDeleting(undefined)}
        />
      )}
    </section>
  );
}

function Table({ keys, onDelete }: { keys: readonly StreamKeyResource[]; onDelete: (key: StreamKeyResource) => void }) {
  return (
    <ActionTable
      head={
        <>
          <th>Name</th>
          <th>By</th>
          <th>Now</th>
          <th>Made</th>
        </>
      }
    >
      {keys.map((key) => (
        <tr key={key.id} data-testid="stream-key-row" data-name={key.name}>
          <td>{key.name}</td>
          <td class="dim">{key.protocol.toUpperCase()}</td>
          <td data-testid="stream-key-state">
            {key.isLive ? 'Live' : key.participantId ? 'Lost, its place is kept' : 'Off'}
          </td>
          <td class="dim">{timeText(key.createdAt)}</td>
          <td class="row-actions">
            <button type="button" class="button small" data-testid="delete-stream-key" onClick={() => onDelete(key)}>
              <Icon name="trash" size={16} /> Delete
            </button>
          </td>
        </tr>
      ))}
    </ActionTable>
  );
}

function NewStreamKeyDialog({ app, room, onClose }: Props & { onClose: () => void }) {
  const [input, setInput] = useState<StreamKeyInput>({ room: room.id, name: 'OBS', protocol: 'rtmp' });
  const [made, setMade] = useState<NewStreamKeyResource>();
  const change = (part: Partial<StreamKeyInput>) => setInput({ ...input, ...part });
  const submit = async () => setMade(await app.api.createStreamKey({ ...input, name: input.name.trim() }));
  if (made) return <MadeDialog made={made} onClose={onClose} />;
  return (
    <Dialog title="New stream key" testId="new-stream-key" onClose={onClose}>
      <ApiForm app={app} testId="stream-key-form" deed="Make the key" onSubmit={submit} onCancel={onClose}>
        <TextField path="name" label="Name in the room" value={input.name} onChange={(name) => change({ name })} />
        <SelectField
          path="protocol"
          label="The encoder speaks"
          value={input.protocol ?? 'rtmp'}
          options={[
            ['rtmp', 'RTMP (OBS and most others)'],
            ['srt', 'SRT'],
            ['rtsp', 'RTSP'],
          ]}
          onChange={(protocol) => change({ protocol: protocol as StreamKeyInput['protocol'], isEncrypted: false })}
        />
        {input.protocol === 'srt' && (
          <CheckField
            path="isEncrypted"
            label="Encrypted with a passphrase of its own"
            isChecked={input.isEncrypted ?? false}
            onChange={(isEncrypted) => change({ isEncrypted })}
          />
        )}
        <CheckField
          path="onConflict"
          label="A second encoder with this key takes over"
          isChecked={input.onConflict === 'take_over'}
          onChange={(isTaken) => change({ onConflict: isTaken ? 'take_over' : 'reject' })}
        />
        <CheckField
          path="latency"
          label="Low latency: pictures do not wait to be in step with their sound"
          isChecked={input.latency === 'low'}
          onChange={(isLow) => change({ latency: isLow ? 'low' : 'smooth' })}
        />
      </ApiForm>
    </Dialog>
  );
}

/** As the two fields of OBS under Settings, Stream, Custom; of SRT OBS wants all in the first. */
function MadeDialog({ made, onClose }: { made: NewStreamKeyResource; onClose: () => void }) {
  const fields =
    made.protocol === 'srt'
      ? ([['Server', made.url, 'stream-key-server']] as const)
      : ([
          ['Server', made.serverUrl, 'stream-key-server'],
          ['Stream key', made.key, 'stream-key-text'],
        ] as const);
  return (
    <Dialog title={`The stream key ${made.name}`} testId="new-stream-key" onClose={onClose}>
      <p class="notice">
        <Icon name="warning" size={18} />
        <span>Copy the key now: the server keeps only a hash, and it is not shown again.</span>
      </p>
      <p class="dim">
        In OBS: Settings, Stream, Service “Custom…”
        {made.protocol === 'srt' ? ', all of this as Server, the stream key left empty' : ''}. A key frame interval of 1
        or 2 s lets viewers in fast.
      </p>
      {fields.map(([name, text, testId]) => (
        <div key={name} class="field">
          {name}
          <code class="made-text" data-testid={testId}>
            {text}
          </code>
          <button
            type="button"
            class="button small"
            onClick={() => void copyText(text, `${name} is in the clipboard.`)}
          >
            <Icon name="copy" size={16} /> Copy
          </button>
        </div>
      ))}
      <div class="dialog-actions">
        <button type="button" class="button primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
