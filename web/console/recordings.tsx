// Owns: the recordings of a room: begin, pause, end, watch, keep, delete. May import: API contract (types), ui and its siblings.
import { useEffect, useState } from 'preact/hooks';
import type { RecordingResource, RoomResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { bytesText, durationText, timeText } from './figures.ts';
import { usePolled } from './polled.ts';
import { RecordButton } from './record-button.tsx';
import { Loaded, Problem } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

type Part = RecordingResource['parts'][number];

const pollMs = 2_000;

const stateWords: Record<RecordingResource['state'], string> = {
  starting: 'Starting',
  recording: 'Recording',
  paused: 'Paused',
  finalising: 'Being finished',
  finished: 'Ready',
  failed: 'Failed',
};

export function Recordings({ app, room }: Props) {
  const recordings = usePolled(app, `recordings of ${room.id}`, pollMs, () => app.api.recordings(room.id));
  const [deleting, setDeleting] = useState<RecordingResource>();
  const [playing, setPlaying] = useState<Part>();
  const refresh = () => void recordings.refresh();
  const does = (deed: () => Promise<unknown>, done: string) => void act(app, deed, done).then(refresh);
  return (
    <section class="block" data-testid="recordings">
      <h2>Recordings</h2>
      <p class="dim summary">Of the room as one sees and hears it, or of each apart. Everybody in it is told.</p>
      <Loaded from={recordings}>
        {(all) =>
          all.length > 0 && (
            <ActionTable
              head={
                <>
                  <th>Began</th>
                  <th>Now</th>
                  <th class="number">Length</th>
                  <th class="number">Size</th>
                  <th>Files</th>
                </>
              }
            >
              {all.map((one) => (
                <Row
                  key={one.id}
                  one={one}
                  onPause={() =>
                    does(
                      () => app.api.pauseRecording(room.id, one.id, one.state !== 'paused'),
                      one.state === 'paused' ? 'Recording goes on.' : 'Recording is paused.',
                    )
                  }
                  onStop={() => does(() => app.api.stopRecording(room.id, one.id), 'Recording ends.')}
                  onPlay={setPlaying}
                  onSave={(part) => void act(app, () => save(app, part))}
                  onDelete={() => setDeleting(one)}
                />
              ))}
            </ActionTable>
          )
        }
      </Loaded>
      <RecordButton
        app={app}
        room={room}
        onRecord={(input) => does(() => app.api.createRecording(room.id, input), 'Recording begins.')}
      />
      {playing && <PlayerDialog app={app} part={playing} onClose={() => setPlaying(undefined)} />}
      {deleting && (
        <Confirm
          title="Delete this recording?"
          text="Its files are deleted too. What was uploaded stays where it is."
          deed="Delete it"
          onConfirm={() => act(app, () => app.api.deleteRecording(room.id, deleting.id), 'Deleted.').then(refresh)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </section>
  );
}

interface RowProps {
  readonly one: RecordingResource;
  readonly onPause: () => void;
  readonly onStop: () => void;
  readonly onPlay: (part: Part) => void;
  readonly onSave: (part: Part) => void;
  readonly onDelete: () => void;
}

function Row({ one, onPause, onStop, onPlay, onSave, onDelete }: RowProps) {
  const { state, parts } = one;
  const isRunning = state === 'starting' || state === 'recording' || state === 'paused';
  return (
    <tr data-testid="recording-row" data-state={state}>
      <td>{timeText(one.startedAt)}</td>
      <td>
        {stateWords[state]}
        {(state === 'failed' || isRunning) && <p class="dim">{one.message}</p>}
      </td>
      <td class="number">{durationText(one.durationMs)}</td>
      <td class="number">{bytesText(one.bytes)}</td>
      <td>
        {parts.map((part) => (
          <p key={part.number} class="row-actions" data-testid="recording-part">
            <span class="dim">{part.fileName.split('/').at(-1)}</span>
            {part.isLocal && (
              <>
                <button type="button" class="button small" data-testid="play-recording" onClick={() => onPlay(part)}>
                  Play
                </button>
                <button type="button" class="button small" data-testid="save-recording" onClick={() => onSave(part)}>
                  Download
                </button>
              </>
            )}
            {part.upload && <span class="dim">{part.upload.url ?? part.upload.state}</span>}
          </p>
        ))}
      </td>
      <td class="row-actions">
        {isRunning && (
          <>
            <button type="button" class="button small" data-testid="pause-recording" onClick={onPause}>
              {state === 'paused' ? 'Go on' : 'Pause'}
            </button>
            <button type="button" class="button small" data-testid="stop-recording" onClick={onStop}>
              Stop
            </button>
          </>
        )}
        <button type="button" class="button small" data-testid="delete-recording" onClick={onDelete}>
          <Icon name="trash" size={16} /> Delete
        </button>
      </td>
    </tr>
  );
}

/** Fetched with the session's credential, which a link could not carry. */
async function save(app: Console, part: Part): Promise<void> {
  const url = URL.createObjectURL(await app.api.file(part.downloadPath ?? ''));
  const link = document.createElement('a');
  link.href = url;
  link.download = part.fileName.split('/').at(-1) ?? '';
  link.click();
  // Once the browser has begun to keep it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function PlayerDialog({ app, part, onClose }: { app: Console; part: Part; onClose: () => void }) {
  const [url, setUrl] = useState<string>();
  const [error, setError] = useState<Error>();
  useEffect(() => {
    let isOver = false;
    let made: string | undefined;
    app.api.file(part.downloadPath ?? '').then((blob) => {
      if (isOver) return;
      made = URL.createObjectURL(blob);
      setUrl(made);
    }, setError);
    return () => {
      isOver = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [app, part.downloadPath]);
  return (
    <Dialog title={part.fileName.split('/').at(-1) ?? ''} testId="player" onClose={onClose}>
      {error && <Problem error={error} />}
      {!url && !error && <p class="dim">Fetching it…</p>}
      {/* biome-ignore lint/a11y/useMediaCaption: nobody has written down what is said in it */}
      {url && <video class="recording-player" src={url} controls autoplay data-testid="recording-player" />}
    </Dialog>
  );
}
