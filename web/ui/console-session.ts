// Owns: the console's sign-in as this browser keeps it; the meeting page borrows it. May import: ./stored.
import { readStored, writeStored } from './stored.ts';

export interface ConsoleSession {
  /** Session JWT, or an API key that was pasted. */
  readonly credential: string;
  /** RFC 3339; absent for a key. */
  readonly expiresAt?: string | undefined;
}

export function readConsoleSession(): ConsoleSession | undefined {
  try {
    const session = JSON.parse(readStored('local', 'session') ?? 'null') as ConsoleSession | null;
    if (!session || typeof session.credential !== 'string') return undefined;
    return session.expiresAt && Date.parse(session.expiresAt) <= Date.now() ? undefined : session;
  } catch {
    return undefined;
  }
}

export function writeConsoleSession(session: ConsoleSession | undefined): void {
  writeStored('local', 'session', session && JSON.stringify(session));
}
