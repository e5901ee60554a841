// Owns: what to tell somebody who wants to join by phone. May import: client, ui and its siblings.
import { useEffect, useState } from 'preact/hooks';
import type { RoomDialIn } from '#api/contract.ts';
import { ApiClient } from '../client/index.ts';
import { readConsoleSession } from '../ui/console-session.ts';
import { Icon } from '../ui/icons.tsx';
import { spokenPin } from '../ui/spoken-pin.ts';
import { orToast, showToast } from '../ui/toasts.tsx';
import type { Meeting } from './meeting.ts';

/** Nothing at all where phones cannot come in, or where one may not know of them. */
export function JoinByPhone({ meeting }: { meeting: Meeting }) {
  const [dialIn, setDialIn] = useState<RoomDialIn>();
  const isModerator = meeting.isModerator.value;
  useEffect(() => {
    let isOver = false;
    void readDialIn(meeting).then((found) => {
      if (!isOver) setDialIn(found);
    });
    return () => {
      isOver = true;
    };
  }, [meeting, isModerator]);
  const [address] = dialIn?.addresses ?? [];
  if (!dialIn || !address || dialIn.access === 'closed') return null;
  const { access, pin, hasPin } = dialIn;
  if (access === 'pin' && !hasPin) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(pin ? `${address}, PIN ${pin}#` : address);
    showToast('How to join by phone is in the clipboard.', { icon: 'copy' });
  };
  return (
    <div class="by-phone" data-testid="by-phone">
      <Icon name="phone" size={18} />
      <span>
        Join by phone: <strong class="mono">{address}</strong>
        {access === 'pin' &&
          (pin ? (
            <>
              , PIN <strong class="mono" data-testid="phone-pin">{`${spokenPin(pin)} #`}</strong>
            </>
          ) : (
            <span class="dim">, with a PIN that a moderator can tell</span>
          ))}
      </span>
      <button
        type="button"
        class="button small square quiet"
        aria-label="Copy how to join by phone"
        title="Copy"
        onClick={() => orToast(copy())}
      >
        <Icon name="copy" size={16} />
      </button>
    </div>
  );
}

async function readDialIn(meeting: Meeting): Promise<RoomDialIn | undefined> {
  try {
    const credential = readConsoleSession()?.credential ?? (await meeting.invitation.value?.token());
    return await new ApiClient({ credential: () => credential }).dialIn(meeting.room);
  } catch {
    // The meeting goes on without it.
    return undefined;
  }
}
