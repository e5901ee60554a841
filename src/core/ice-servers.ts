// Owns: the STUN and TURN servers that a client is told. May import: node:crypto.
import { createHmac } from 'node:crypto';
import type { IceServerPort } from './ports.ts';

export interface IceServerOptions {
  readonly urls: readonly string[];
  readonly username?: string | undefined;
  readonly credential?: string | undefined;
  /** Shared with the TURN server; makes time-limited credentials instead of the static ones. */
  readonly secret?: string | undefined;
  readonly ttlMs: number;
}

/**
 * Time-limited credentials as coturn and others check them (draft-uberti-behave-turn-rest-00 §2.2): the user is
 * `expiry:participant` in epoch seconds, the password base64(HMAC-SHA1(secret, user)).
 */
export function createIceServers(servers: readonly IceServerOptions[], nowMs: () => number = Date.now): IceServerPort {
  return {
    iceServersFor: (participant) =>
      servers.map(({ urls, username, credential, secret, ttlMs }) => {
        if (secret === undefined) return { urls, ...(username !== undefined && { username, credential }) };
        const user = `${Math.floor((nowMs() + ttlMs) / 1_000)}:${participant}`;
        return { urls, username: user, credential: createHmac('sha1', secret).update(user).digest('base64') };
      }),
  };
}
