// Owns: where a room is pushed to. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource, StreamingOutInput, StreamingOutResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { usePolled } from './polled.ts';
import { Loaded, Problem } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

const pollMs = 2_000;

const stateWords: Record<StreamingOutResource['state'], string> = {
  stopped: 'Off',
  starting: 'Connecting',
  live: 'Live',
  reconnecting: 'Not there, connecting again',
  paused: 'Paused',
  failed: 'Failed, tried again later',
};

export function StreamingOuts({ app, room }: Props) {
  const streamingOuts = usePolled(app, `streaming-outs of ${room.id}`, pollMs, () => app.api.streamingOuts(room.id));
  const [isCreating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<StreamingOutResource>();
  const refresh = () => void streamingOuts.refresh();
  const turn = async ({ id, isEnabled, name }: StreamingOutResource) => {
    const done = `${name} is turned ${isEnabled ? 'off' : 'on'}.`;
    await act(app, () => app.api.patchStreamingOut(room.id, id, { isEnabled: !isEnabled }), done);
    refresh();
  };
  return (
    <section class="block" data-testid="streaming-outs">
      <h2>Pushed to</h2>
      <p class="dim summary">
        Services and servers that this room streams to, and connects to again whenever they are lost.
      </p>
      <Loaded from={streamingOuts}>
        {(all) =>
          all.length > 0 && (
            <ActionTable
              head={
                <>
                  <th>Name</th>
                  <th>What</th>
                  <th>Now</th>
                  <th>Targets</th>
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
      <button type="button" class="button" data-testid="create-streaming-out" onClick={() => setCreating(true)}>
        <Icon name="plus" size={18} /> Push to a service
      </button>
      {isCreating && (
        <NewStreamingOutDialog
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
          text="The stream ends there, and the address is forgotten."
          deed="Remove it"
          onConfirm={() => act(app, () => app.api.deleteStreamingOut(room.id, deleting.id), 'Removed.').then(refresh)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </section>
  );
}

interface RowProps {
  readonly one: StreamingOutResource;
  readonly onTurn: () => void;
  readonly onDelete: () => void;
}

function Row({ one, onTurn, onDelete }: RowProps) {
  return (
    <tr data-testid="streaming-out-row" data-name={one.name} data-state={one.state}>
      <td>{one.name}</td>
      <td class="dim">{sourceWords(one.source)}</td>
      <td>{stateWords[one.state]}</td>
      <td>
        {one.targets.map((target) => (
          <p key={target.id} class="dim" data-testid="streaming-out-target" data-state={target.state}>
            {target.url}: {target.message}
          </p>
        ))}
      </td>
      <td class="row-actions">
        <button type="button" class="button small" data-testid="turn-streaming-out" onClick={onTurn}>
          {one.isEnabled ? 'Turn off' : 'Turn on'}
        </button>
        <button type="button" class="button small" data-testid="delete-streaming-out" onClick={onDelete}>
          <Icon name="trash" size={16} /> Remove
        </button>
      </td>
    </tr>
  );
}

function sourceWords(source: StreamingOutResource['source']): string {
  if ('view' in source) return `View ${source.view}`;
  if ('participant' in source) return `Participant ${source.participant}`;
  return 'stream' in source ? `Stream ${source.stream}` : 'Sound of everybody';
}

function NewStreamingOutDialog({ app, room, onClose }: Props & { onClose: () => void }) {
  const [url, setUrl] = useState('');
  const [name, setName] = useState('');
  const [isSoundOnly, setSoundOnly] = useState(false);
  const [error, setError] = useState<Error>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(undefined);
    setBusy(true);
    const input: StreamingOutInput = {
      url,
      ...(name.trim() !== '' && { name: name.trim() }),
      ...(isSoundOnly && { source: { mix: true } }),
    };
    try {
      await app.api.createStreamingOut(room.id, input);
      onClose();
    } catch (thrown) {
      app.noticed(thrown);
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Push to a service" testId="new-streaming-out" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {error && <Problem error={error} />}
        <label class="field">
          Address with its key
          <input
            class="input"
            data-testid="streaming-out-url"
            placeholder="rtmps://live.example/app/stream-key"
            autocomplete="off"
            value={url}
            maxLength={2_048}
            required
            onInput={(event) => setUrl(event.currentTarget.value.trim())}
          />
        </label>
        <label class="field">
          Name
          <input
            class="input"
            data-testid="streaming-out-name"
            placeholder="That of its host"
            value={name}
            maxLength={128}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label class="choice">
          <input
            type="checkbox"
            checked={isSoundOnly}
            onChange={(event) => setSoundOnly(event.currentTarget.checked)}
          />
          Sound only
        </label>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid="make-streaming-out" disabled={isBusy || url === ''}>
            Push
          </button>
        </div>
      </form>
    </Dialog>
  );
}
