// Owns: the room as the one picture that the server composes of it. May import: its siblings.
import type { Meeting } from './meeting.ts';
import { Video } from './video.tsx';

export function ViewStage({ meeting }: { meeting: Meeting }) {
  const { subscriptions, viewPublicationId } = meeting.state.value;
  const track = viewPublicationId === undefined ? undefined : subscriptions.get(viewPublicationId)?.track;
  return (
    <section class="stage" aria-label="Participants" data-testid="view-stage">
      <div class="stage-tiles">
        {track ? (
          <Video track={track} isContained label="Everybody in the room" testId="room-view" />
        ) : (
          <p class="alone">The picture of the room is on its way.</p>
        )}
      </div>
    </section>
  );
}
