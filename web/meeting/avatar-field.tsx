// Owns: choosing one's own picture, for when the camera is off. May import: ui and its siblings.
import { useState } from 'preact/hooks';
import { squareOf } from '../ui/pictures.ts';
import type { Meeting } from './meeting.ts';

export function AvatarField({ meeting }: { meeting: Meeting }) {
  const [isWrong, setWrong] = useState(false);
  const choose = async (file: File | undefined) => {
    if (!file) return;
    try {
      meeting.setAvatar(await squareOf(file));
      setWrong(false);
    } catch {
      setWrong(true);
    }
  };
  return (
    <label class="field">
      Your picture, while the camera is off
      <span class="file-field">
        <input
          class="input"
          type="file"
          accept="image/*"
          data-testid="avatar-file"
          onChange={(event) => void choose(event.currentTarget.files?.[0])}
        />
        {meeting.avatar.value !== undefined && (
          <button
            type="button"
            class="button"
            data-testid="avatar-remove"
            onClick={() => {
              meeting.setAvatar(undefined);
            }}
          >
            Remove
          </button>
        )}
      </span>
      {isWrong && <span role="alert">That file is no picture.</span>}
    </label>
  );
}
