// Owns: the cameras and streams that are pulled into a room. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource, StreamingInInput, StreamingInResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { bitrateText } from './figures.ts';
import { usePolled } from './polled.ts';
import { Loaded, Problem } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

const pollMs = 2_000;

const stateWords: Record<StreamingInResource['state'], string> = {
  stopped: 'Off',
  starting: 'Connecting',
  live: 'Live',
  stalled: 'Silent',
  reconnecting: 'Lost, connecting again',
  failed: 'Failed, tried again later',
};

export function StreamingIns({ app, room }: Props) {
  const streamingIns = usePolled(app, `streaming-ins of ${room.id}`, pollMs, () => app.api.streamingIns(room.id));
  const [isCreating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<StreamingInResource>();
  const refresh = () => void streamingIns.refresh();
  const turn = async ({ id, isEnabled, name }: StreamingInResource) => {
    const done = `${name} is turned ${isEnabled ? 'off' : 'on'}.`;
    await act(app, () => app.api.patchStreamingIn(room.id, id, { isEnabled: !isEnabled }), done);
    refresh();
  };
  return (
    <section class="block" data-testid="streaming-ins">
      <h2>Cameras and streams</h2>
      <p class="dim summary">Pulled into this room from an address, and connected to again whenever they are lost.</p>
      <Loaded from={streamingIns}>
        {(all) =>
          all.length > 0 && (
            <ActionTable
              head={
                <>
                  <th>Name</th>
                  <th>From</th>
                  <th>Now</th>
                  <th>What is done to it</th>
                  <th class="number">Bitrate</th>
                </>
              }
            >
              {all.map((one) => (
                <Row key={one.id} one={one} onTurn={() => void turn(one)} onDelete={() => setDeleting(one)} />
              ))}
            </ActionTable>
          )
        }
      </Loaded>
      <button type="button" class="button" data-testid="create-streaming-in" onClick={() => setCreating(true)}>
        <Icon name="plus" size={18} /> Add a camera or stream
      </button>
      {isCreating && (
        <NewStreamingInDialog
          app={app}
          room={room}
          onClose={() => {
            setCreating(false);
            refresh();
          }}
        />
      )}
      {deleting && (
        <Confirm
          title={`Remove ${deleting.name}?`}
          text="It leaves the room, and its address is forgotten."
          deed="Remove it"
          onConfirm={() => act(app, () => app.api.deleteStreamingIn(room.id, deleting.id), 'Removed.').then(refresh)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </section>
  );
}

interface RowProps {
  readonly one: StreamingInResource;
  readonly onTurn: () => void;
  readonly onDelete: () => void;
}

function Row({ one, onTurn, onDelete }: RowProps) {
  const isWell = one.state === 'live' || one.state === 'starting';
  return (
    <tr data-testid="streaming-in-row" data-name={one.name} data-state={one.state}>
      <td>{one.name}</td>
      <td class="dim">{one.url}</td>
      <td>
        {stateWords[one.state]}
        {!isWell && <p class="dim">{one.message}</p>}
      </td>
      <td class="dim">
        {one.verdicts.map(({ streamId, kind, from, to, action, reasons }) => (
          <p key={streamId} title={reasons.join('\n')}>
            {kind} {from} {action === 'transcode' ? `→ ${to}` : action === 'drop' ? 'left out' : 'as it is'}
          </p>
        ))}
      </td>
      <td class="number">{one.progress ? bitrateText(one.progress.bitrateInBps) : '–'}</td>
      <td class="row-actions">
        <button type="button" class="button small" data-testid="turn-streaming-in" onClick={onTurn}>
          {one.isEnabled ? 'Turn off' : 'Turn on'}
        </button>
        <button type="button" class="button small" data-testid="delete-streaming-in" onClick={onDelete}>
          <Icon name="trash" size={16} /> Remove
        </button>
      </td>
    </tr>
  );
}

function NewStreamingInDialog({ app, room, onClose }: Props & { onClose: () => void }) {
  const [input, setInput] = useState<StreamingInInput>({ url: '' });
  const [error, setError] = useState<Error>();
  const [isBusy, setBusy] = useState(false);
  const change = (part: Partial<StreamingInInput>) => setInput({ ...input, ...part });
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(undefined);
    setBusy(true);
    try {
      const name = input.name?.trim();
      await app.api.createStreamingIn(room.id, { ...input, name: name === '' ? undefined : name });
      onClose();
    } catch (thrown) {
      app.noticed(thrown);
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Add a camera or stream" testId="new-streaming-in" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {error && <Problem error={error} />}
        <label class="field">
          Address
          <input
            class="input"
            data-testid="streaming-in-url"
            placeholder="rtsp://user:password@camera/stream"
            autocomplete="off"
            value={input.url}
            maxLength={2_048}
            required
            onInput={(event) => change({ url: event.currentTarget.value.trim() })}
          />
        </label>
        <label class="field">
          Name in the room
          <input
            class="input"
            data-testid="streaming-in-name"
            placeholder="That of its host"
            value={input.name ?? ''}
            maxLength={128}
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
        </label>
        <label class="choice">
          <input
            type="checkbox"
            checked={input.onDemand ?? false}
            onChange={(event) => change({ onDemand: event.currentTarget.checked })}
          />
          Only while somebody is in the room
        </label>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class="button primary"
            data-testid="make-streaming-in"
            disabled={isBusy || input.url === ''}
          >
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}
