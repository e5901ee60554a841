// Owns: what a moderator may do to somebody, as items of a menu. May import: client (types), ui and its siblings.
import type { RoomState } from '../client/index.ts';
import { MenuItem } from '../ui/menu.tsx';
import { orToast } from '../ui/toasts.tsx';
import type { Meeting } from './meeting.ts';

type Participant = NonNullable<ReturnType<RoomState['participants']['get']>>;

/** Roles that every room has unless it names others; the server refuses what a room has not, with its list. */
const offeredRoles: readonly (readonly [role: string, words: string])[] = [
  ['moderator', 'Make moderator'],
  ['presenter', 'Make presenter'],
  ['viewer', 'Make viewer: sees and hears only'],
];

export function ModeratorItems({ meeting, participant }: { meeting: Meeting; participant: Participant }) {
  const { connection } = meeting;
  if (!connection) return null;
  const { id, publications, isHandRaised, role } = participant;
  const inputs = meeting.state.value.viewArrangement?.inputs ?? [];
  const place = inputs.findIndex(({ participantId }) => participantId === id);
  const has = (kind: 'audio' | 'video') => publications.some((publication) => publication.kind === kind);
  const isForced = (kind: 'audio' | 'video') =>
    publications.some((publication) => publication.kind === kind && publication.isMutedByModerator);
  return (
    <>
      {has('audio') && (
        <MenuItem
          icon={isForced('audio') ? 'mic' : 'micOff'}
          testId="mute-audio"
          onChoose={() => orToast(connection.muteParticipant(id, !isForced('audio')))}
        >
          {isForced('audio') ? 'Let them unmute' : 'Mute'}
        </MenuItem>
      )}
      {has('video') && (
        <MenuItem
          icon={isForced('video') ? 'camera' : 'cameraOff'}
          testId="mute-video"
          onChoose={() => orToast(connection.muteParticipant(id, !isForced('video'), 'camera'))}
        >
          {isForced('video') ? 'Let them show video' : 'Stop their video'}
        </MenuItem>
      )}
      {place > 0 && (
        <MenuItem
          icon="spotlight"
          testId="show-first"
          onChoose={() => orToast(connection.arrangeView({ primary: id }))}
        >
          Show first to everybody
        </MenuItem>
      )}
      {isHandRaised && (
        <MenuItem icon="hand" testId="lower-hand" onChoose={() => orToast(connection.lowerHand(id))}>
          Lower hand
        </MenuItem>
      )}
      {offeredRoles
        .filter(([offered]) => offered !== role)
        .map(([offered, words]) => (
          <MenuItem
            key={offered}
            icon="people"
            testId={`role-${offered}`}
            onChoose={() => orToast(connection.setRole(id, offered))}
          >
            {words}
          </MenuItem>
        ))}
      <MenuItem icon="door" isDanger testId="kick" onChoose={() => orToast(connection.kick(id))}>
        Remove from the room
      </MenuItem>
    </>
  );
}
