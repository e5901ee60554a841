// Owns: the phones of a room: how they come in, who is on the line, calling one. May import: API contract (types), ui and
// its siblings.
import { useState } from 'preact/hooks';
import type { RoomDialIn, RoomResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { spokenPin } from '../ui/spoken-pin.ts';
import { act, copyText } from './act.ts';
import { CallTable } from './call-table.tsx';
import { Confirm } from './confirm.tsx';
import { type Console, linkTo } from './console.ts';
import { DialOutDialog } from './dial-out-dialog.tsx';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

interface Props {
  readonly app: Console;
  readonly room: RoomResource;
}

const pollMs = 2_000;
const shownCalls = 20;

export function Phones({ app, room }: Props) {
  const [isDialling, setDialling] = useState(false);
  const polled = usePolled(app, `phones of ${room.id}`, pollMs, async () => {
    const [dialIn, calls] = await Promise.all([
      app.api.dialIn(room.id),
      app.api.sip.calls({ room: room.id, limit: String(shownCalls) }),
    ]);
    return { dialIn, calls: calls.items };
  });
  const refresh = () => void polled.refresh();
  return (
    <section class="block" data-testid="phones">
      <h2>Phones</h2>
      <Loaded from={polled}>
        {({ dialIn, calls }) => (
          <>
            <DialIn app={app} room={room} dialIn={dialIn} onChanged={refresh} />
            {calls.length > 0 && <CallTable app={app} calls={calls} onChanged={refresh} />}
            {dialIn.isEnabled && (
              <button type="button" class="button" data-testid="dial-out" onClick={() => setDialling(true)}>
                <Icon name="phone" size={18} /> Call a phone
              </button>
            )}
          </>
        )}
      </Loaded>
      {isDialling && (
        <DialOutDialog
          app={app}
          room={room}
          onClose={() => {
            setDialling(false);
            refresh();
          }}
        />
      )}
    </section>
  );
}

const accessWords: Readonly<Record<RoomDialIn['access'], string>> = {
  pin: 'Phones come in with a PIN',
  open: 'Whoever calls comes in',
  closed: 'Nobody comes in by phone',
};

function DialIn({ app, room, dialIn, onChanged }: Props & { dialIn: RoomDialIn; onChanged: () => void }) {
  const [isRenewing, setRenewing] = useState(false);
  const { isEnabled, access, addresses, pin, numbers } = dialIn;
  if (!isEnabled) return <p class="dim summary">Phones are turned off on this server (sip.isEnabled).</p>;
  const change = async (sip: NonNullable<RoomResource['sip']> | object, done: string) => {
    await act(app, () => app.api.patchRoom(room.id, { sip }), done);
    onChanged();
  };
  const renew = () => change({ pin: newPin() }, 'The room has a new PIN.');
  return (
    <>
      <div class="dial-in" data-testid="dial-in">
        <label class="field">
          Who may call in
          <select
            class="input"
            data-testid="sip-access"
            value={access}
            onChange={(event) => void change({ access: event.currentTarget.value }, 'Saved.')}
          >
            {Object.entries(accessWords).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
        {access !== 'closed' && (
          <p>
            Dial{' '}
            {addresses.map((address) => (
              <button
                key={address}
                type="button"
                class="button small quiet mono"
                title="Copy"
                data-testid="dial-address"
                onClick={() => void copyText(address, 'Copied.')}
              >
                {address} <Icon name="copy" size={14} />
              </button>
            ))}
          </p>
        )}
        {numbers.length > 0 && (
          <p data-testid="dial-numbers">
            Or{' '}
            {numbers.map(({ number, access: door, hasOwnPin, isMenu }) => (
              <span key={number}>
                <strong class="mono">{number}</strong>{' '}
                <span class="dim">
                  {isMenu ? 'by its menu' : hasOwnPin ? 'with the PIN of its rule' : door === 'open' && 'without a PIN'}
                </span>{' '}
              </span>
            ))}
            <span class="dim">
              (<a href={linkTo({ page: 'rules' })}>dispatch rules</a>)
            </span>
          </p>
        )}
        {access === 'pin' && (
          <p>
            {pin ? (
              <>
                PIN <strong class="mono" data-testid="pin">{`${spokenPin(pin)} #`}</strong>{' '}
                <button type="button" class="button small" data-testid="new-pin" onClick={() => setRenewing(true)}>
                  New PIN
                </button>
              </>
            ) : (
              <>
                <span class="bad">No PIN yet: phones are refused.</span>{' '}
                <button type="button" class="button small" data-testid="new-pin" onClick={() => void renew()}>
                  Make one
                </button>
              </>
            )}
          </p>
        )}
      </div>
      {isRenewing && (
        <Confirm
          title="Make a new PIN?"
          text="The one that people know is refused from now on. Phones that are in the room stay."
          deed="Make a new PIN"
          onConfirm={renew}
          onClose={() => setRenewing(false)}
        />
      )}
    </>
  );
}

function newPin(): string {
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  return String(random % 1_000_000).padStart(6, '0');
}
