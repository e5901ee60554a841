// Owns: who is in a room, with their lines' figures. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { ParticipantResource } from '#api/contract.ts';
import { Icon, type IconName } from '../ui/icons.tsx';
import { Quality } from '../ui/quality.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { AvatarDialog } from './avatar-dialog.tsx';
import { Confirm } from './confirm.tsx';
import type { Console } from './console.ts';
import { bitrateText, figuresOf, millisecondsText, percentText } from './figures.ts';
import type { RoomView } from './room-page.tsx';
import { Empty } from './states.tsx';

const kindIcons: Partial<Record<ParticipantResource['kind'], IconName>> = {
  sip: 'phone',
  ingress: 'cctv',
  bot: 'robot',
  bridge: 'rooms',
};

export interface TableProps {
  readonly app: Console;
  readonly view: RoomView;
  readonly onChanged: () => void;
}

export function ParticipantTable({ app, view, onChanged }: TableProps) {
  const [kicking, setKicking] = useState<ParticipantResource>();
  const [picturing, setPicturing] = useState<ParticipantResource>();
  const { room, participants } = view;
  return (
    <section class="block">
      <h2>Participants</h2>
      {participants.length === 0 ? (
        <Empty icon="people" title="Nobody is here">
          <p class="dim">Who comes appears by itself.</p>
        </Empty>
      ) : (
        <ActionTable
          head={
            <>
              <th>Name</th>
              <th>Role</th>
              <th class="number">Sends</th>
              <th class="number">Receives</th>
              <th class="number">Loss</th>
              <th class="number">Jitter</th>
              <th class="number">Round trip</th>
              <th>Path</th>
            </>
          }
        >
          {participants.toSorted(byName).map((participant) => (
            <Row
              key={participant.id}
              app={app}
              view={view}
              participant={participant}
              onChanged={onChanged}
              onKick={() => setKicking(participant)}
              onPicture={() => setPicturing(participant)}
            />
          ))}
        </ActionTable>
      )}
      {picturing && (
        <AvatarDialog
          app={app}
          room={room.id}
          participant={picturing}
          onDone={onChanged}
          onClose={() => setPicturing(undefined)}
        />
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

function byName(a: ParticipantResource, b: ParticipantResource): number {
  return a.displayName.localeCompare(b.displayName) || a.id.localeCompare(b.id);
}

interface IconButtonProps {
  readonly icon: IconName;
  readonly words: string;
  readonly testId: string;
  readonly onPress: () => void;
}

function IconButton({ icon, words, testId, onPress }: IconButtonProps) {
  return (
    <button
      type="button"
      class="button small square"
      aria-label={words}
      title={words}
      data-testid={testId}
      onClick={onPress}
    >
      <Icon name={icon} size={17} />
    </button>
  );
}

interface RowProps extends TableProps {
  readonly participant: ParticipantResource;
  readonly onKick: () => void;
  readonly onPicture: () => void;
}

function Row({ app, view, participant, onChanged, onKick, onPicture }: RowProps) {
  const { id, displayName, user, kind, role, quality, isMuted, isHandRaised, isConnected, isSpeaking } = participant;
  const figures = figuresOf(view.stats, id);
  const icon = kindIcons[kind];
  // Somebody who is silent by choice is not ours to unmute; a moderator's mute is.
  const isForced = view.streams.some(
    (stream) => stream.participantId === id && stream.kind === 'audio' && stream.isMutedByModerator,
  );
  const mute = async () => {
    const words = isForced ? `${displayName} may speak.` : `${displayName} is muted.`;
    await act(app, () => app.api.patchParticipant(view.room.id, id, { isMuted: { audio: !isForced } }), words);
    onChanged();
  };
  return (
    <tr data-testid="participant-row" data-participant={id} data-name={displayName} class={isConnected ? '' : 'away'}>
      <td>
        <span class="person-cell">
          <Quality value={quality} />
          {icon && <Icon name={icon} size={16} />}
          <span title={user}>{displayName}</span>
          {isMuted.audio && <Icon name="micOff" size={15} />}
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
        <IconButton
          icon={isForced ? 'mic' : 'micOff'}
          words={isForced ? `Let ${displayName} speak` : `Mute ${displayName}`}
          testId="mute"
          onPress={() => void mute()}
        />
        <IconButton icon="people" words={`Picture of ${displayName}`} testId="avatar" onPress={onPicture} />
        <IconButton icon="door" words={`Remove ${displayName}`} testId="kick" onPress={onKick} />
      </td>
    </tr>
  );
}
