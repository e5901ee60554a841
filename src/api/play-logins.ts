// Owns: PlayLoginPort without a store: the name says what it is good for, the password is a seal on it. May import: core.
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { JoinGrant } from '#core/grants.ts';
import type { PlayLogin, PlayLoginPort } from '#core/play-login.ts';

/**
 * Cameras' recorders and many players take no more than a short name and password, and answer a challenge with them
 * (Digest), for which the server has to know the password: it is derived from the name. Names have no colon, for Basic.
 *
 *     {room id}~{expiry}~{token id}~{role}
 */
export class PlayLogins implements PlayLoginPort {
  readonly #key: KeyObject;

  /** @param signingKey what tokens are signed with; a key of our own is derived from it */
  constructor(signingKey: Uint8Array) {
    this.#key = createSecretKey(createHmac('sha256', signingKey).update('play logins').digest());
  }

  loginOf({ room, role, expiresAtMs, tokenId = '' }: Omit<JoinGrant, 'mayCreateRoom'>): PlayLogin {
    const expiry = Math.floor(expiresAtMs / 1_000).toString(36);
    const username = [room, expiry, tokenId, Buffer.from(role).toString('base64url')].join('~');
    return { username, password: this.#seal(username) };
  }

  passwordOf(username: string): string | undefined {
    return this.grantOf(username) && this.#seal(username);
  }

  grantOf(username: string): JoinGrant | undefined {
    const match = /^(RM_\w{1,64})~([0-9a-z]{1,9})~(\w{0,64})~([\w-]{1,128})$/.exec(username);
    const [, room = '', expiry = '', tokenId = '', role = ''] = match ?? [];
    const expiresAtMs = Number.parseInt(expiry, 36) * 1_000;
    if (!match || !(expiresAtMs > Date.now())) return undefined;
    return {
      room,
      user: 'player',
      displayName: 'player',
      role: Buffer.from(role, 'base64url').toString(),
      attributes: {},
      expiresAtMs,
      mayCreateRoom: false,
      ...(tokenId !== '' && { tokenId }),
    };
  }

  #seal(username: string): string {
    // 96 bits: short enough for what is typed into a recorder by hand.
    return createHmac('sha256', this.#key).update(username).digest('base64url').slice(0, 16);
  }
}
