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
            <th title="When it began, and how long it has been">Began</th>
            <th title="Quality: mean opinion score, estimated, 1 to 4.5. Loss: of what the phone sent / of what we sent">
              Sound
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
            <td>
              {timeText(call.startedAt)}
              {call.answeredAt !== null && <p class="dim small">{lengthText(call, Date.now())}</p>}
            </td>
            <td>
              <Sound call={call} />
            </td>
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

function Sound({ call }: { call: SipCallResource }) {
  if (call.codec === null) return <>–</>;
  const { quality } = call;
  return (
    <>
      {codecText(call)}
      {quality && (
        <p class="dim small">
          {quality.meanOpinionScore != null && `${qualityText(call)}, `}
          {lossText(call)} lost
        </p>
      )}
    </>
  );
}

function CallName({ call }: { call: SipCallResource }) {
  const isInbound = call.direction === 'inbound';
  const number = partyOf(isInbound ? call.from : call.to);
  return (
    <>
      <span class="person-cell">
        <Icon name="phone" size={16} /> {call.displayName}
      </span>
      <p class="dim small">
        {isInbound ? 'from' : 'to'} {number}
      </p>
    </>
  );
}

function CallActions({ app, call, onChanged }: Pick<Props, 'app' | 'onChanged'> & { call: SipCallResource }) {
  const { id, roomId, state, isMuted, isHeld, isRecorded } = call;
  if (state === 'ended') return null;
  const change = async (patch: Parameters<typeof app.api.patchSipCall>[2], done: string) => {
    if (roomId !== null) await act(app, () => app.api.patchSipCall(roomId, id, patch), done);
    onChanged();
  };
  const record = async (room: string) => {
    if (isRecorded) await act(app, () => app.api.stopCallRecording(room, id), 'The recording of the call ends.');
    else await act(app, () => app.api.startCallRecording(room, id), 'The call is recorded; its phone is told.');
    onChanged();
  };
  const hangUp = async () => {
    await act(app, () => app.api.sip.hangUp(id), 'Hung up.');
    onChanged();
  };
  return (
    <>
      {state === 'connected' && roomId !== null && (
        <>
          <button
            type="button"
            class="button small square"
            aria-pressed={isMuted}
            aria-label={isMuted ? 'Unmute' : 'Mute'}
            title={isMuted ? 'Unmute' : 'Mute'}
            data-testid="mute-call"
            onClick={() => void change({ isMuted: !isMuted }, isMuted ? 'Heard again.' : 'Muted.')}
          >
            <Icon name={isMuted ? 'mic' : 'micOff'} size={16} />
          </button>
          <button
            type="button"
            class="button small square"
            aria-pressed={isHeld}
            aria-label={isHeld ? 'Resume' : 'Hold'}
            title={isHeld ? 'Resume' : 'Hold, with music'}
            data-testid="hold-call"
            onClick={() => void change({ isHeld: !isHeld }, isHeld ? 'Back in the room.' : 'On hold, with music.')}
          >
            <Icon name={isHeld ? 'play' : 'pause'} size={16} />
          </button>
          <button
            type="button"
            class="button small square"
            aria-pressed={isRecorded}
            aria-label={isRecorded ? 'Stop recording this call' : 'Record this call'}
            title={isRecorded ? 'Stop recording this call' : 'Record this call: what the phone says and what it hears'}
            data-testid="record-call"
            onClick={() => void record(roomId)}
          >
            <Icon name={isRecorded ? 'stop' : 'record'} size={16} />
          </button>
        </>
      )}
      <button type="button" class="button small danger" data-testid="hang-up" onClick={() => void hangUp()}>
        <Icon name="leave" size={16} /> Hang up
      </button>
    </>
  );
}
