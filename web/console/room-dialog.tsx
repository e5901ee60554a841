// Owns: the settings of a room, new or not. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomInput, RoomPatch, RoomResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { showToast } from '../ui/toasts.tsx';
import type { Console } from './console.ts';
import { Problem } from './states.tsx';

interface Draft {
  readonly name: string;
  readonly displayName: string;
  /** Empty: no limit. */
  readonly maxParticipants: string;
  readonly inputLimit: string;
  readonly lastN: string;
  readonly emptySeconds: string;
}

export interface RoomDialogProps {
  readonly app: Console;
  /** Absent for a new one. */
  readonly room?: RoomResource;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

export function RoomDialog({ app, room, onDone, onClose }: RoomDialogProps) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(room));
  const [error, setError] = useState<Error>();
  const [isBusy, setBusy] = useState(false);
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      if (room) await app.api.patchRoom(room.id, patchOf(draft));
      else await app.api.createRoom(inputOf(draft));
      showToast(room ? 'Settings saved.' : 'Room made.', { icon: 'check' });
      onDone();
    } catch (thrown) {
      app.noticed(thrown);
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
      setBusy(false);
    }
  };
  return (
    <Dialog title={room ? `Settings of ${room.name}` : 'New room'} testId="room-dialog" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {error && <Problem error={error} />}
        <label class="field">
          Name, as in its address
          <input
            class="input"
            data-testid="room-name"
            value={draft.name}
            maxLength={64}
            required
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => change({ name: event.currentTarget.value })}
          />
          <span class="hint">Letters, digits and . _ ~ - ; the room opens at /r/{draft.name || 'name'}</span>
        </label>
        <label class="field">
          Title, as people see it
          <input
            class="input"
            data-testid="room-title"
            value={draft.displayName}
            maxLength={128}
            placeholder={draft.name}
            onInput={(event) => change({ displayName: event.currentTarget.value })}
          />
        </label>
        <div class="field-row">
          <LimitField
            label="Participants at most"
            testId="room-max"
            value={draft.maxParticipants}
            onChange={(maxParticipants) => change({ maxParticipants })}
          />
          <LimitField
            label="Streams at most"
            testId="room-inputs"
            value={draft.inputLimit}
            onChange={(inputLimit) => change({ inputLimit })}
          />
        </div>
        <div class="field-row">
          <LimitField
            label="Cameras each one gets"
            testId="room-last-n"
            value={draft.lastN}
            onChange={(lastN) => change({ lastN })}
          />
          <label class="field">
            Closes when empty for
            <input
              class="input"
              type="number"
              min={1}
              max={604_800}
              step={1}
              data-testid="room-empty"
              value={draft.emptySeconds}
              placeholder="server default"
              onInput={(event) => change({ emptySeconds: event.currentTarget.value })}
            />
            <span class="hint">seconds</span>
          </label>
        </div>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid="save-room" disabled={isBusy || draft.name === ''}>
            {room ? 'Save' : 'Make the room'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface LimitFieldProps {
  readonly label: string;
  readonly testId: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function LimitField({ label, testId, value, onChange }: LimitFieldProps) {
  return (
    <label class="field">
      {label}
      <input
        class="input"
        type="number"
        min={0}
        step={1}
        data-testid={testId}
        value={value}
        placeholder="no limit"
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}

function draftOf(room: RoomResource | undefined): Draft {
  const limit = (value: number | undefined) => (value === undefined || value < 0 ? '' : String(value));
  return {
    name: room?.name ?? '',
    displayName: room && room.displayName !== room.name ? room.displayName : '',
    maxParticipants: limit(room?.maxParticipants),
    inputLimit: limit(room?.inputLimit),
    lastN: limit(room?.lastN),
    emptySeconds: room ? String(Math.round(room.emptyTimeoutMs / 1_000)) : '',
  };
}

const limitOf = (text: string): number => (text.trim() === '' ? -1 : Number(text));

function shared(draft: Draft) {
  const { name, emptySeconds } = draft;
  return {
    name: name.trim(),
    displayName: draft.displayName.trim() || name.trim(),
    ...(emptySeconds !== '' && { emptyTimeoutMs: Number(emptySeconds) * 1_000 }),
  };
}

/** What was left empty in a new room is the server's default. */
function inputOf(draft: Draft): RoomInput {
  const { maxParticipants, inputLimit, lastN } = draft;
  return {
    ...shared(draft),
    ...(maxParticipants !== '' && { maxParticipants: limitOf(maxParticipants) }),
    ...(inputLimit !== '' && { inputLimit: limitOf(inputLimit) }),
    ...(lastN !== '' && { lastN: limitOf(lastN) }),
  };
}

function patchOf(draft: Draft): RoomPatch {
  return {
    ...shared(draft),
    maxParticipants: limitOf(draft.maxParticipants),
    inputLimit: limitOf(draft.inputLimit),
    lastN: limitOf(draft.lastN),
  };
}
