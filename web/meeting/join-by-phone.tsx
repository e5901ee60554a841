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
  const { access, pin, hasPin, numbers } = dialIn;
  const isOpen = access === 'open' || hasPin;
  if (!isOpen && numbers.length === 0) return null;
  const copy = async () => {
    const all = [...numbers.map(numberText), ...(isOpen ? [address] : [])].join(', ');
    await navigator.clipboard.writeText(pin ? `${all}, PIN ${pin}#` : all);
    showToast('How to join by phone is in the clipboard.', { icon: 'copy' });
  };
  return (
    <div class="by-phone" data-testid="by-phone">
      <Icon name="phone" size={18} />
      <span>
        Join by phone:{' '}
        {numbers.map((one) => (
          <span key={one.number} data-testid="phone-number">
            <strong class="mono">{one.number}</strong>
            {numberNote(one)},{' '}
          </span>
        ))}
        {isOpen && <strong class="mono">{address}</strong>}
        {access === 'pin' &&
          hasPin &&
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

type DialInNumber = RoomDialIn['numbers'][number];

/** What is to be known of one besides the PIN of the room. */
function numberNote({ access, hasOwnPin, isMenu }: DialInNumber): string {
  if (isMenu) return ' (choose there)';
  if (hasOwnPin) return ' (with a PIN of its own)';
  return access === 'open' ? ' (no PIN)' : '';
}

const numberText = (one: DialInNumber): string => `${one.number}${numberNote(one)}`;

async function readDialIn(meeting: Meeting): Promise<RoomDialIn | undefined> {
  try {
    const credential = readConsoleSession()?.credential ?? (await meeting.invitation.value?.token());
    return await new ApiClient({ credential: () => credential }).dialIn(meeting.room);
  } catch {
    // The meeting goes on without it.
    return undefined;
  }
}
