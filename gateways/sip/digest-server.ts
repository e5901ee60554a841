// Owns: asking callers and phones for a password, and seeing whether they know it. No state but which answers were used.
import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';
import { addressGroup } from '#core/net-policy.ts';
import { digestParameters, digestResponse } from './digest.ts';

export const digestAlgorithms = ['SHA-512-256', 'SHA-256', 'MD5'] as const;
export type DigestAlgorithm = (typeof digestAlgorithms)[number];

export interface DigestServerOptions {
  readonly realm: string;
  /** Offered in this order (RFC 8760 §2.3: the first that the other side knows). */
  readonly algorithms: readonly DigestAlgorithm[];
  readonly nonceTtlMs?: number;
  readonly nowMs?: () => number;
}

export interface DigestedRequest {
  readonly method: string;
  readonly uri: string;
  readonly body: string;
  readonly source: { readonly address: string };
}

export type DigestVerdict =
  | { readonly kind: 'right'; readonly username: string }
  /** None was given, or a good one with a nonce that is no longer taken, or not from there. */
  | { readonly kind: 'missing'; readonly isStale: boolean }
  | { readonly kind: 'wrong'; readonly username: string };

interface Used {
  readonly issuedAtMs: number;
  max: number;
  /** Of the 31 before `max`, bit by bit. */
  mask: number;
}

const defaultTtlMs = 300_000;
const maxUsed = 50_000;
const maxHeaderLength = 2_048;
const macLength = 22;

/**
 * Nonces say when and for where they were made and are signed, so that none has to be remembered until it was answered
 * rightly; from then on each nonce count is taken once (RFC 7616 §3.3, §3.4, §5.5). Unknown names cost the same work as known ones.
 */
export class DigestServer {
  readonly realm: string;
  readonly #options: Required<DigestServerOptions>;
  readonly #key = createSecretKey(randomBytes(32));
  readonly #nobody = randomBytes(16).toString('hex');
  readonly #used = new Map<string, Used>();
  /** Nonces from before this are no longer taken: what they were used for is forgotten. */
  #forgottenBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: DigestServerOptions) {
    this.#options = { nonceTtlMs: defaultTtlMs, nowMs: Date.now, ...options };
    this.realm = options.realm;
  }

  /**
   * Value of WWW-Authenticate. Several challenges are several headers (RFC 3261 §7.3.1), which drachtio-srf has no other
   * way to say than a line break in the value.
   * @param address where the answer is to come from
   */
  challenge(address: string, isStale = false): string {
    const nonce = this.#newNonce(placeOf(address));
    const stale = isStale ? ', stale=true' : '';
    return this.#options.algorithms
      .map((algorithm) => `Digest realm="${this.realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"${stale}`)
      .join('\r\nWWW-Authenticate: ');
  }

  /** Who says so, without proof. */
  usernameIn(header: string | undefined): string | undefined {
    return header === undefined ? undefined : this.#read(header)?.get('username');
  }

  /** Whether its nonce is ours, was given to there, and is not too old. */
  isAnswer(header: string | undefined, address: string): boolean {
    const { nowMs, nonceTtlMs } = this.#options;
    const found = header === undefined ? undefined : this.#read(header);
    const issued = this.#issued(found?.get('nonce') ?? '');
    return issued !== undefined && issued.atMs + nonceTtlMs >= nowMs() && issued.place === placeOf(address);
  }

  verify(
    header: string | undefined,
    request: DigestedRequest,
    passwordOf: (username: string) => string | undefined,
  ): DigestVerdict {
    const found = header === undefined ? undefined : this.#read(header);
    const issued = this.#issued(found?.get('nonce') ?? '');
    if (!found || !issued) return { kind: 'missing', isStale: false };
    const username = found.get('username') ?? '';
    const algorithm = found.get('algorithm') ?? 'MD5';
    const password = passwordOf(username);
    const isOffered = this.#options.algorithms.some((one) => one === algorithm.toUpperCase());
    const expected = digestResponse({
      ...{ username, realm: this.realm, password: password ?? this.#nobody, algorithm },
      ...{ nonce: found.get('nonce') ?? '', nc: found.get('nc') ?? '', cnonce: found.get('cnonce') ?? '' },
      ...{ qop: found.get('qop'), uri: found.get('uri') ?? '', method: request.method, body: request.body },
    });
    const isRight = isSame(expected ?? '', (found.get('response') ?? '').toLowerCase());
    if (!isRight || password === undefined || !isOffered) return { kind: 'wrong', username };
    if (!isSameTarget(found.get('uri') ?? '', request.uri)) return { kind: 'wrong', username };
    // A phone that has gone to another network answers the next one without asking its user.
    const isFromThere = issued.place === placeOf(request.source.address);
    if (!isFromThere || !this.#take(found, issued.atMs)) return { kind: 'missing', isStale: true };
    return { kind: 'right', username };
  }

  #read(header: string): ReadonlyMap<string, string> | undefined {
    const text = header.slice(0, maxHeaderLength).trim();
    if (!/^digest\s/i.test(text)) return undefined;
    const found = digestParameters(text);
    return found.get('realm') === this.realm ? found : undefined;
  }

  #newNonce(place: string): string {
    const text = `${this.#options.nowMs().toString(36)}.${randomBytes(6).toString('base64url')}.${place}`;
    return `${text}.${this.#mac(text)}`;
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url').slice(0, macLength);
  }

  /** @returns undefined for what is no nonce of ours */
  #issued(nonce: string): { readonly atMs: number; readonly place: string } | undefined {
    const at = nonce.lastIndexOf('.');
    const text = nonce.slice(0, Math.max(0, at));
    if (at < 0 || !isSame(this.#mac(text), nonce.slice(at + 1))) return undefined;
    const [made = '', , ...place] = text.split('.');
    return { atMs: Number.parseInt(made, 36), place: place.join('.') };
  }

  /** @returns whether it is fresh, and this count of it not used yet */
  #take(found: ReadonlyMap<string, string>, issuedAtMs: number): boolean {
    const { nowMs, nonceTtlMs } = this.#options;
    if (issuedAtMs + nonceTtlMs < nowMs() || issuedAtMs < this.#forgottenBeforeMs) return false;
    const nonce = found.get('nonce') ?? '';
    // Without qop (RFC 2069) there is no count, and it is good once.
    const text = found.get('nc') ?? '';
    const count = found.has('qop') ? Number.parseInt(/^[0-9a-f]{1,8}$/i.test(text) ? text : '0', 16) : 1;
    if (count < 1) return false;
    const used = this.#used.get(nonce);
    if (used) return takeCount(used, count);
    this.#used.set(nonce, { issuedAtMs, max: count, mask: 0 });
    if (this.#used.size > maxUsed) this.#forget();
    return true;
  }

  #forget(): void {
    const { nowMs, nonceTtlMs } = this.#options;
    for (const [nonce, { issuedAtMs }] of this.#used) {
      if (issuedAtMs + nonceTtlMs >= nowMs() && this.#used.size <= maxUsed) break;
      this.#used.delete(nonce);
      this.#forgottenBeforeMs = Math.max(this.#forgottenBeforeMs, Math.min(issuedAtMs + 1, nowMs()));
    }
  }
}

/** A /24 or /64: phones behind carriers' NAT come from several addresses of one. */
function placeOf(address: string): string {
  return address.includes(':') ? addressGroup(address) : address.slice(0, address.lastIndexOf('.'));
}

/** Requests overtake each other: a window of 32 counts, as in RFC 3711 §3.3.2. */
function takeCount(used: Used, count: number): boolean {
  const ahead = count - used.max;
  if (ahead > 0) {
    used.mask = ahead > 31 ? 0 : ((used.mask << ahead) | (1 << (ahead - 1))) >>> 0;
    used.max = count;
    return true;
  }
  if (ahead === 0 || ahead < -31) return false;
  const bit = (1 << (-ahead - 1)) >>> 0;
  if ((used.mask & bit) !== 0) return false;
  used.mask = (used.mask | bit) >>> 0;
  return true;
}

/** Host, and user where it is said, have to be those of the request; port and parameters are written in too many ways. */
function isSameTarget(digested: string, requested: string): boolean {
  const bare = (uri: string) =>
    uri
      .replace(/^sips?:/i, '')
      .replace(/;.*$/s, '')
      .replace(/:\d+$/, '')
      .toLowerCase();
  const [one, other] = [bare(digested), bare(requested)];
  return one === (one.includes('@') ? other : other.replace(/^.*@/s, ''));
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
