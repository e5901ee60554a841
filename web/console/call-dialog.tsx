// Owns: one call closely: its figures and its SIP ladder. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { SipCallMessages, SipCallResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { codecText, stateText } from './call-words.ts';
import type { Console } from './console.ts';
import { millisecondsText, timeText } from './figures.ts';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

const pollMs = 3_000;

interface Props {
  readonly app: Console;
  readonly call: SipCallResource;
  readonly onClose: () => void;
}

export function CallDialog({ app, call, onClose }: Props) {
  const messages = usePolled(app, `messages of ${call.id}`, pollMs, () => app.api.sip.callMessages(call.id));
  return (
    <Dialog
      title={`Call ${call.direction === 'inbound' ? 'from' : 'to'} ${call.displayName}`}
      testId="call-dialog"
      onClose={onClose}
    >
      <Facts call={call} />
      <h3>SIP messages</h3>
      <Loaded from={messages}>{(kept) => <Ladder {...kept} />}</Loaded>
    </Dialog>
  );
}

function Facts({ call }: { call: SipCallResource }) {
  const { quality, end } = call;
  const facts: (readonly [string, string | undefined])[] = [
    ['From', call.from],
    ['To', call.to],
    ['State', stateText(call)],
    ['Ended by', end ? { us: 'this server', peer: 'the other side', server: 'the SIP server' }[end.by] : undefined],
    [
      'Fault of',
      end?.blame ? { client: 'the caller', upstream: 'the other side', server: 'this server' }[end.blame] : undefined,
    ],
    ['Began', timeText(call.startedAt)],
    ['Codec', codecText(call)],
    ['Media by', call.mediaServer === 'freeswitch' ? 'FreeSWITCH' : undefined],
    ['Packets in / out', quality ? `${quality.packetsReceived} / ${quality.packetsSent}` : undefined],
    ['Lost in / out', quality ? `${quality.packetsLost} / ${quality.remotePacketsLost}` : undefined],
    ['Jitter', quality ? millisecondsText(quality.jitterMs) : undefined],
    ['Round trip', quality ? millisecondsText(quality.roundTripTimeMs ?? undefined) : undefined],
    ['Keys pressed', call.digits || undefined],
    ['Call-ID', call.sipCallId ?? undefined],
  ];
  return (
    <dl class="call-facts">
      {facts.map(
        ([name, value]) =>
          value !== undefined && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function Ladder({ messages, droppedCount }: SipCallMessages) {
  const [open, setOpen] = useState<number>();
  const startMs = Date.parse(messages[0]?.at ?? '');
  const remote = messages[0]?.remote ?? '';
  return (
    <>
      <div class="ladder-heads">
        <span>{remote}</span>
        <span>this server</span>
      </div>
      <ol class="ladder" data-testid="ladder">
        {messages.map(({ at, direction, title, text, protocol }, index) => (
          <li key={index} class={direction} data-testid="ladder-message">
            <button
              type="button"
              aria-expanded={open === index}
              onClick={() => setOpen(open === index ? undefined : index)}
            >
              <span class="ladder-time">{((Date.parse(at) - startMs) / 1_000).toFixed(3)} s</span>
              <span class="ladder-arrow">
                {title} <span class="dim">{protocol}</span>
              </span>
            </button>
            {open === index && <pre class="ladder-text">{text}</pre>}
          </li>
        ))}
      </ol>
      {droppedCount > 0 && (
        <p class="dim">
          <Icon name="warning" size={15} /> {droppedCount} messages from the middle are not kept.
        </p>
      )}
    </>
  );
}
