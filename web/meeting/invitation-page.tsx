// Owns: the page for whoever comes without a token. May import: client, ui and its siblings.
import { useState } from 'preact/hooks';
import { ApiClient } from '../client/index.ts';
import { Icon, Logo } from '../ui/icons.tsx';
import { readInvitation } from './credentials.ts';

export function InvitationPage({ room }: { room: string }) {
  return (
    <main class="centered-page" data-testid="invitation-page">
      <section class="card">
        <Logo size={40} />
        <h1>You need an invitation</h1>
        <p class="dim">
          {room ? (
            <>
              The room <strong>{room}</strong> opens with a personal link. Ask whoever invited you for theirs, or paste
              it here.
            </>
          ) : (
            'This address names no room. Paste the link that you were given.'
          )}
        </p>
        <InvitationForm room={room} />
        {room && <PinForm room={room} />}
        <p class="dim">
          You run this server? <a href="/console">Sign in to the console</a> and come back.
        </p>
      </section>
    </main>
  );
}

export function InvitationForm({ room }: { room: string }) {
  const [text, setText] = useState('');
  const [isWrong, setWrong] = useState(false);
  const submit = (event: Event) => {
    event.preventDefault();
    const invitation = readInvitation(text, room);
    setWrong(!invitation);
    if (!invitation) return;
    const isHere = invitation.room === room;
    // The same page takes it up by its fragment; another room is another page.
    if (isHere) location.hash = `token=${invitation.token}`;
    else location.assign(`/r/${encodeURIComponent(invitation.room)}#token=${invitation.token}`);
  };
  return (
    <form class="invitation-form" onSubmit={submit}>
      <label class="field">
        Invitation link
        <input
          class="input"
          value={text}
          placeholder="https://…/r/room#token=…"
          autocomplete="off"
          spellcheck={false}
          data-testid="invitation-link"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      {isWrong && (
        <p class="notice error" role="alert">
          <Icon name="warning" size={18} />
          <span>That is not an invitation: a link ends in “#token=…”. Copy the whole of it.</span>
        </p>
      )}
      <button type="submit" class="button primary" disabled={text.trim() === ''} data-testid="invitation-open">
        Open
      </button>
    </form>
  );
}

/** Rooms that take guests ask for the PIN that phones type as well. */
function PinForm({ room }: { room: string }) {
  const [pin, setPin] = useState('');
  const [name, setName] = useState('');
  const [problem, setProblem] = useState<string>();
  const submit = async (event: Event) => {
    event.preventDefault();
    setProblem(undefined);
    try {
      const api = new ApiClient({ credential: () => undefined });
      const { token } = await api.guestToken(room, { pin: pin.replaceAll(/\s/g, ''), name: name.trim() });
      location.hash = `token=${token}`;
    } catch (thrown) {
      setProblem(thrown instanceof Error ? thrown.message : String(thrown));
    }
  };
  return (
    <form class="invitation-form" onSubmit={(event) => void submit(event)}>
      <p class="dim">Or come in with the PIN of the meeting.</p>
      <label class="field">
        Your name
        <input
          class="input"
          value={name}
          maxLength={128}
          data-testid="guest-name"
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        PIN
        <input
          class="input"
          value={pin}
          inputMode="numeric"
          autocomplete="off"
          maxLength={32}
          data-testid="guest-pin"
          onInput={(event) => setPin(event.currentTarget.value)}
        />
      </label>
      {problem && (
        <p class="notice error" role="alert" data-testid="guest-problem">
          <Icon name="warning" size={18} />
          <span>{problem}</span>
        </p>
      )}
      <button type="submit" class="button" disabled={pin.trim() === '' || name.trim() === ''} data-testid="guest-enter">
        Come in
      </button>
    </form>
  );
}
