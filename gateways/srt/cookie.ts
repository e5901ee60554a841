// Owns: SYN cookies: a listener keeps nothing of whom it does not know to be where it says (draft-sharabayko-srt-01
// §4.3.1). May import: nothing.
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';

/** A cookie is good for one to two of these. */
const periodMs = 60_000;

export class CookieJar {
  readonly #secret = createSecretKey(randomBytes(32));

  /** @param nowMs any clock that does not stand still */
  make(address: string, port: number, nowMs: number): number {
    return this.#cookie(address, port, Math.floor(nowMs / periodMs));
  }

  check(cookie: number, address: string, port: number, nowMs: number): boolean {
    const period = Math.floor(nowMs / periodMs);
    return cookie === this.#cookie(address, port, period) || cookie === this.#cookie(address, port, period - 1);
  }

  #cookie(address: string, port: number, period: number): number {
    const digest = createHmac('sha256', this.#secret).update(`${address} ${port} ${period}`).digest();
    return digest.readUInt32BE(0) || 1; // 0 is "no cookie"
  }
}
