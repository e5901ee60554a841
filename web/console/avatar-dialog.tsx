// Owns: giving a participant the picture that he is shown by while his video is off. May import: API contract (types), ui
// and its siblings.
import { useState } from 'preact/hooks';
import type { ParticipantResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { squareOf } from '../ui/pictures.ts';
import { act } from './act.ts';
import type { Console } from './console.ts';
import { ApiForm, TextField } from './form.tsx';

interface Props {
  readonly app: Console;
  readonly room: string;
  readonly participant: ParticipantResource;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

export function AvatarDialog({ app, room, participant: { id, displayName, avatarId }, onDone, onClose }: Props) {
  const [file, setFile] = useState<File>();
  const [url, setUrl] = useState('');
  const done = () => {
    onDone();
    onClose();
  };
  const give = async () => {
    if (!file && url === '') throw new Error('Choose a file, or say where the picture is.');
    await app.api.putAvatar(room, id, file ? { image: await imageOf(file) } : { url });
    done();
  };
  const takeAway = async () => {
    if (await act(app, () => app.api.deleteAvatar(room, id), `${displayName} is shown by initials.`)) done();
  };
  return (
    <Dialog title={`Picture of ${displayName}`} testId="avatar-dialog" onClose={onClose}>
      <ApiForm app={app} deed="Give" testId="avatar-form" onSubmit={give} onCancel={onClose}>
        <p class="dim">Shown in views and in the meeting while there is no video, until {displayName} leaves.</p>
        <label class="field">
          File
          <input
            class="input"
            type="file"
            accept="image/*"
            data-testid="avatar-file"
            onChange={(event) => setFile(event.currentTarget.files?.[0])}
          />
        </label>
        {!file && (
          <TextField
            path="url"
            label="Or its address"
            type="url"
            value={url}
            onChange={setUrl}
            placeholder="https://example.com/ada.png"
            hint="The server fetches it: PNG or JPEG, up to 128 KiB."
          />
        )}
        {avatarId !== null && (
          <button type="button" class="button" data-testid="avatar-take" onClick={() => void takeAway()}>
            Take the picture away
          </button>
        )}
      </ApiForm>
    </Dialog>
  );
}

async function imageOf(file: File): Promise<string> {
  try {
    return await squareOf(file);
  } catch (cause) {
    throw new Error(`${file.name} is no picture that can be read.`, { cause });
  }
}
