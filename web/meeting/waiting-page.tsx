// Owns: the pages before the room: waiting to be let in, and agreeing to be recorded. May import: ui and its siblings.
import { Icon, Logo } from '../ui/icons.tsx';
import type { Meeting } from './meeting.ts';

export function WaitingPage({ meeting }: { meeting: Meeting }) {
  const { waiting, reconnect } = meeting.state.value;
  if (!waiting) return null;
  const { reason, message, position, count, startsAtMs } = waiting;
  return (
    <main class="centered-page" data-testid="waiting-page" data-reason={reason} data-position={position}>
      <section class="card" aria-live="polite">
        <Logo size={40} />
        <h1>{titles[reason]}</h1>
        <p>{message}</p>
        {startsAtMs !== null && reason === 'not_started' && <p class="dim">It starts on {whenText(startsAtMs)}.</p>}
        <p class="dim waiting-place">
          <span class="spinner small" />
          {reconnect ? 'The connection is being made anew…' : placeText(position, count)}
        </p>
        <p class="dim">Leave this page open: you come in by yourself. Nobody sees or hears you yet.</p>
        <div class="actions">
          <button type="button" class="button" data-testid="stop-waiting" onClick={() => void meeting.leave()}>
            <Icon name="leave" size={18} /> Leave
          </button>
        </div>
      </section>
    </main>
  );
}

const titles = {
  not_started: 'You are early',
  no_moderator: 'Waiting for the moderator',
  admission: 'You will be let in soon',
} as const;

const whenText = (epochMs: number) =>
  new Date(epochMs).toLocaleString(undefined, { dateStyle: 'full', timeStyle: 'short' });

function placeText(position: number, count: number): string {
  if (count === 1) return 'Nobody else is waiting.';
  return `You are number ${position} of ${count} who wait.`;
}

export function ConsentPage({ meeting }: { meeting: Meeting }) {
  return (
    <main class="centered-page" data-testid="consent-page">
      <section class="card">
        <div class="end-icon">
          <Icon name="warning" size={28} />
        </div>
        <h1>This meeting is recorded</h1>
        <p>
          What you say and show in <strong>{meeting.room}</strong> is recorded, and so are your name and what you write
          to everybody. Join only if you agree to that.
        </p>
        <div class="actions">
          <button type="button" class="button primary" data-testid="consent" onClick={() => meeting.agree()}>
            I agree, join
          </button>
          <button type="button" class="button" data-testid="no-consent" onClick={() => meeting.restart()}>
            Do not join
          </button>
        </div>
      </section>
    </main>
  );
}
