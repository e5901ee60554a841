// Owns: one call closely: its figures, what can be done to it, and its SIP ladder. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { SipCallMessages, SipCallResource } from '#api/contract.ts';
import { ApiError } from '../client/index.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon } from '../ui/icons.tsx';
import { CallControls } from './call-controls.tsx';
import { CallFacts } from './call-facts.tsx';
import type { Console } from './console.ts';
import { usePolled } from './polled.ts';
import { Loaded } from './states.tsx';

const pollMs = 3_000;

interface Props {
  readonly app: Console;
  readonly call: SipCallResource;
  readonly onClose: () => void;
}

/** As it is now, not as it was when the table was read. */
export function CallDialog({ app, call, onClose }: Props) {
  const { value: now = call, refresh } = usePolled(app, `call ${call.id}`, pollMs, () => app.api.sip.call(call.id));
  return (
    <Dialog
      title={`Call ${call.direction === 'inbound' ? 'from' : 'to'} ${call.displayName}`}
      testId="call-dialog"
      isWide
      onClose={onClose}
    >
      <CallFacts call={now} />
      {now.state !== 'ended' && now.roomId !== null && (
        <CallControls app={app} call={now} roomId={now.roomId} onChanged={refresh} />
      )}
      <h3>SIP messages</h3>
      <Messages app={app} call={call} />
    </Dialog>
  );
}

function Messages({ app, call }: Pick<Props, 'app' | 'call'>) {
  const messages = usePolled(app, `messages of ${call.id}`, pollMs, () => app.api.sip.callMessages(call.id));
  const { error } = messages;
  // Of old calls they are gone, which is no failure.
  if (error instanceof ApiError && error.status === 404) return <p class="dim">{error.message}</p>;
  return <Loaded from={messages}>{(kept) => <Ladder {...kept} />}</Loaded>;
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
