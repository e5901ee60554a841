// Owns: the last page: why it is over and what one can do. May import: client (types), ui and its siblings.
import type { EndInfo } from '../client/index.ts';
import { Icon, type IconName } from '../ui/icons.tsx';
import { rememberToken } from './credentials.ts';
import { InvitationForm } from './invitation-page.tsx';
import type { Meeting } from './meeting.ts';

interface Words {
  readonly title: string;
  readonly text: string;
  readonly icon: IconName;
  /** Coming back may work as things are. */
  readonly canRejoin: boolean;
  /** A new link would help. */
  readonly wantsLink: boolean;
}

export function EndPage({ meeting, end }: { meeting: Meeting; end: EndInfo }) {
  const { title, text, icon, canRejoin, wantsLink } = wordsFor(end, meeting.room);
  const rejoin = () => {
    meeting.restart();
    void meeting.join();
  };
  return (
    <main class="centered-page" data-testid="end-page" data-kind={end.kind} data-code={end.code}>
      <section class="card">
        <div class="end-icon">
          <Icon name={icon} size={28} />
        </div>
        <h1>{title}</h1>
        <p class="dim">{text}</p>
        {wantsLink && <InvitationForm room={meeting.room} />}
        <div class="actions">
          {canRejoin && (
            <button type="button" class="button primary" data-testid="rejoin" onClick={rejoin}>
              {end.kind === 'left' ? 'Join again' : 'Try again'}
            </button>
          )}
          {canRejoin && (
            <button type="button" class="button" onClick={() => meeting.restart()}>
              Check camera and microphone
            </button>
          )}
          {wantsLink && (
            <button
              type="button"
              class="button quiet"
              onClick={() => {
                rememberToken(meeting.room, undefined);
                location.reload();
              }}
            >
              Forget the old link
            </button>
          )}
        </div>
      </section>
    </main>
  );
}

export function wordsFor(end: EndInfo, room: string): Words {
  const base = { icon: 'warning', canRejoin: false, wantsLink: false } as const;
  switch (end.kind) {
    case 'left':
      return { ...base, icon: 'door', title: 'You have left', text: `You are no longer in ${room}.`, canRejoin: true };
    case 'kicked':
      return {
        ...base,
        icon: 'door',
        title: 'You were removed',
        text: 'A moderator has removed you from the room. If that was a mistake, ask them for a new invitation.',
        wantsLink: true,
      };
    case 'replaced':
      return {
        ...base,
        title: 'You joined somewhere else',
        text: 'This session goes on in another window or on another device.',
        canRejoin: true,
      };
    case 'room_closed':
      return { ...base, icon: 'door', title: 'The room was closed', text: end.message, canRejoin: true };
    case 'gave_up':
      return {
        ...base,
        title: 'The connection is lost',
        text: 'The server could not be reached for several minutes. Check your network, then try again.',
        canRejoin: true,
      };
    case 'refused':
      return refusalWords(end, room);
  }
}

function refusalWords(end: EndInfo, room: string): Words {
  const base = { icon: 'warning', canRejoin: false, wantsLink: false } as const;
  switch (end.code) {
    case 'unauthorized':
      return {
        ...base,
        icon: 'key',
        title: 'This invitation is no longer good',
        text: `${end.message} Links are valid for a limited time; ask for a new one and paste it here.`,
        wantsLink: true,
      };
    case 'forbidden':
      return {
        ...base,
        icon: 'key',
        title: 'This invitation is for another room',
        text: `${end.message} Open the link of ${room}, or paste it here.`,
        wantsLink: true,
      };
    case 'not_found':
      return {
        ...base,
        title: 'There is no such room',
        text: `Nobody has made a room “${room}” on this server. Check the address, or ask whoever invited you.`,
        wantsLink: true,
      };
    case 'room_full':
      return {
        ...base,
        icon: 'people',
        title: 'The room is full',
        text: `${end.message} Try again when somebody has left.`,
        canRejoin: true,
      };
    case 'not_admitted':
      return { ...base, icon: 'door', title: 'You were not let in', text: end.message, canRejoin: true };
    case 'room_locked':
      return {
        ...base,
        icon: 'lock',
        title: 'The meeting is locked',
        text: 'A moderator has locked it, so nobody else comes in. Ask somebody inside to unlock it, then try again.',
        canRejoin: true,
      };
    case 'meeting_over':
      return { ...base, icon: 'door', title: 'The meeting is over', text: end.message };
    case 'draining':
    case 'overloaded':
    case 'rate_limited':
      return { ...base, title: 'Not just now', text: end.message, canRejoin: true };
    case 'unsupported_browser':
      return {
        ...base,
        title: 'This browser cannot take part',
        text: 'Use a current Chrome, Edge, Firefox or Safari, and a link that begins with https://.',
      };
    case 'disconnected':
    case 'timeout':
      return {
        ...base,
        title: 'The server cannot be reached',
        text: 'Check your network connection. A firewall that forbids WebSockets has the same effect.',
        canRejoin: true,
      };
    default:
      return { ...base, title: 'You could not join', text: end.message, canRejoin: true };
  }
}
