// Owns: a room in a video element without WebRTC, and what is said when it does not play. May import: client.
import { useEffect, useRef, useState } from 'preact/hooks';
import './live-player.css';
import { Fmp4Player, type Fmp4PlayerState } from '../client/index.ts';

export interface LivePlayerProps {
  /** Name or id. */
  readonly room: string;
  readonly token: () => Promise<string> | string;
  readonly isMuted?: boolean;
}

export function LivePlayer({ room, token, isMuted = false }: LivePlayerProps) {
  const element = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<Fmp4PlayerState>({ phase: 'connecting' });
  const [isSilenced, setSilenced] = useState(false);
  // Another function at each render is not another credential.
  const currentToken = useRef(token);
  currentToken.current = token;
  useEffect(() => {
    const video = element.current;
    if (!video) return;
    const url = `${location.origin.replace(/^http/, 'ws')}/fmp4/${encodeURIComponent(room)}`;
    const player = new Fmp4Player({ video, url, token: () => currentToken.current() });
    player.events.on('changed', setState);
    player.events.on('muted', () => setSilenced(true));
    player.start();
    return () => player.close();
  }, [room]);
  return (
    <div class="live-player" data-testid="live-player" data-phase={state.phase}>
      <video ref={element} aria-label="The room" playsInline muted={isMuted} />
      {state.phase !== 'playing' && (
        <p class="live-player-note" role="status">
          {noteOf(state)}
        </p>
      )}
      {isSilenced && (
        <button
          type="button"
          class="button small primary"
          onClick={() => {
            if (element.current) element.current.muted = false;
            setSilenced(false);
          }}
        >
          Click to hear
        </button>
      )}
    </div>
  );
}

function noteOf(state: Fmp4PlayerState): string {
  switch (state.phase) {
    case 'connecting':
      return 'The picture of the room is on its way.';
    case 'reconnecting':
      return `${state.message} Trying again…`;
    case 'failed':
      return state.message;
    default:
      return '';
  }
}
