// Owns: the question before something that cannot be undone. May import: ui.
import { useState } from 'preact/hooks';
import { Dialog } from '../ui/dialog.tsx';

export interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  /** What the button says: the deed, not "OK". */
  readonly deed: string;
  readonly onConfirm: () => Promise<unknown>;
  readonly onClose: () => void;
}

export function Confirm({ title, text, deed, onConfirm, onClose }: ConfirmProps) {
  const [isBusy, setBusy] = useState(false);
  const confirm = async () => {
    setBusy(true);
    await onConfirm();
    onClose();
  };
  return (
    <Dialog title={title} testId="confirm" onClose={onClose}>
      <p>{text}</p>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class="button danger"
          data-testid="confirm-deed"
          disabled={isBusy}
          onClick={() => void confirm()}
        >
          {deed}
        </button>
      </div>
    </Dialog>
  );
}
