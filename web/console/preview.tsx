// Owns: a look into a room without joining it. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { LivePlayer } from '../ui/live-player.tsx';
import type { Console } from './console.ts';

/** Closed at first: a room that is watched is composed and encoded, which costs. */
export function Preview({ app, room }: { app: Console; room: RoomResource }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section class="preview" aria-label="Preview">
      <button
        type="button"
        class="button"
        data-testid="toggle-preview"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        <Icon name="camera" size={18} /> {isOpen ? 'Close the preview' : 'Look into the room'}
      </button>
      {isOpen && (
        <div class="preview-picture">
          <LivePlayer room={room.id} token={() => app.session.value?.credential ?? ''} isMuted />
        </div>
      )}
    </section>
  );
}
