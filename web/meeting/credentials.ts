// Owns: where the leave to enter comes from: the link, this tab's memory, or the console's sign-in.
// May import: client, ui/stored, ui/console-session.
import { ApiClient, ApiError } from '../client/index.ts';
import { readConsoleSession } from '../ui/console-session.ts';
import { readStored, writeStored } from '../ui/stored.ts';

export interface Invitation {
  /** Asked again for each join. */
  readonly token: () => Promise<string>;
  /** What the token calls its holder. */
  readonly name: string;
}

/** `/r/{room}` */
export function roomOfPath(path: string): string | undefined {
  const match = /^\/r\/([^/]+)\/?$/.exec(path);
  try {
    return match?.[1] === undefined ? undefined : decodeURIComponent(match[1]);
  } catch {
    return undefined;
  }
}

/** `#token=…`: the fragment never reaches a server's log. */
export function tokenOfFragment(fragment: string): string | undefined {
  return new URLSearchParams(fragment.replace(/^#/, '')).get('token') ?? undefined;
}

export interface PastedInvitation {
  readonly room: string;
  readonly token: string;
}

/** What somebody pastes: the whole link, or the token alone. */
export function readInvitation(text: string, room: string): PastedInvitation | undefined {
  const trimmed = text.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(trimmed)) return { room, token: trimmed };
  if (!URL.canParse(trimmed)) return undefined;
  const url = new URL(trimmed);
  const token = tokenOfFragment(url.hash);
  const linked = roomOfPath(url.pathname);
  return token && linked ? { room: linked, token } : undefined;
}

/**
 * Takes the token out of the address bar, so that nobody reads it over a shoulder or copies it with the address.
 * @returns undefined when there is none: the page asks for a link
 */
export function findInvitation(room: string): Invitation | undefined {
  const linked = tokenOfFragment(location.hash);
  if (linked) {
    rememberToken(room, linked);
    history.replaceState(null, '', location.pathname + location.search);
  }
  const token = linked ?? readStored('session', `token.${room}`);
  if (token) return { token: async () => token, name: nameInToken(token) };
  const session = readConsoleSession();
  return session && { token: () => mintToken(room, session.credential), name: '' };
}

export function rememberToken(room: string, token: string | undefined): void {
  writeStored('session', `token.${room}`, token);
}

/** An administrator needs no link: it makes one for itself. */
async function mintToken(room: string, credential: string): Promise<string> {
  const api = new ApiClient({ credential: () => credential });
  const me = await api.me();
  const user = me.kind === 'participant' ? me.user : me.name;
  const { token } = await api.createToken(room, { user, role: 'moderator' });
  return token;
}

/** For the name field only: what it says is checked by the server. */
function nameInToken(token: string): string {
  try {
    const payload = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const { name } = JSON.parse(new TextDecoder().decode(bytes)) as { name?: unknown };
    return typeof name === 'string' ? name : '';
  } catch {
    return '';
  }
}

/** Why no token could be made, as a code and words of the join's own kind. */
export function asRefusal(thrown: unknown): { code: string; message: string } | undefined {
  return thrown instanceof ApiError ? { code: thrown.code, message: thrown.message } : undefined;
}
