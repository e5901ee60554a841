// Owns: making a link for a guest. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource, TokenResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { copyText } from './act.ts';
import type { Console } from './console.ts';
import { timeText } from './figures.ts';
import { Problem } from './states.tsx';

const validities = [
  { words: '1 hour', ms: 3_600_000 },
  { words: '1 day', ms: 86_400_000 },
  { words: '1 week', ms: 604_800_000 },
  { words: '30 days', ms: 2_592_000_000 },
] as const;

const roleWords: Partial<Record<string, string>> = {
  moderator: 'Moderator: may mute, remove and change roles',
  presenter: 'Presenter: speaks, shows, shares',
  viewer: 'Viewer: sees and hears',
  audio_only_presenter: 'Audio only: speaks and hears',
  video_only_viewer: 'Video only: sees',
  sip: 'Telephone',
};

export function InviteDialog({ app, room, onClose }: { app: Console; room: RoomResource; onClose: () => void }) {
  const roles = room.roles.map(({ role }) => role);
  const [role, setRole] = useState(roles.includes('presenter') ? 'presenter' : (roles[0] ?? ''));
  const [name, setName] = useState('');
  const [ttlMs, setTtlMs] = useState<number>(validities[1].ms);
  const [made, setMade] = useState<TokenResource>();
  const [error, setError] = useState<Error>();
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(undefined);
    const guest = name.trim() || 'Guest';
    try {
      const token = await app.api.createToken(room.id, { user: guest, name: guest, role, ttlMs });
      setMade(token);
      await copyText(token.url, 'The link is in the clipboard.');
    } catch (thrown) {
      app.noticed(thrown);
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };
  return (
    <Dialog title={`Invite to ${room.displayName || room.name}`} testId="invite-dialog" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {error && <Problem error={error} />}
        <label class="field">
          For whom
          <input
            class="input"
            data-testid="invite-name"
            value={name}
            maxLength={128}
            placeholder="Guest"
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <span class="hint">They can change how they are called before they come in.</span>
        </label>
        <label class="field">
          As
          <select
            class="select"
            data-testid="invite-role"
            value={role}
            onChange={(event) => setRole(event.currentTarget.value)}
          >
            {roles.map((each) => (
              <option key={each} value={each}>
                {roleWords[each] ?? each}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          Valid for
          <select
            class="select"
            value={String(ttlMs)}
            onChange={(event) => setTtlMs(Number(event.currentTarget.value))}
          >
            {validities.map(({ words, ms }) => (
              <option key={ms} value={String(ms)}>
                {words}
              </option>
            ))}
          </select>
        </label>
        {made && (
          <div class="made">
            <code class="made-text" data-testid="invite-url">
              {made.url}
            </code>
            <p class="dim">Good until {timeText(made.expiresAt)} for whoever has it; it cannot be taken back before.</p>
          </div>
        )}
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Close
          </button>
          <button type="submit" class="button primary" data-testid="make-invite">
            <Icon name="link" size={18} /> {made ? 'Make another' : 'Make and copy the link'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
