// Owns: phone calls in a table, with what can be done to those that are on. May import: API contract (types), ui, siblings.
import { useState } from 'preact/hooks';
import type { SipCallResource } from '#api/contract.ts';
import { Icon } from '../ui/icons.tsx';
import { act } from './act.ts';
import { ActionTable } from './action-table.tsx';
import { CallDialog } from './call-dialog.tsx';
import { blameWords, codecText, lengthText, lossText, partyOf, qualityText, stateText } from './call-words.ts';
import { type Console, linkTo } from './console.ts';
import { timeText } from './figures.ts';

interface Props {
  readonly app: Console;
  readonly calls: readonly SipCallResource[];
  /** Also in which room each is. */
  readonly hasRoom?: boolean;
  readonly onChanged: () => void;
}

export function CallTable({ app, calls, hasRoom = false, onChanged }: Props) {
  const [shown, setShown] = useState<SipCallResource>();
  return (
    <>
      <ActionTable
        class="calls"
        testId="calls"
        head={
          <>
            <th>Who</th>
            {hasRoom && <th>Room</th>}
            <th>Now</th>
            <th>Began</th>
            <th>Length</th>
            <th>Codec</th>
            <th class="number" title="Mean opinion score, estimated: 1 to 4.5">
              Quality
            </th>
            <th class="number" title="Of what the phone sent / of what we sent">
              Loss
            </th>
          </>
        }
      >
        {calls.map((call) => (
          <tr key={call.id} data-testid="call-row" data-call={call.id} data-state={call.state}>
            <td>
              <CallName call={call} />
            </td>
            {hasRoom && (
              <td>
                {call.roomName ? <a href={linkTo({ page: 'room', room: call.roomName })}>{call.roomName}</a> : '–'}
              </td>
            )}
            <td class={call.end?.blame ? 'wide bad' : 'wide'}>
              {stateText(call)}
              {call.end?.sipStatus != null && <span class="dim"> ({call.end.sipStatus})</span>}
              {call.end?.blame && <p class="dim small">fault of {blameWords[call.end.blame]}</p>}
            </td>
            <td class="dim">{timeText(call.startedAt)}</td>
            <td>{lengthText(call, Date.now())}</td>
            <td class="dim">{codecText(call)}</td>
            <td class="number">{qualityText(call)}</td>
            <td class="number dim">{lossText(call)}</td>
            <td class="row-actions">
              <CallActions app={app} call={call} onChanged={onChanged} />
              <button
                type="button"
                class="button small"
                title="Figures, SIP messages, keys and transfer of this call"
                data-testid="show-call"
                onClick={() => setShown(call)}
              >
                <Icon name="more" size={16} /> Details
              </button>
            </td>
          </tr>
        ))}
      </ActionTable>
      {shown && <CallDialog app={app} call={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

function CallName({ call }: { call: SipCallResource }) {
  const isInbound = call.direction === 'inbound';
  const number = partyOf(isInbound ? call.from : call.to);
  return (
    <>
      <Icon name="phone" size={16} /> {call.displayName}
      <p class="dim">
        {isInbound ? 'from' : 'to'} {number}
      </p>
    </>
  );
}

function CallActions({ app, call, onChanged }: Pick<Props, 'app' | 'onChanged'> & { call: SipCallResource }) {
  const { id, roomId, state, isMuted, isHeld } = call;
  if (roomId === null || state === 'ended') return null;
  const change = async (patch: Parameters<typeof app.api.patchSipCall>[2], done: string) => {
    await act(app, () => app.api.patchSipCall(roomId, id, patch), done);
    onChanged();
  };
  const hangUp = async () => {
    await act(app, () => app.api.hangUp(roomId, id), 'Hung up.');
    onChanged();
  };
  return (
    <>
      {state === 'connected' && (
        <>
          <button
            type="button"
            class="button small"
            aria-pressed={isMuted}
            data-testid="mute-call"
            onClick={() => void change({ isMuted: !isMuted }, isMuted ? 'Heard again.' : 'Muted.')}
          >
            <Icon name={isMuted ? 'mic' : 'micOff'} size={16} /> {isMuted ? 'Unmute' : 'Mute'}
          </button>
          <button
            type="button"
            class="button small"
            aria-pressed={isHeld}
            data-testid="hold-call"
            onClick={() => void change({ isHeld: !isHeld }, isHeld ? 'Back in the room.' : 'On hold, with music.')}
          >
            <Icon name="pause" size={16} /> {isHeld ? 'Resume' : 'Hold'}
          </button>
        </>
      )}
      <button type="button" class="button small danger" data-testid="hang-up" onClick={() => void hangUp()}>
        <Icon name="leave" size={16} /> Hang up
      </button>
    </>
  );
}
