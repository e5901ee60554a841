// Owns: signing in to the console: one-time codes and the sessions they open. May import: core.
import { GatewayError } from '#core/errors.ts';
import type { Scope } from '#core/grants.ts';
import { randomText } from '#core/ids.ts';
import type { StorePort } from '#core/store-port.ts';
import { sha256 } from './api-keys.ts';

export interface SessionInfo {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number;
}

const codes = 'login-codes';
const sessions = 'sessions';
const codeTtlMs = 3_600_000;
const sweepPageSize = 500;

export class Logins {
  readonly #store: StorePort;

  constructor(store: StorePort) {
    this.#store = store;
  }

  /** @returns a code for `/console#login=CODE`, good once and for an hour; only its hash is kept */
  async createCode(): Promise<string> {
    const code = randomText(32);
    await this.#store.put(codes, hashOf(code), { expiresAtMs: Date.now() + codeTtlMs }, 0);
    return code;
  }

  /** @throws GatewayError `unauthorized` when it is unknown, used or too old */
  async redeem(code: string): Promise<void> {
    const id = hashOf(code);
    const found = await this.#store.get<{ expiresAtMs: number }>(codes, id);
    // Only the one whose delete finds it gets in: of two at once the other is too late.
    if (!found || !(await this.#store.delete(codes, id)) || found.value.expiresAtMs <= Date.now()) {
      throw new GatewayError(
        'unauthorized',
        'This login link was used or is too old. Restart the server for a new one.',
      );
    }
  }

  async open(session: Omit<SessionInfo, 'id'>): Promise<SessionInfo> {
    const info = { ...session, id: randomText(20) };
    await this.#store.put(sessions, info.id, info, 0);
    return info;
  }

  /** @throws GatewayError `unauthorized` when it has ended */
  async get(id: string): Promise<SessionInfo> {
    const found = await this.#store.get<SessionInfo>(sessions, id);
    if (!found || found.value.expiresAtMs <= Date.now()) {
      throw new GatewayError('unauthorized', 'This session has ended; sign in again.');
    }
    return found.value;
  }

  async end(id: string): Promise<void> {
    await this.#store.delete(sessions, id);
  }

  /** Deletes codes and sessions that have expired. */
  async sweep(): Promise<void> {
    for (const collection of [codes, sessions]) {
      let after: string | undefined;
      do {
        const page = await this.#store.list<{ expiresAtMs: number }>(collection, { after, limit: sweepPageSize });
        const expired = page.filter(({ value }) => value.expiresAtMs <= Date.now());
        for (const { id } of expired) await this.#store.delete(collection, id);
        after = page.at(-1)?.id;
      } while (after !== undefined);
    }
  }
}

/** The hash is the name in the store, so that looking one up compares no secret byte by byte. */
function hashOf(code: string): string {
  return sha256(code).toString('hex');
}
