// Owns: the chat beside the stage. May import: client (types), ui and its siblings.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { RoomState } from '../client/index.ts';
import { Icon } from '../ui/icons.tsx';
import { orToast } from '../ui/toasts.tsx';
import type { Meeting } from './meeting.ts';
import { clockTime, colourOf } from './names.ts';
import { PanelFrame } from './panel-frame.tsx';

type Message = RoomState['chat'][number];

const maxLength = 4_000;

export function ChatPanel({ meeting }: { meeting: Meeting }) {
  const { chat } = meeting.state.value;
  const list = useRef<HTMLOListElement>(null);
  useLayoutEffect(() => {
    const element = list.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, [chat.length]);
  return (
    <PanelFrame meeting={meeting} title="Chat" testId="chat-panel">
      <ol class="chat-list" ref={list} aria-live="polite">
        {chat.length === 0 && <li class="empty dim">No messages yet. Everybody in the room reads what you write.</li>}
        {chat.map((message, index) => (
          <ChatLine key={message.id} meeting={meeting} message={message} before={chat[index - 1]} />
        ))}
      </ol>
      <Composer meeting={meeting} />
    </PanelFrame>
  );
}

/** Messages of one person within this time stand under one name. */
const groupMs = 120_000;

function ChatLine({ meeting, message, before }: { meeting: Meeting; message: Message; before: Message | undefined }) {
  const { selfId, participants } = meeting.state.value;
  const { from, to, text, sentAtMs } = message;
  const isOwn = from?.id === selfId;
  const isPrivate = to !== 'all';
  const isSameGroup =
    before !== undefined && before.from?.id === from?.id && before.to === to && sentAtMs - before.sentAtMs < groupMs;
  const receiver = isPrivate && isOwn ? (participants.get(to)?.displayName ?? 'somebody who left') : undefined;
  return (
    <li
      class={`chat-line${isOwn ? ' own' : ''}${isPrivate ? ' private' : ''}${isSameGroup ? ' grouped' : ''}`}
      data-testid="chat-message"
      data-private={isPrivate}
    >
      {!isSameGroup && (
        <p class="chat-head">
          <strong class={from ? `ink-${colourOf(from.id)}` : ''}>
            {isOwn ? 'You' : (from?.displayName ?? 'Server')}
          </strong>
          {receiver && <span class="dim"> to {receiver}</span>}
          {isPrivate && <span class="private-mark">private</span>}
          <time class="dim">{clockTime(sentAtMs)}</time>
        </p>
      )}
      <p class="chat-text">{linked(text)}</p>
    </li>
  );
}

/** Web addresses become links; everything else stays text, so that nobody's message can be markup. */
function linked(text: string) {
  return text.split(/(https?:\/\/[^\s<>"']+)/g).map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      <a key={`${index}-${part}`} href={part} target="_blank" rel="noopener noreferrer">
        {part}
      </a>
    ),
  );
}

function Composer({ meeting }: { meeting: Meeting }) {
  const [text, setText] = useState('');
  const { selfId, participants } = meeting.state.value;
  const others = [...participants.values()].filter(({ id }) => id !== selfId);
  const to = others.some(({ id }) => id === meeting.chatTo.value) ? meeting.chatTo.value : 'all';
  const send = () => {
    const message = text.trim();
    if (!message || !meeting.connection) return;
    setText('');
    // What could not be sent comes back into the field, unless something new is being written there.
    const sent = meeting.connection.chat(message, to).catch((thrown: unknown) => {
      setText((now) => now || message);
      throw thrown;
    });
    orToast(sent);
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label class="composer-to">
        <span class="dim">To</span>
        <select
          class="select"
          data-testid="chat-to"
          value={to}
          onChange={(event) => {
            meeting.chatTo.value = event.currentTarget.value;
          }}
        >
          <option value="all">Everybody</option>
          {others.map(({ id, displayName }) => (
            <option key={id} value={id}>
              {displayName} (private)
            </option>
          ))}
        </select>
      </label>
      <div class="composer-row">
        <textarea
          class="textarea"
          rows={1}
          maxLength={maxLength}
          placeholder="Write a message"
          aria-label="Message"
          data-testid="chat-input"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            // While an input method composes a word, Enter ends the word.
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <button
          type="submit"
          class="button primary square"
          aria-label="Send"
          data-testid="chat-send"
          disabled={text.trim() === ''}
        >
          <Icon name="send" size={18} />
        </button>
      </div>
    </form>
  );
}
