// Owns: what has to be said across the whole page. May import: client (types), ui and its siblings.
import { useEffect, useState } from 'preact/hooks';
import type { ReconnectInfo } from '../client/index.ts';
import { Icon } from '../ui/icons.tsx';
import type { Meeting } from './meeting.ts';

export function Banners({ meeting }: { meeting: Meeting }) {
  const { phase, reconnect, mediaState, closesAtMs } = meeting.state.value;
  const self = meeting.self.value;
  const isForced = self?.publications.some(({ kind, isMutedByModerator }) => kind === 'audio' && isMutedByModerator);
  return (
    <div class="banners" aria-live="polite">
      {phase === 'reconnecting' && reconnect && <Reconnecting info={reconnect} meeting={meeting} />}
      {phase === 'joined' && mediaState === 'disconnected' && (
        <p class="banner" data-testid="media-banner">
          <span class="spinner small" /> Sound and pictures are being reconnected…
        </p>
      )}
      {mediaState === 'failed' && (
        <p class="banner error" data-testid="media-failed">
          <Icon name="warning" size={18} />
          Sound and pictures do not get through. A firewall may be in the way.
          {meeting.hasFallback.value && ' You see and hear the room with a delay, and are not seen or heard.'}
          <button type="button" class="button small" onClick={() => meeting.connection?.retryNow()}>
            Try again
          </button>
        </p>
      )}
      {meeting.needsGesture.value && (
        <p class="banner accent">
          <Icon name="speaker" size={18} />
          The browser holds the sound back until you say so.
          <button
            type="button"
            class="button small primary"
            data-testid="unblock-audio"
            onClick={() => {
              meeting.needsGesture.value = false;
            }}
          >
            Click to hear
          </button>
        </p>
      )}
      {isForced && (
        <p class="banner" data-testid="forced-mute">
          <Icon name="micOff" size={18} /> A moderator has muted you. Raise your hand to ask for the word.
        </p>
      )}
      <EndsSoon endsAtMs={meeting.state.value.room?.endsAtMs ?? null} />
      {closesAtMs !== undefined && phase === 'joined' && (
        <p class="banner">
          <Icon name="server" size={18} /> The server is about to restart. You will be reconnected by yourself.
        </p>
      )}
    </div>
  );
}

const endNoticeMs = 300_000;

/** Nobody likes to be cut off in the middle of a sentence. */
function EndsSoon({ endsAtMs }: { endsAtMs: number | null }) {
  const now = useNow();
  if (endsAtMs === null || endsAtMs - now > endNoticeMs) return null;
  const minutes = Math.max(1, Math.ceil((endsAtMs - now) / 60_000));
  return (
    <p class="banner" data-testid="ends-soon">
      <Icon name="warning" size={18} /> The meeting ends in {minutes} {minutes === 1 ? 'minute' : 'minutes'}.
    </p>
  );
}

function Reconnecting({ info, meeting }: { info: ReconnectInfo; meeting: Meeting }) {
  const now = useNow();
  const waitSeconds = Math.max(0, Math.ceil((info.nextAttemptAtMs - now) / 1_000));
  const awaySeconds = Math.max(0, Math.round((now - info.sinceMs) / 1_000));
  return (
    <p class="banner" data-testid="reconnect-banner" data-attempt={info.attempt}>
      <span class="spinner small" />
      <span>
        Connection lost {awaySeconds} s ago.{' '}
        {waitSeconds > 0
          ? `Trying again in ${waitSeconds} s (try ${info.attempt}).`
          : `Trying again (${info.attempt})…`}
      </span>
      <button type="button" class="button small" onClick={() => meeting.connection?.retryNow()}>
        Try now
      </button>
    </p>
  );
}

function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return now;
}
