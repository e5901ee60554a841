// Owns: the settings of a room, new or not. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { RoomInput, RoomPatch, RoomResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { showToast } from '../ui/toasts.tsx';
import type { Console } from './console.ts';
import { ApiForm, TextField } from './form.tsx';

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
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const submit = async () => {
    if (room) await app.api.patchRoom(room.id, patchOf(draft));
    else await app.api.createRoom(inputOf(draft));
    showToast(room ? 'Settings saved.' : 'Room made.', { icon: 'check' });
    onDone();
  };
  const limit = (path: 'maxParticipants' | 'inputLimit' | 'lastN', label: string) => (
    <TextField
      path={path}
      label={label}
      type="number"
      min={0}
      value={draft[path]}
      placeholder="no limit"
      onChange={(value) => change({ [path]: value })}
    />
  );
  return (
    <Dialog title={room ? `Settings of ${room.name}` : 'New room'} testId="room-dialog" onClose={onClose}>
      <ApiForm app={app} testId="room-form" deed={room ? 'Save' : 'Make the room'} onSubmit={submit} onCancel={onClose}>
        <TextField
          path="name"
          label="Name, as in its address"
          hint={`Letters, digits and . _ ~ - ; the room opens at /r/${draft.name || 'name'}`}
          value={draft.name}
          onChange={(name) => change({ name })}
        />
        <TextField
          path="displayName"
          label="Title, as people see it"
          value={draft.displayName}
          placeholder={draft.name}
          onChange={(displayName) => change({ displayName })}
        />
        <div class="field-row">
          {limit('maxParticipants', 'Participants at most')}
          {limit('inputLimit', 'Streams at most')}
        </div>
        <div class="field-row">
          {limit('lastN', 'Cameras each one gets')}
          <TextField
            path="emptyTimeoutMs"
            label="Closes when empty for, seconds"
            type="number"
            min={1}
            max={604_800}
            value={draft.emptySeconds}
            placeholder="server default"
            onChange={(emptySeconds) => change({ emptySeconds })}
          />
        </div>
      </ApiForm>
    </Dialog>
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
