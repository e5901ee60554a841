// Owns: making a link for a guest. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomResource, TokenResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { copyText } from './act.ts';
import type { Console } from './console.ts';
import { timeText } from './figures.ts';
import { ApiForm, SelectField, TextField } from './form.tsx';

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
  const submit = async () => {
    const guest = name.trim() || 'Guest';
    const token = await app.api.createToken(room.id, { user: guest, name: guest, role, ttlMs });
    setMade(token);
    await copyText(token.url, 'The link is in the clipboard.');
  };
  return (
    <Dialog title={`Invite to ${room.displayName || room.name}`} testId="invite-dialog" onClose={onClose}>
      <ApiForm
        app={app}
        testId="invite-form"
        deed={made ? 'Make another' : 'Make and copy the link'}
        onSubmit={submit}
        onCancel={onClose}
      >
        <TextField
          path="name"
          label="For whom"
          hint="They can change how they are called before they come in."
          value={name}
          placeholder="Guest"
          onChange={setName}
        />
        <SelectField
          path="role"
          label="As"
          value={role}
          options={roles.map((each) => [each, roleWords[each] ?? each] as const)}
          onChange={setRole}
        />
        <SelectField
          path="ttlMs"
          label="Valid for"
          value={String(ttlMs)}
          options={validities.map(({ words, ms }) => [String(ms), words] as const)}
          onChange={(value) => setTtlMs(Number(value))}
        />
        {made && (
          <div class="made">
            <code class="made-text" data-testid="invite-url">
              {made.url}
            </code>
            <p class="dim">Good until {timeText(made.expiresAt)} for whoever has it; it cannot be taken back before.</p>
          </div>
        )}
      </ApiForm>
    </Dialog>
  );
}
