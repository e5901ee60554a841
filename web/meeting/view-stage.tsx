// Owns: the room as the one picture that the server composes of it. May import: its siblings.
import type { Meeting } from './meeting.ts';
import { Video } from './video.tsx';

export function ViewStage({ meeting }: { meeting: Meeting }) {
  const { subscriptions, failedSubscriptions, viewPublicationId = '', viewProblem } = meeting.state.value;
  const track = subscriptions.get(viewPublicationId)?.track;
  const problem = viewProblem ?? failedSubscriptions.get(viewPublicationId);
  return (
    <section class="stage" aria-label="Participants" data-testid="view-stage">
      <div class="stage-tiles">
        {track ? (
          <Video track={track} isContained label="Everybody in the room" testId="room-view" />
        ) : (
          <p class="alone" data-testid="view-problem" role="status">
            {problem === undefined
              ? 'The picture of the room is on its way.'
              : `There is no picture of the whole room: ${problem}`}
          </p>
        )}
      </div>
    </section>
  );
}
