// Owns: who is signed in to the console, and where in it one is. May import: client, ui, signals.
import { computed, signal } from '@preact/signals';
import { ApiClient, ApiError } from '../client/index.ts';
import { type ConsoleSession, readConsoleSession, writeConsoleSession } from '../ui/console-session.ts';

const plainPages = ['rooms', 'calls', 'trunks', 'accounts', 'rules', 'bans', 'keys', 'nodes', 'server'] as const;
type PlainPage = (typeof plainPages)[number];

export type Route = { readonly page: PlainPage } | { readonly page: 'room'; readonly room: string };

/** `#/rooms/demo`; anything unknown is the list of rooms. */
export function routeOf(fragment: string): Route {
  const [page = '', name] = fragment.replace(/^#\/?/, '').split('/');
  if (page === 'rooms' && name) return { page: 'room', room: safelyDecoded(name) };
  return { page: plainPages.find((known) => known === page) ?? 'rooms' };
}

export function linkTo(route: Route): string {
  return route.page === 'room' ? `#/rooms/${encodeURIComponent(route.room)}` : `#/${route.page}`;
}

export type Stage = 'signing_in' | 'signed_out' | 'signed_in';

export class Console {
  readonly session = signal<ConsoleSession | undefined>(readConsoleSession());
  readonly route = signal<Route>(routeOf(location.hash));
  readonly isSigningIn = signal(false);
  /** Why one is not signed in, when that was not one's own doing. */
  readonly refusal = signal<string | undefined>(undefined);
  readonly stage = computed((): Stage => {
    if (this.isSigningIn.value) return 'signing_in';
    return this.session.value ? 'signed_in' : 'signed_out';
  });
  readonly api = new ApiClient({ credential: () => this.session.value?.credential });

  /** Takes up the one-time link, if that is how one came. */
  async start(): Promise<void> {
    addEventListener('hashchange', () => {
      if (this.#takeCode() === undefined) this.route.value = routeOf(location.hash);
    });
    await this.#takeCode();
  }

  /** @throws ApiError when the key is not one */
  async signInWithKey(key: string): Promise<void> {
    const api = new ApiClient({ credential: () => key });
    await api.me();
    this.#keep({ credential: key });
  }

  async signOut(): Promise<void> {
    const isSession = this.session.value?.expiresAt !== undefined;
    // A session that has ended by itself is signed out as well.
    if (isSession) await this.api.logout().catch(() => undefined);
    this.#keep(undefined);
  }

  /** Looks at what a call was refused with: a credential that is no longer good ends the session here too. */
  noticed(thrown: unknown): void {
    if (!(thrown instanceof ApiError) || thrown.status !== 401 || !this.session.value) return;
    this.#keep(undefined);
    this.refusal.value = thrown.message;
  }

  #takeCode(): Promise<void> | undefined {
    const code = new URLSearchParams(location.hash.replace(/^#/, '')).get('login');
    if (!code) return undefined;
    // Good once: it has no business in the history or the address bar.
    history.replaceState(null, '', `${location.pathname}#/rooms`);
    this.route.value = { page: 'rooms' };
    return this.#exchange(code);
  }

  async #exchange(code: string): Promise<void> {
    this.isSigningIn.value = true;
    try {
      const { token, expiresAt } = await this.api.login(code);
      this.#keep({ credential: token, expiresAt });
    } catch (thrown) {
      this.refusal.value = thrown instanceof Error ? thrown.message : String(thrown);
    } finally {
      this.isSigningIn.value = false;
    }
  }

  #keep(session: ConsoleSession | undefined): void {
    this.refusal.value = undefined;
    this.session.value = session;
    writeConsoleSession(session);
  }
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
