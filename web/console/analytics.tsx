// Owns: what is looked for in the media of a room, and what was found. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { AnalysisResource, EventResource, RoomResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { NewAnalysisDialog } from './analysis-dialog.tsx';
import { decibelText, detectorsOf, detectorWords, findingText, valuesText } from './analysis-words.ts';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { durationText } from './figures.ts';
import { sourceWords } from './media-source.ts';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

const pollMs = 1_000;
const shownEvents = 12;

const stateWords: Record<AnalysisResource['state'], string> = {
  waiting: 'Waits for somebody in the room',
  starting: 'Starting',
  live: 'Looking',
  reconnecting: 'Looking again',
  failed: 'Failed, tried again later',
};

export function Analytics({ app, room }: Props) {
  const polled = usePolled(app, `analytics of ${room.id}`, pollMs, async () => {
    const analyses = await app.api.analyses(room.id);
    if (analyses.length === 0) return { analyses, events: [] };
    const types = 'analytics.detected,analytics.cleared';
    return { analyses, events: await app.api.lastEvents(room.id, types, shownEvents) };
  });
  const [isCreating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<AnalysisResource>();
  const refresh = () => void polled.refresh();
  return (
    <section class="block" data-testid="analytics">
      <h2>Looked and listened for</h2>
      <p class="dim summary">Black or frozen pictures, motion, silence and loudness: what is so now, and what was.</p>
      <Loaded from={polled}>
        {({ analyses, events }) => (
          <>
            {analyses.length > 0 && <AnalysisTable analyses={analyses} onDelete={setDeleting} />}
            {events.length > 0 && <EventList events={events} />}
          </>
        )}
      </Loaded>
      <button type="button" class="button" data-testid="create-analysis" onClick={() => setCreating(true)}>
        <Icon name="plus" size={18} /> Look for something
      </button>
      {isCreating && (
        <NewAnalysisDialog
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
          title={`End ${deleting.name}?`}
          text="Nobody is told of what it looks for any more. What was told stays in the events."
          deed="End it"
          onConfirm={() => act(app, () => app.api.deleteAnalysis(room.id, deleting.id), 'Ended.').then(refresh)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </section>
  );
}

interface TableProps {
  readonly analyses: readonly AnalysisResource[];
  readonly onDelete: (one: AnalysisResource) => void;
}

function AnalysisTable({ analyses, onDelete }: TableProps) {
  return (
    <ActionTable
      head={
        <>
          <th>Name</th>
          <th>What</th>
          <th>Now</th>
          <th>Found</th>
          <th class="number" title="Mean difference of brightness from picture to picture, of 255">
            Motion
          </th>
          <th class="number" title="LUFS: of the last 0.4 s / the last 3 s / all of it">
            Loudness
          </th>
        </>
      }
    >
      {analyses.map((one) => (
        <tr key={one.id} data-testid="analysis-row" data-name={one.name} data-state={one.state}>
          <td>{one.name}</td>
          <td class="dim">
            {sourceWords(one.source)}
            <p class="small">{detectorsOf(one).join(', ')}</p>
          </td>
          <td title={one.message}>
            <span class={`live ${one.state === 'live' ? 'on' : one.state === 'failed' ? 'bad' : ''}`}>
              {stateWords[one.state]}
            </span>
          </td>
          <td data-testid="analysis-findings">
            {one.findings.length === 0 && <span class="dim">Nothing</span>}
            {one.findings.map(({ detector, since, values }) => (
              <p key={detector} class="bad">
                {detectorWords[detector]} <span class="dim">for {durationText(Date.now() - Date.parse(since))}</span>{' '}
                <span class="dim">{valuesText(values)}</span>
              </p>
            ))}
          </td>
          <td class="number">{one.levels.motion === null ? '–' : one.levels.motion.toFixed(1)}</td>
          <td class="number" data-testid="analysis-loudness">
            {[one.levels.momentaryLufs, one.levels.shortTermLufs, one.levels.integratedLufs]
              .map(decibelText)
              .join(' / ')}
          </td>
          <td class="row-actions">
            <button type="button" class="button small" data-testid="delete-analysis" onClick={() => onDelete(one)}>
              <Icon name="trash" size={16} /> End
            </button>
          </td>
        </tr>
      ))}
    </ActionTable>
  );
}

function EventList({ events }: { events: readonly EventResource[] }) {
  return (
    <ol class="event-list" aria-label="What was found, the last first">
      {events.map((event) => (
        <li key={event.id} data-testid="analysis-event" data-type={event.type}>
          <time class="dim" dateTime={event.at}>
            {new Date(event.at).toLocaleTimeString()}
          </time>
          <span class={`live ${event.type === 'analytics.detected' ? 'bad' : 'on'}`}>{findingText(event)}</span>
        </li>
      ))}
    </ol>
  );
}
