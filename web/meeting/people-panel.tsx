// Owns: the list of who is in the room. May import: client (types), ui and its siblings.
import { useState } from 'preact/hooks';
import { ApiClient, type RoomState } from '../client/index.ts';
import { readConsoleSession } from '../ui/console-session.ts';
import { Icon, type IconName } from '../ui/icons.tsx';
import { Menu, MenuItem } from '../ui/menu.tsx';
import { Quality } from '../ui/quality.tsx';
import { orToast, showToast } from '../ui/toasts.tsx';
import { DoorControls } from './door-controls.tsx';
import { JoinByPhone } from './join-by-phone.tsx';
import type { Meeting } from './meeting.ts';
import { ModeratorItems } from './moderator-items.tsx';
import { colourOf, initialsOf } from './names.ts';
import { PanelFrame } from './panel-frame.tsx';

type Participant = NonNullable<ReturnType<RoomState['participants']['get']>>;

const kindWords: Record<Participant['kind'], string> = {
  webrtc: '',
  sip: 'telephone',
  ingress: 'stream',
  egress: 'recording or broadcast',
  bot: 'program',
  bridge: 'another room',
};

export function PeoplePanel({ meeting }: { meeting: Meeting }) {
  const { participants, selfId } = meeting.state.value;
  const hands = meeting.hands.value;
  const place = ({ id }: Participant) => (hands.includes(id) ? hands.indexOf(id) : hands.length);
  const sorted = [...participants.values()].sort(
    (a, b) =>
      place(a) - place(b) ||
      Number(b.id === selfId) - Number(a.id === selfId) ||
      a.displayName.localeCompare(b.displayName),
  );
  return (
    <PanelFrame meeting={meeting} title={`Participants (${participants.size})`} testId="people-panel">
      <DoorControls meeting={meeting} />
      <OwnName meeting={meeting} />
      <ul class="people-list">
        {sorted.map((participant) => (
          <Person key={participant.id} meeting={meeting} participant={participant} />
        ))}
      </ul>
      <InviteButton meeting={meeting} />
      <JoinByPhone meeting={meeting} />
    </PanelFrame>
  );
}

function Person({ meeting, participant }: { meeting: Meeting; participant: Participant }) {
  const { id, displayName, role, kind, isConnected, quality } = participant;
  const isSelf = id === meeting.state.value.selfId;
  const handPlace = meeting.hands.value.indexOf(id);
  const notes = [isSelf && 'you', role, kindWords[kind], !isConnected && 'reconnecting'].filter(Boolean);
  return (
    <li
      class={`person${isConnected ? '' : ' away'}`}
      data-testid="person"
      data-participant={id}
      data-name={displayName}
      data-role={role}
    >
      <span class={`avatar tiny colour-${colourOf(id)}`}>{initialsOf(displayName)}</span>
      <span class="person-name">
        <span>{displayName}</span>
        <span class="dim">{notes.join(' · ')}</span>
      </span>
      {handPlace >= 0 && (
        <span class="hand-mark" title={`Raised hand, number ${handPlace + 1}`} data-testid="person-hand">
          <Icon name="hand" size={16} /> {handPlace + 1}
        </span>
      )}
      <MediaMark participant={participant} kind="audio" icons={['mic', 'micOff']} />
      <MediaMark participant={participant} kind="video" icons={['camera', 'cameraOff']} />
      <Quality value={quality} />
      {!isSelf && (
        <Menu
          label={`Actions for ${displayName}`}
          class="button small square quiet"
          button={<Icon name="more" size={18} />}
          direction="down"
          align="end"
          testId="person-menu"
        >
          <MenuItem icon="chat" testId="private-message" onChoose={() => meeting.writeTo(id)}>
            Private message
          </MenuItem>
          {meeting.isModerator.value && <ModeratorItems meeting={meeting} participant={participant} />}
        </Menu>
      )}
    </li>
  );
}

interface MediaMarkProps {
  readonly participant: Participant;
  readonly kind: 'audio' | 'video';
  /** Live, muted. */
  readonly icons: readonly [IconName, IconName];
}

function MediaMark({ participant, kind, icons }: MediaMarkProps) {
  const publications = participant.publications.filter((publication) => publication.kind === kind);
  const isLive = publications.some(({ isMuted }) => !isMuted);
  const words = `${kind === 'audio' ? 'Microphone' : 'Video'} ${isLive ? 'on' : 'off'}`;
  return (
    <span class={isLive ? 'media-mark' : 'media-mark off'} role="img" aria-label={words} title={words}>
      <Icon name={isLive ? icons[0] : icons[1]} size={17} />
    </span>
  );
}

function OwnName({ meeting }: { meeting: Meeting }) {
  const [draft, setDraft] = useState<string>();
  const name = meeting.self.value?.displayName ?? '';
  if (draft === undefined) {
    return (
      <button type="button" class="button small quiet rename" data-testid="rename" onClick={() => setDraft(name)}>
        <Icon name="edit" size={15} /> Change your name
      </button>
    );
  }
  return (
    <form
      class="rename-form"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = draft.trim();
        setDraft(undefined);
        if (wanted && wanted !== name && meeting.connection) orToast(meeting.connection.setDisplayName(wanted));
      }}
    >
      <input
        class="input"
        aria-label="Your name"
        data-testid="rename-input"
        value={draft}
        maxLength={128}
        onInput={(event) => setDraft(event.currentTarget.value)}
      />
      <button type="submit" class="button small primary">
        Save
      </button>
    </form>
  );
}

/** Whoever is signed in to the console of this server may make links. */
function InviteButton({ meeting }: { meeting: Meeting }) {
  const session = readConsoleSession();
  if (!session) return null;
  const copy = async () => {
    const api = new ApiClient({ credential: () => session.credential });
    const { url } = await api.createToken(meeting.room, { user: 'guest', name: 'Guest', role: 'presenter' });
    await navigator.clipboard.writeText(url);
    showToast('The invitation link is in the clipboard.', { icon: 'link' });
  };
  return (
    <button type="button" class="button invite" data-testid="invite" onClick={() => orToast(copy())}>
      <Icon name="link" size={18} /> Copy an invitation link
    </button>
  );
}
