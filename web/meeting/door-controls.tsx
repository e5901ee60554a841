// Owns: what a moderator does at the door: who waits, the lock, the waiting room. May import: ui and its siblings.
import { Icon } from '../ui/icons.tsx';
import { orToast } from '../ui/toasts.tsx';
import type { Meeting } from './meeting.ts';
import { colourOf, initialsOf } from './names.ts';

export function DoorControls({ meeting }: { meeting: Meeting }) {
  const { connection } = meeting;
  const { room, lobby } = meeting.state.value;
  if (!connection || !room || !meeting.isModerator.value) return null;
  const { isLocked, hasWaitingRoom } = room;
  return (
    <section class="door" aria-label="Door">
      {lobby.length > 0 && (
        <>
          <h3 class="door-title">
            Waiting ({lobby.length})
            <button
              type="button"
              class="button small"
              data-testid="admit-all"
              onClick={() => orToast(connection.admit())}
            >
              Let all in
            </button>
          </h3>
          <ul class="people-list waiting">
            {lobby.map((who) => (
              <li class="person" key={who.id} data-testid="waiting-person" data-name={who.displayName}>
                <span class={`avatar tiny colour-${colourOf(who.id)}`}>{initialsOf(who.displayName)}</span>
                <span class="person-name">
                  <span>{who.displayName}</span>
                  <span class="dim">
                    {who.kind === 'sip' ? 'telephone · ' : ''}
                    {reasonWords[who.reason]}
                  </span>
                </span>
                <button
                  type="button"
                  class="button small primary"
                  data-testid="admit"
                  onClick={() => orToast(connection.admit(who.id))}
                >
                  Let in
                </button>
                <button
                  type="button"
                  class="button small quiet"
                  data-testid="deny"
                  aria-label={`Turn ${who.displayName} away`}
                  title="Turn away"
                  onClick={() => orToast(connection.deny(who.id))}
                >
                  <Icon name="close" size={16} />
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      <div class="door-switches">
        <button
          type="button"
          class="button small"
          aria-pressed={isLocked}
          data-testid="lock"
          onClick={() => orToast(connection.setDoor({ isLocked: !isLocked }))}
        >
          <Icon name="lock" size={16} /> {isLocked ? 'Unlock the meeting' : 'Lock the meeting'}
        </button>
        <button
          type="button"
          class="button small"
          aria-pressed={hasWaitingRoom}
          data-testid="waiting-room"
          onClick={() => orToast(connection.setDoor({ hasWaitingRoom: !hasWaitingRoom }))}
        >
          <Icon name="door" size={16} /> {hasWaitingRoom ? 'Close the waiting room' : 'Open a waiting room'}
        </button>
      </div>
    </section>
  );
}

const reasonWords = {
  not_started: 'before the start',
  no_moderator: 'for a moderator',
  admission: 'wants to come in',
} as const;
