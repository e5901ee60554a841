// Owns: who may. AuthPort over API keys, console sessions and join tokens. May import: core, config.
import { timingSafeEqual } from 'node:crypto';
import { errors } from 'jose';
import type { AuthConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { coversRoom, hasScope, type JoinGrant, type Principal } from '#core/grants.ts';
import type { AuthPort, Logger } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { SecretBox } from '#core/secret-box.ts';
import type { StorePort } from '#core/store-port.ts';
import { ApiKeys, isExpired, sha256 } from './api-keys.ts';
import { AppTokens } from './app-tokens.ts';
import { Logins, type SessionInfo } from './logins.ts';
import { PlayLogins } from './play-logins.ts';
import { KeysAway } from './published-keys.ts';
import type { MemoryRateLimiter } from './rate-limiter.ts';
import { Revocations } from './revocations.ts';
import { looksLikeToken, SignedTokens } from './signed-tokens.ts';
import { loadSigningKey } from './signing-key.ts';

export interface AuthOptions {
  readonly store: StorePort;
  readonly rooms: Pick<Rooms, 'find'>;
  readonly config: AuthConfig;
  /** Wrong credentials, by address. */
  readonly failures: MemoryRateLimiter;
  /** Seals the keys that sign tokens. */
  readonly secrets: SecretBox;
  readonly log: Logger;
}

const maxCredentialLength = 8_192;
/** Shown as the id of the key that the configuration gives. */
const configuredKeyId = 'config';

/**
 * Takes three kinds of credential: an API key (`sk_…`, or the one from the configuration), a session token of the
 * console, a join token for one room. Keys and codes could be guessed, so an address that was wrong too often has to
 * wait even with a right one; signed tokens cannot, so that participants behind one address do not lock out each other.
 */
export class Auth implements AuthPort {
  readonly keys: ApiKeys;
  readonly revocations: Revocations;
  /** For players that know no tokens. */
  readonly playLogins: PlayLogins;
  /** The key made at this first start, to be shown once; undefined at later ones. */
  readonly firstAdminKey: string | undefined;
  readonly #options: AuthOptions;
  readonly #tokens: SignedTokens;
  readonly #appTokens: AppTokens;
  readonly #logins: Logins;
  readonly #configuredHash: Buffer | undefined;

  private constructor(
    options: AuthOptions,
    parts: Pick<Auth, 'keys' | 'revocations' | 'playLogins' | 'firstAdminKey'> & { readonly tokens: SignedTokens },
  ) {
    this.#options = options;
    this.keys = parts.keys;
    this.revocations = parts.revocations;
    this.playLogins = parts.playLogins;
    this.firstAdminKey = parts.firstAdminKey;
    this.#tokens = parts.tokens;
    this.#appTokens = new AppTokens(parts.keys, options.config.issuers, options.log);
    this.#logins = new Logins(options.store);
    this.#configuredHash = options.config.adminKey === undefined ? undefined : sha256(options.config.adminKey);
  }

  static async create(options: AuthOptions): Promise<Auth> {
    const { store, secrets, log, config } = options;
    const keys = new ApiKeys({ store, secrets, log });
    const signingKey = await loadSigningKey(store);
    const tokens = new SignedTokens(signingKey);
    const playLogins = new PlayLogins(signingKey);
    const revocations = await Revocations.create(store, log);
    const needsKey = config.adminKey === undefined && !(await hasAdminKey(keys));
    const made = needsKey ? await keys.create({ name: 'First start', scopes: ['admin'] }) : undefined;
    const auth = new Auth(options, { keys, tokens, revocations, playLogins, firstAdminKey: made?.key });
    await auth.#logins.sweep();
    return auth;
  }

  async authenticate(credential: string | undefined, address?: string): Promise<Principal> {
    if (!credential) {
      throw new GatewayError(
        'unauthorized',
        'This needs a credential: an API key or token, in Authorization: Bearer … or in X-Auth-Token.',
      );
    }
    return this.#limited(address, looksLikeToken(credential) ? 'signed' : 'guessable', () =>
      this.#identify(credential),
    );
  }

  async authorizeJoin(credential: string | undefined, roomNameOrId: string, address?: string): Promise<JoinGrant> {
    const principal = await this.authenticate(credential, address);
    const found = await this.#options.rooms.find(roomNameOrId);
    if (principal.kind === 'participant') {
      // One answer for a room that is another and for one that is not: a token does not tell which rooms there are.
      const { grant } = principal;
      const mayMake = grant.mayCreateRoom && coversRoom(grant, { id: '', name: roomNameOrId });
      if (found ? !coversRoom(grant, found.record) : !mayMake) {
        throw new GatewayError('forbidden', 'This token is for another room, or its room is gone.');
      }
      return found ? { ...grant, room: found.record.id } : grant;
    }
    if (!hasScope(principal, 'rooms:write')) {
      throw new GatewayError('forbidden', `The key "${principal.name}" may not join rooms: it lacks rooms:write.`);
    }
    const moderating = found?.record.roles.find(({ moderate }) => moderate);
    return {
      room: found?.record.id ?? roomNameOrId,
      user: principal.name,
      displayName: principal.name,
      role: moderating?.role ?? 'moderator',
      attributes: {},
      expiresAtMs: Date.now() + this.#options.config.tokenTtlMs,
      mayCreateRoom: true,
    };
  }

  assertNotRevoked({ tokenId }: JoinGrant): void {
    this.revocations.assertGood(tokenId);
  }

  /** @param grant.tokenId by which it can be revoked; made up unless it is given */
  createJoinToken(grant: Omit<JoinGrant, 'mayCreateRoom'>): Promise<string> {
    return this.#tokens.signJoin(grant);
  }

  /** @returns a code for `/console#login=CODE`: good once, for an hour */
  createOneTimeLogin(): Promise<string> {
    return this.#logins.createCode();
  }

  /** @throws GatewayError `unauthorized`, `rate_limited` */
  async login(code: string, address: string): Promise<{ token: string; session: SessionInfo }> {
    await this.#limited(address, 'guessable', () => this.#logins.redeem(code));
    await this.#logins.sweep();
    const session = await this.#logins.open({
      name: 'console',
      scopes: ['admin'],
      expiresAtMs: Date.now() + this.#options.config.sessionTtlMs,
    });
    return { token: await this.#tokens.signSession(session.id, session.expiresAtMs), session };
  }

  /** Other credentials have no session to end. @throws GatewayError `invalid_request` */
  async logout(principal: Principal): Promise<void> {
    if (principal.kind !== 'session') {
      throw new GatewayError('invalid_request', 'Only a console session can be signed out; keys are deleted instead.');
    }
    await this.#logins.end(principal.keyId);
  }

  async #identify(credential: string): Promise<Principal> {
    if (credential.length > maxCredentialLength) throw new GatewayError('unauthorized', 'This credential is too long.');
    if (this.#configuredHash && timingSafeEqual(sha256(credential), this.#configuredHash)) {
      return { kind: 'key', keyId: configuredKeyId, name: 'admin', scopes: ['admin'] };
    }
    if (!looksLikeToken(credential)) {
      const { id, name, scopes } = await this.keys.verify(credential);
      return { kind: 'key', keyId: id, name, scopes };
    }
    if (AppTokens.looksLikeOne(credential)) {
      const principal = await this.#appTokens.verify(credential);
      if (principal.kind === 'participant') this.revocations.assertGood(principal.grant.tokenId);
      return principal;
    }
    const verdict = await this.#tokens.verify(credential);
    if (verdict.kind === 'join') {
      const { grant } = verdict;
      this.revocations.assertGood(grant.tokenId);
      return { kind: 'participant', grant };
    }
    const session = await this.#logins.get(verdict.sessionId);
    return { kind: 'session', keyId: session.id, name: session.name, scopes: session.scopes };
  }

  /** Counts what was wrong, and refuses what could be guessed from an address that was wrong too often. */
  async #limited<T>(address: string | undefined, how: 'signed' | 'guessable', attempt: () => Promise<T>): Promise<T> {
    if (address === undefined) return attempt();
    if (how === 'guessable') this.#options.failures.check(address);
    try {
      return await attempt();
    } catch (thrown) {
      const isRefusal = thrown instanceof GatewayError && thrown.code === 'unauthorized';
      if (isRefusal && !isBlameless(thrown.cause)) {
        // In this order: past the limit, refusals are no longer worth a line each.
        this.#options.failures.consume(address);
        this.#options.log.warn({ address, reason: thrown.message }, 'credential refused');
      }
      throw thrown;
    }
  }
}

/** Who comes with yesterday's token is not guessing, nor is who comes while the issuer is away. */
const isBlameless = (cause: unknown): boolean => cause instanceof errors.JWTExpired || cause instanceof KeysAway;

async function hasAdminKey(keys: ApiKeys): Promise<boolean> {
  for (let after: string | undefined; ; ) {
    const page = await keys.list({ after, limit: 500 });
    if (page.some((key) => key.scopes.includes('admin') && !isExpired(key))) return true;
    after = page.at(-1)?.id;
    if (after === undefined) return false;
  }
}
