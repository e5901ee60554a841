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
import { usePolled } from './polled.ts';
import { Loaded, Problem } from './states.tsx';

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
  const [error, setError] = useState<Error>();
  const change = (part: Partial<StreamKeyInput>) => setInput({ ...input, ...part });
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(undefined);
    try {
      setMade(await app.api.createStreamKey({ ...input, name: input.name.trim() }));
    } catch (thrown) {
      app.noticed(thrown);
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };
  if (made) return <MadeDialog made={made} onClose={onClose} />;
  return (
    <Dialog title="New stream key" testId="new-stream-key" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {error && <Problem error={error} />}
        <label class="field">
          Name in the room
          <input
            class="input"
            data-testid="stream-key-name"
            value={input.name}
            maxLength={128}
            required
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        </label>
        <label class="field">
          The encoder speaks
          <select
            class="input"
            data-testid="stream-key-protocol"
            value={input.protocol}
            onChange={(event) =>
              change({ protocol: event.currentTarget.value as StreamKeyInput['protocol'], isEncrypted: false })
            }
          >
            <option value="rtmp">RTMP (OBS and most others)</option>
            <option value="srt">SRT</option>
            <option value="rtsp">RTSP</option>
          </select>
        </label>
        {input.protocol === 'srt' && (
          <label class="choice">
            <input
              type="checkbox"
              data-testid="stream-key-encrypted"
              checked={input.isEncrypted ?? false}
              onChange={(event) => change({ isEncrypted: event.currentTarget.checked })}
            />
            Encrypted with a passphrase of its own
          </label>
        )}
        <label class="choice">
          <input
            type="checkbox"
            checked={input.onConflict === 'take_over'}
            onChange={(event) => change({ onConflict: event.currentTarget.checked ? 'take_over' : 'reject' })}
          />
          A second encoder with this key takes over
        </label>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class="button primary"
            data-testid="make-stream-key"
            disabled={input.name.trim() === ''}
          >
            Make the key
          </button>
        </div>
      </form>
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
