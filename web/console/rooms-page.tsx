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

export function RoomsPage({ app }: { app: Console }) {
  const rooms = usePolled(app, 'rooms', 3_000, () => app.api.rooms());
  const [open, setOpen] = useState<Open>();
  const [filter, setFilter] = useState('');
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
      <Loaded from={rooms}>
        {(all) => (
          <>
            <Summary rooms={all} />
            {all.length > 8 && (
              <input
                class="input filter"
                type="search"
                placeholder="Find a room"
                aria-label="Find a room"
                value={filter}
                onInput={(event) => setFilter(event.currentTarget.value)}
              />
            )}
            <RoomTable rooms={all.filter((room) => matches(room, filter))} onOpen={setOpen} />
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

function matches({ name, displayName }: RoomResource, filter: string): boolean {
  return `${name} ${displayName}`.toLowerCase().includes(filter.trim().toLowerCase());
}

function Summary({ rooms }: { rooms: readonly RoomResource[] }) {
  const live = rooms.filter(({ participantCount }) => participantCount > 0);
  const people = rooms.reduce((sum, { participantCount }) => sum + participantCount, 0);
  return (
    <p class="dim summary">
      {rooms.length} {rooms.length === 1 ? 'room' : 'rooms'}, {live.length} in use, {people}{' '}
      {people === 1 ? 'participant' : 'participants'}
    </p>
  );
}

function RoomTable({ rooms, onOpen }: { rooms: readonly RoomResource[]; onOpen: (open: Open) => void }) {
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
