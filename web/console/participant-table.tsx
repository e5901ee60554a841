// Owns: who is in a room, with their lines' figures. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { ParticipantResource } from '#api/contract.ts';
import { Icon, type IconName } from '../ui/icons.tsx';
import { Quality } from '../ui/quality.tsx';
import { act } from './act.ts';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { bitrateText, figuresOf, millisecondsText, percentText } from './figures.ts';
import type { RoomView } from './room-page.tsx';
import { Empty } from './states.tsx';

const kindIcons: Partial<Record<ParticipantResource['kind'], IconName>> = {
  sip: 'phone',
  ingress: 'cctv',
  bot: 'robot',
};

export interface TableProps {
  readonly app: Console;
  readonly view: RoomView;
  readonly onChanged: () => void;
}

export function ParticipantTable({ app, view, onChanged }: TableProps) {
  const [kicking, setKicking] = useState<ParticipantResource>();
  const { room, participants } = view;
  return (
    <section class="block">
      <h2>Participants</h2>
      {participants.length === 0 ? (
        <Empty icon="people" title="Nobody is here">
          <p class="dim">Who comes appears by itself.</p>
        </Empty>
      ) : (
        <div class="table-scroll">
          <table class="table">
            <thead>
              <tr>
                <th>Name</th>
                <th>Role</th>
                <th class="number">Sends</th>
                <th class="number">Receives</th>
                <th class="number">Loss</th>
                <th class="number">Jitter</th>
                <th class="number">Round trip</th>
                <th>Path</th>
                <th>
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {participants.map((participant) => (
                <Row
                  key={participant.id}
                  app={app}
                  view={view}
                  participant={participant}
                  onChanged={onChanged}
                  onKick={() => setKicking(participant)}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {kicking && (
        <Confirm
          title={`Remove ${kicking.displayName}?`}
          text="They are sent out of the room at once. Their invitation stays good until it expires."
          deed="Remove"
          onConfirm={() =>
            act(app, () => app.api.deleteParticipant(room.id, kicking.id), `${kicking.displayName} was removed.`).then(
              onChanged,
            )
          }
          onClose={() => setKicking(undefined)}
        />
      )}
    </section>
  );
}

interface RowProps extends TableProps {
  readonly participant: ParticipantResource;
  readonly onKick: () => void;
}

function Row({ app, view, participant, onChanged, onKick }: RowProps) {
  const { id, displayName, user, kind, role, quality, isMuted, isHandRaised, isConnected, isSpeaking } = participant;
  const figures = figuresOf(view.stats, id);
  const icon = kindIcons[kind];
  const mute = async () => {
    const words = isMuted.audio ? `${displayName} may speak.` : `${displayName} is muted.`;
    await act(app, () => app.api.patchParticipant(view.room.id, id, { isMuted: { audio: !isMuted.audio } }), words);
    onChanged();
  };
  return (
    <tr data-testid="participant-row" data-participant={id} data-name={displayName} class={isConnected ? '' : 'away'}>
      <td>
        <span class="person-cell">
          <Quality value={quality} />
          {icon && <Icon name={icon} size={16} />}
          <span title={user}>{displayName}</span>
          {isSpeaking && <span class="tag">speaks</span>}
          {isHandRaised && <Icon name="hand" size={16} />}
          {!isConnected && <span class="dim">reconnecting</span>}
        </span>
      </td>
      <td class="dim">{role}</td>
      <td class="number" data-testid="sends">
        {figures ? bitrateText(figures.receivedBps) : '–'}
      </td>
      <td class="number">{figures ? bitrateText(figures.sentBps) : '–'}</td>
      <td class={`number${figures && figures.fractionLost > 0.05 ? ' bad' : ''}`}>
        {figures ? percentText(figures.fractionLost) : '–'}
      </td>
      <td class="number">{millisecondsText(figures?.jitterMs)}</td>
      <td class="number">{millisecondsText(figures?.roundTripTimeMs)}</td>
      <td class="dim">{figures?.path ?? '–'}</td>
      <td class="row-actions">
        <button type="button" class="button small" data-testid="mute" onClick={() => void mute()}>
          <Icon name={isMuted.audio ? 'mic' : 'micOff'} size={16} /> {isMuted.audio ? 'Unmute' : 'Mute'}
        </button>
        <button type="button" class="button small" data-testid="kick" onClick={onKick}>
          <Icon name="door" size={16} /> Remove
        </button>
      </td>
    </tr>
  );
}
