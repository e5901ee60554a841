// Owns: where a room, or one stream of it, is watched with players of others. May import: API contract (types), ui and its
// siblings.
import { useState } from 'preact/hooks';
import type { StreamResource, TokenResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { copyText } from './act.ts';
import type { Console } from './console.ts';
import { timeText } from './figures.ts';
import type { RoomView } from './room-page.tsx';
import { Problem } from './states.tsx';

const validityMs = 86_400_000;

const ways = [
  { name: 'RTSP', key: 'rtsp', testId: 'play-rtsp' },
  { name: 'RTSP over TLS', key: 'rtsps', testId: 'play-rtsps' },
  { name: 'HLS', key: 'hls', testId: 'play-hls' },
  { name: 'DASH', key: 'dash', testId: 'play-dash' },
] as const;

export function PlayAddresses({ app, view }: { app: Console; view: RoomView }) {
  const { room, streams } = view;
  /** What comes in addresses after the room: nothing, a view, or a stream. */
  const [place, setPlace] = useState('');
  const [made, setMade] = useState<TokenResource>();
  const [error, setError] = useState<Error>();
  const make = async () => {
    setError(undefined);
    const role = roleOfPlayers(room);
    if (role === undefined) {
      setError(new Error('No role of this room may both see and hear, and a player has to have one that may.'));
      return;
    }
    try {
      setMade(await app.api.createToken(room.id, { user: 'player', name: 'Player', role, ttlMs: validityMs }));
    } catch (thrown) {
      app.noticed(thrown);
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };
  return (
    <section class="block" data-testid="play-addresses">
      <h2>Played by</h2>
      <p class="dim summary">
        Addresses for VLC, ffplay, recorders and TV sets, with a login in them that is good for a day.
      </p>
      {error && <Problem error={error} />}
      <label class="field narrow">
        What
        <select
          class="select"
          data-testid="play-what"
          value={place}
          onChange={(event) => setPlace(event.currentTarget.value)}
        >
          <option value="">The room, with the sound of everybody</option>
          <option value="mix">The sound of everybody alone</option>
          {room.views
            .filter(({ name }) => name !== 'common')
            .map(({ name }) => (
              <option key={name} value={`views/${name}`}>
                View {name}
              </option>
            ))}
          {streams.map((stream) => (
            <option key={stream.id} value={stream.id}>
              {streamWords(stream)}
            </option>
          ))}
        </select>
      </label>
      {made?.play && (
        <div class="made">
          {ways.map(({ name, key, testId }) => {
            const whole = made.play?.[key];
            return whole && <Address key={key} name={name} testId={testId} address={addressOf(whole, place)} />;
          })}
          <p class="dim">Good until {timeText(made.expiresAt)} for whoever has them.</p>
        </div>
      )}
      <button type="button" class="button" data-testid="make-play-addresses" onClick={() => void make()}>
        <Icon name="link" size={18} /> {made ? 'Make others' : 'Make addresses'}
      </button>
    </section>
  );
}

function Address({ name, testId, address }: { name: string; testId: string; address: string }) {
  return (
    <p class="row-actions">
      <span class="dim">{name}</span>
      <code class="made-text" data-testid={testId}>
        {address}
      </code>
      <button
        type="button"
        class="button small"
        data-testid={`copy-${testId}`}
        onClick={() => void copyText(address, 'The address is in the clipboard.')}
      >
        <Icon name="copy" size={16} /> Copy
      </button>
    </p>
  );
}

/** The least that may watch; undefined where no role of the room may both see and hear. */
export function roleOfPlayers({ roles }: RoomView['room']): string | undefined {
  const watching = roles.filter(({ subscribe }) => subscribe.audio && subscribe.video);
  return (watching.find(({ role }) => role === 'viewer') ?? watching[0])?.role;
}

/** Of a view or a stream: steps more in the path, before the name of a playlist. */
function addressOf(room: string, place: string): string {
  if (place === '') return room;
  return /^rtsps?:/.test(room) ? `${room}/${place}` : room.replace(/(index\.m3u8|manifest\.mpd)/, `${place}/$1`);
}

function streamWords({ displayName, kind, source, id }: StreamResource): string {
  return `${kind === 'video' ? 'Picture' : 'Sound'} of ${displayName} (${source.replace('_', ' ')}, ${id})`;
}
