// Owns: the list of rooms. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { InstantMeeting, RoomResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { Menu, MenuItem } from '../ui/menu.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { Confirm } from './confirm.tsx';
import { type Console, linkTo } from './console.ts';
import { InstantDialog } from './instant-dialog.tsx';
import { InviteDialog } from './invite-dialog.tsx';
import { usePolled } from './polled.ts';
import { RoomDialog } from './room-dialog.tsx';
import { Empty, Loaded } from './states.tsx';

type Open =
  | { readonly dialog: 'create' }
  | { readonly dialog: 'edit' | 'invite' | 'delete'; readonly room: RoomResource };

const pageLength = 50;
const maxNameLength = 64;

export function RoomsPage({ app }: { app: Console }) {
  const [filter, setFilter] = useState('');
  /** Where the pages before this one began, and this one. */
  const [trail, setTrail] = useState<readonly string[]>(['']);
  const name = filter.trim().slice(0, maxNameLength);
  const after = trail.at(-1) ?? '';
  const rooms = usePolled(app, `rooms ${name} after ${after}`, 3_000, () => app.api.roomPage(name, after, pageLength));
  const [open, setOpen] = useState<Open>();
  const [started, setStarted] = useState<InstantMeeting>();
  const startMeeting = async () => {
    await act(app, async () => setStarted(await app.api.startMeeting()));
    void rooms.refresh();
  };
  const close = () => setOpen(undefined);
  const done = () => {
    close();
    void rooms.refresh();
  };
  return (
    <>
      <header class="page-head">
        <h1>Rooms</h1>
        <div class="head-actions">
          <button type="button" class="button" data-testid="instant-meeting" onClick={() => void startMeeting()}>
            <Icon name="link" size={18} /> Meeting now
          </button>
          <button
            type="button"
            class="button primary"
            data-testid="create-room"
            onClick={() => setOpen({ dialog: 'create' })}
          >
            <Icon name="plus" size={18} /> New room
          </button>
        </div>
      </header>
      <Summary app={app} />
      <input
        class="input filter"
        type="search"
        placeholder="Find a room"
        aria-label="Find a room"
        data-testid="find-room"
        value={filter}
        onInput={(event) => {
          setFilter(event.currentTarget.value);
          setTrail(['']);
        }}
      />
      <Loaded from={rooms}>
        {({ items, next }) => (
          <>
            {items.length === 0 && after !== '' && <p class="dim">There are no rooms on this page any more.</p>}
            {(items.length > 0 || after === '') && <RoomTable rooms={items} isFound={name !== ''} onOpen={setOpen} />}
            {(trail.length > 1 || next !== null) && (
              <nav class="row-actions" aria-label="Pages of rooms">
                <button
                  type="button"
                  class="button small"
                  data-testid="rooms-before"
                  disabled={trail.length === 1}
                  onClick={() => setTrail(trail.slice(0, -1))}
                >
                  Previous
                </button>
                <span class="dim">Page {trail.length}</span>
                <button
                  type="button"
                  class="button small"
                  data-testid="rooms-after"
                  disabled={next === null}
                  onClick={() => next !== null && setTrail([...trail, next])}
                >
                  Next
                </button>
              </nav>
            )}
          </>
        )}
      </Loaded>
      {started && <InstantDialog meeting={started} onClose={() => setStarted(undefined)} />}
      {open?.dialog === 'create' && <RoomDialog app={app} onDone={done} onClose={close} />}
      {open?.dialog === 'edit' && <RoomDialog app={app} room={open.room} onDone={done} onClose={close} />}
      {open?.dialog === 'invite' && <InviteDialog app={app} room={open.room} onClose={close} />}
      {open?.dialog === 'delete' && (
        <Confirm
          title={`Delete ${open.room.name}?`}
          text={
            open.room.participantCount > 0
              ? `${open.room.participantCount} in the room will be sent away. The room and its settings are gone for good.`
              : 'The room and its settings are gone for good.'
          }
          deed="Delete the room"
          onConfirm={() =>
            act(app, () => app.api.deleteRoom(open.room.id), 'Room deleted.').then(() => rooms.refresh())
          }
          onClose={close}
        />
      )}
    </>
  );
}

function Summary({ app }: { app: Console }) {
  const { value: { roomCount = 0, participantCount = 0 } = {} } = usePolled(app, 'rooms in use', 3_000, () =>
    app.api.server(),
  );
  return (
    <p class="dim summary">
      {roomCount} {roomCount === 1 ? 'room' : 'rooms'} in use, {participantCount}{' '}
      {participantCount === 1 ? 'participant' : 'participants'}
    </p>
  );
}

interface RoomTableProps {
  readonly rooms: readonly RoomResource[];
  /** They are those that were looked for. */
  readonly isFound: boolean;
  readonly onOpen: (open: Open) => void;
}

function RoomTable({ rooms, isFound, onOpen }: RoomTableProps) {
  if (rooms.length === 0 && isFound) return <p class="dim">No room has this in its name or title.</p>;
  if (rooms.length === 0) {
    return (
      <Empty icon="rooms" title="No rooms">
        <p class="dim">Make one and send its link to whoever is to come.</p>
      </Empty>
    );
  }
  return (
    <ActionTable
      class="with-menus"
      head={
        <>
          <th>Room</th>
          <th>Now</th>
          <th>Limit</th>
        </>
      }
    >
      {rooms.map((room) => (
        <tr key={room.id} data-testid="room-row" data-room={room.name}>
          <td>
            <a class="row-link" href={linkTo({ page: 'room', room: room.name })}>
              {room.displayName || room.name}
            </a>
            {room.displayName !== room.name && <span class="dim"> {room.name}</span>}
          </td>
          <td>
            <span class={`live${room.participantCount > 0 ? ' on' : ''}`} data-testid="room-count">
              {room.participantCount}
            </span>
          </td>
          <td class="dim">{room.maxParticipants < 0 ? 'none' : room.maxParticipants}</td>
          <td class="row-actions">
            <button
              type="button"
              class="button small"
              data-testid="invite"
              onClick={() => onOpen({ dialog: 'invite', room })}
            >
              <Icon name="link" size={16} /> Invite
            </button>
            <a class="button small" href={`/r/${encodeURIComponent(room.name)}`} target="_blank" rel="noopener">
              <Icon name="external" size={16} /> Open
            </a>
            <Menu
              label={`More for ${room.name}`}
              class="button small square quiet"
              button={<Icon name="more" size={18} />}
              direction="down"
              align="end"
              testId="room-menu"
            >
              <MenuItem icon="edit" testId="edit-room" onChoose={() => onOpen({ dialog: 'edit', room })}>
                Settings
              </MenuItem>
              <MenuItem icon="trash" isDanger testId="delete-room" onChoose={() => onOpen({ dialog: 'delete', room })}>
                Delete
              </MenuItem>
            </Menu>
          </td>
        </tr>
      ))}
    </ActionTable>
  );
}
