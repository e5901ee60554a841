// Owns: the links of a meeting that was started with one click. May import: API contract (types), ui and its siblings.
import type { InstantMeeting } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { spokenPin } from '../ui/spoken-pin.ts';
import { copyText } from './act.ts';
import { timeText } from './figures.ts';

export function InstantDialog({ meeting, onClose }: { meeting: InstantMeeting; onClose: () => void }) {
  const { url, hostUrl, pin, addresses, expiresAt } = meeting;
  const [address] = addresses;
  return (
    <Dialog title="Your meeting is ready" testId="instant-dialog" onClose={onClose}>
      <div class="stack">
        <div class="made">
          <code class="made-text" data-testid="instant-url">
            {url}
          </code>
          <p class="dim">For everybody you invite; good until {timeText(expiresAt)}.</p>
        </div>
        <p class="dim">
          {address && <>By phone: {address}. </>}PIN for phones, and for browsers without the link:{' '}
          <strong>{spokenPin(pin)}</strong>
        </p>
        <div class="dialog-actions">
          <button
            type="button"
            class="button"
            onClick={() => void copyText(url, 'The link for guests is in the clipboard.')}
          >
            <Icon name="copy" size={18} /> Copy the link
          </button>
          <a class="button primary" data-testid="instant-join" href={hostUrl}>
            <Icon name="door" size={18} /> Join as host
          </a>
        </div>
      </div>
    </Dialog>
  );
}
