// Owns: the room as it is watched where WebRTC does not get through. May import: ui and its siblings.
import { LivePlayer } from '../ui/live-player.tsx';
import type { Meeting } from './meeting.ts';

export function LiveStage({ meeting }: { meeting: Meeting }) {
  const invitation = meeting.invitation.value;
  return (
    <section class="stage" aria-label="Participants" data-testid="live-stage">
      <div class="stage-tiles">{invitation && <LivePlayer room={meeting.room} token={() => invitation.token()} />}</div>
    </section>
  );
}
