// Owns: one room, live. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { ParticipantResource, RoomResource, RoomStats, StreamResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { Analytics } from './analytics.tsx';
import { Bridges } from './bridges.tsx';
import { type Console, linkTo } from './console.ts';
import { bitrateText } from './figures.ts';
import { InviteDialog } from './invite-dialog.tsx';
import { ParticipantTable } from './participant-table.tsx';
import { Phones } from './phones.tsx';
import { PlayAddresses } from './play-addresses.tsx';
import { usePolled } from './polled.ts';
import { Preview } from './preview.tsx';
import { Recordings } from './recordings.tsx';
import { RoomDialog } from './room-dialog.tsx';
import { Loaded } from './states.tsx';
import { StreamKeys } from './stream-keys.tsx';
import { StreamTable } from './stream-table.tsx';
import { StreamingIns } from './streaming-ins.tsx';
import { StreamingOuts } from './streaming-outs.tsx';
import { Views } from './views.tsx';

export interface RoomView {
  readonly room: RoomResource;
  readonly participants: readonly ParticipantResource[];
  readonly streams: readonly StreamResource[];
  readonly stats: RoomStats;
}

const pollMs = 2_000;

export function RoomPage({ app, room }: { app: Console; room: string }) {
  const polled = usePolled(app, `room ${room}`, pollMs, () => readRoom(app, room));
  const [dialog, setDialog] = useState<'edit' | 'invite'>();
  const refresh = () => void polled.refresh();
  return (
    <>
      <a class="back" href={linkTo({ page: 'rooms' })}>
        <Icon name="chevronLeft" size={16} /> Rooms
      </a>
      <Loaded from={polled}>
        {(view) => (
          <>
            <header class="page-head">
              <h1>{view.room.displayName || view.room.name}</h1>
              <div class="head-actions">
                <button type="button" class="button" data-testid="edit-room" onClick={() => setDialog('edit')}>
                  <Icon name="settings" size={18} /> Settings
                </button>
                <button type="button" class="button" data-testid="invite" onClick={() => setDialog('invite')}>
                  <Icon name="link" size={18} /> Invite
                </button>
                <a
                  class="button primary"
                  href={`/r/${encodeURIComponent(view.room.name)}`}
                  target="_blank"
                  rel="noopener"
                  data-testid="open-meeting"
                >
                  <Icon name="external" size={18} /> Open
                </a>
              </div>
            </header>
            <Totals view={view} />
            <Preview app={app} room={view.room} />
            <ParticipantTable app={app} view={view} onChanged={refresh} />
            <StreamTable app={app} view={view} onChanged={refresh} />
            <Views app={app} view={view} />
            <Bridges app={app} room={view.room} />
            <Phones app={app} room={view.room} />
            <StreamKeys app={app} room={view.room} />
            <StreamingIns app={app} room={view.room} />
            <StreamingOuts app={app} room={view.room} />
            <PlayAddresses app={app} view={view} />
            <Analytics app={app} room={view.room} />
            <Recordings app={app} room={view.room} />
            <MessageForm app={app} view={view} />
            {dialog === 'edit' && (
              <RoomDialog
                app={app}
                room={view.room}
                onClose={() => setDialog(undefined)}
                onDone={() => {
                  setDialog(undefined);
                  refresh();
                }}
              />
            )}
            {dialog === 'invite' && <InviteDialog app={app} room={view.room} onClose={() => setDialog(undefined)} />}
          </>
        )}
      </Loaded>
    </>
  );
}

async function readRoom(app: Console, name: string): Promise<RoomView> {
  const { api } = app;
  const [room, participants, streams, stats] = await Promise.all([
    api.room(name),
    api.participants(name),
    api.streams(name),
    api.stats(name),
  ]);
  return { room, participants, streams, stats };
}

function Totals({ view: { room, participants, streams, stats } }: { view: RoomView }) {
  const sum = (key: 'receivedBitrateBps' | 'sentBitrateBps') =>
    stats.participants.reduce((total, participant) => total + participant[key], 0);
  const limit = room.maxParticipants < 0 ? '' : ` of ${room.maxParticipants}`;
  const facts: (readonly [string, string])[] = [
    ['Participants', `${participants.length}${limit}`],
    ['Streams', String(streams.length)],
    ['Into the server', bitrateText(sum('receivedBitrateBps'))],
    ['Out of the server', bitrateText(sum('sentBitrateBps'))],
  ];
  return (
    <dl class="totals" data-testid="totals">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function MessageForm({ app, view }: { app: Console; view: RoomView }) {
  const [text, setText] = useState('');
  if (view.participants.length === 0) return null;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await act(app, () => app.api.sendMessage(view.room.id, { text: text.trim() }), 'Sent to everybody.'))
      setText('');
  };
  return (
    <section class="block">
      <h2>Say something to everybody</h2>
      <form class="message-form" onSubmit={(event) => void submit(event)}>
        <input
          class="input"
          aria-label="Message to everybody"
          placeholder="Appears in the chat, from the server"
          maxLength={4_000}
          data-testid="message"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="button" data-testid="send-message" disabled={text.trim() === ''}>
          <Icon name="send" size={18} /> Send
        </button>
      </form>
    </section>
  );
}
