// Owns: which rooms a room is bridged with. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { BridgeResource, RoomResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { type Console, linkTo } from './console.ts';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

const pollMs = 3_000;

const wayWords = {
  hears: ['Hears it', 'This room hears the other.'],
  isHeard: ['Is heard there', 'The other room hears this one.'],
  sees: ['Sees it', 'This room sees a view of the other.'],
  isSeen: ['Is seen there', 'The other room sees a view of this one.'],
  reads: ['Reads its chat', 'This room reads what is written to everybody in the other.'],
  isRead: ['Is read there', 'The other room reads what is written to everybody in this one.'],
} as const satisfies Partial<Record<keyof BridgeResource, readonly [string, string]>>;
type Way = keyof typeof wayWords;

export function Bridges({ app, room }: Props) {
  const polled = usePolled(app, `bridges of ${room.id}`, pollMs, () => app.api.bridges.list(room.id));
  const refresh = () => void polled.refresh();
  const turn = async (bridge: BridgeResource, way: Way) => {
    await act(app, () => app.api.bridges.patch(room.id, bridge.id, { [way]: !bridge[way] }), 'Changed.');
    refresh();
  };
  const part = async ({ id, to }: BridgeResource) => {
    await act(app, () => app.api.bridges.delete(room.id, id), `Parted from ${to.name}.`);
    refresh();
  };
  return (
    <section class="block" data-testid="bridges">
      <h2>Bridged with</h2>
      <p class="dim summary">Rooms that hear this one, and are heard in it, as if they were one.</p>
      <Loaded from={polled}>
        {(all) =>
          all.length > 0 && (
            <ActionTable
              head={
                <>
                  <th>Room</th>
                  <th>This room</th>
                </>
              }
            >
              {all.map((bridge) => (
                <tr key={bridge.id} data-testid="bridge-row" data-room={bridge.to.name}>
                  <td>
                    <a href={linkTo({ page: 'room', room: bridge.to.name })}>{bridge.to.name}</a>
                  </td>
                  <td>
                    {(Object.keys(wayWords) as Way[]).map((way) => (
                      <label key={way} class="choice" title={wayWords[way][1]}>
                        <input
                          type="checkbox"
                          data-testid={`bridge-${way}`}
                          checked={bridge[way]}
                          onChange={() => void turn(bridge, way)}
                        />
                        {wayWords[way][0]}
                      </label>
                    ))}
                  </td>
                  <td class="row-actions">
                    <button
                      type="button"
                      class="button small"
                      data-testid="delete-bridge"
                      onClick={() => void part(bridge)}
                    >
                      <Icon name="trash" size={16} /> Part
                    </button>
                  </td>
                </tr>
              ))}
            </ActionTable>
          )
        }
      </Loaded>
      <NewBridge app={app} room={room} onMade={refresh} />
    </section>
  );
}

function NewBridge({ app, room, onMade }: Props & { onMade: () => void }) {
  const [to, setTo] = useState('');
  const [hasVideo, setVideo] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    const input = { to: to.trim(), video: hasVideo };
    if (!(await act(app, () => app.api.bridges.create(room.id, input), 'The rooms are bridged.'))) return;
    setTo('');
    onMade();
  };
  return (
    <form class="message-form" onSubmit={(event) => void submit(event)}>
      <input
        class="input"
        aria-label="Room to bridge with"
        placeholder="Name or id of another room"
        maxLength={128}
        data-testid="bridge-to"
        value={to}
        onInput={(event) => setTo(event.currentTarget.value)}
      />
      <label class="choice">
        <input
          type="checkbox"
          data-testid="bridge-video"
          checked={hasVideo}
          onChange={(event) => setVideo(event.currentTarget.checked)}
        />
        With pictures
      </label>
      <button type="submit" class="button" data-testid="create-bridge" disabled={to.trim() === ''}>
        <Icon name="link" size={18} /> Bridge
      </button>
    </form>
  );
}
