// Owns: Basic and Digest authentication, both sides (RFC 7616, RFC 7617, RFC 2617 for cameras without qop). Pure but
// for random numbers. May import: core/errors.
import { createHash, createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface Challenge {
  readonly scheme: 'basic' | 'digest';
  readonly params: Readonly<Record<string, string>>;
}

/** `Digest realm="x", nonce="y"`: the scheme, and parameters by lower-case name. */
export function parseAuthHeader(value: string): { scheme: string; params: Record<string, string> } {
  const [, scheme = '', rest = ''] = /^\s*([A-Za-z0-9-]+)\s*(.*)$/s.exec(value.slice(0, 4_096)) ?? [];
  const params: Record<string, string> = Object.create(null);
  for (const [, name = '', quoted, bare = ''] of rest.matchAll(
    /([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g,
  )) {
    params[name.toLowerCase()] = quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1');
  }
  return { scheme: scheme.toLowerCase(), params };
}

const hashNames: Readonly<Record<string, string>> = { md5: 'md5', 'sha-256': 'sha256' };

/** Of what a server offers, the strongest that we can answer; undefined when there is none. */
export function chooseChallenge(headers: readonly string[]): Challenge | undefined {
  // Some cameras put several into one line.
  const offers = headers.flatMap((header) => header.split(/,\s*(?=(?:Digest|Basic)\s)/i)).map(parseAuthHeader);
  const rank = ({ scheme, params }: { scheme: string; params: Record<string, string> }) => {
    if (scheme === 'basic') return 1;
    if (scheme !== 'digest' || !params.nonce) return 0;
    const algorithm = algorithmOf(params);
    return algorithm === 'sha-256' ? 3 : algorithm === 'md5' ? 2 : 0;
  };
  const best = offers.filter((offer) => rank(offer) > 0).sort((a, b) => rank(b) - rank(a))[0];
  return best && { scheme: best.scheme as Challenge['scheme'], params: best.params };
}

function algorithmOf(params: Readonly<Record<string, string>>): string {
  return (params.algorithm ?? 'MD5').toLowerCase();
}

/** Answers a challenge, again and again with a counter as RFC 7616 §3.4 wants. */
export class Authenticator {
  readonly #credentials: Credentials;
  readonly #challenge: Challenge;
  #count = 0;

  constructor(challenge: Challenge, credentials: Credentials) {
    this.#challenge = challenge;
    this.#credentials = credentials;
  }

  /** The value of an Authorization field; it is a secret as much as the password. */
  authorization(method: string, uri: string): string {
    const { username, password } = this.#credentials;
    if (this.#challenge.scheme === 'basic') {
      return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
    }
    const { realm = '', nonce = '', opaque, qop, algorithm } = this.#challenge.params;
    const hasQop = qop?.split(',').some((one) => one.trim() === 'auth') ?? false;
    this.#count += 1;
    const nc = this.#count.toString(16).padStart(8, '0');
    const cnonce = randomBytes(8).toString('hex');
    const details = { realm, nonce, uri, method, username, algorithm: algorithmOf(this.#challenge.params) };
    const response = digestResponse({ ...details, password, ...(hasQop && { qop: 'auth', nc, cnonce }) });
    const fields = [
      `username=${quote(username)}, realm=${quote(realm)}, nonce=${quote(nonce)}, uri=${quote(uri)}`,
      `response="${response}"`,
      ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
      ...(hasQop ? [`qop=auth, nc=${nc}, cnonce="${cnonce}"`] : []),
      ...(opaque === undefined ? [] : [`opaque=${quote(opaque)}`]),
    ];
    return `Digest ${fields.join(', ')}`;
  }
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

interface DigestInput {
  readonly algorithm: string;
  readonly username: string;
  readonly password: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly method: string;
  readonly qop?: string | undefined;
  readonly nc?: string | undefined;
  readonly cnonce?: string | undefined;
}

/** RFC 7616 §3.4.1; without qop RFC 2069's form, which most cameras speak. */
export function digestResponse(input: DigestInput): string {
  const hash = (text: string) =>
    createHash(hashNames[input.algorithm] ?? 'md5')
      .update(text, 'utf8')
      .digest('hex');
  const a1 = hash(`${input.username}:${input.realm}:${input.password}`);
  const a2 = hash(`${input.method}:${input.uri}`);
  const middle = input.qop === undefined ? '' : `${input.nc}:${input.cnonce}:${input.qop}:`;
  return hash(`${a1}:${input.nonce}:${middle}${a2}`);
}

export type Verdict =
  | { readonly kind: 'ok'; readonly username: string }
  | { readonly kind: 'refused'; readonly isStale: boolean };

const refused: Verdict = { kind: 'refused', isStale: false };
const nonceLifetimeMs = 300_000;

/** Our side of it. Nonces carry their time and a seal, so nothing is kept for those who never come back. */
export class DigestVerifier {
  readonly #realm: string;
  readonly #nowMs: () => number;
  readonly #secret = createSecretKey(randomBytes(32));

  constructor(realm: string, nowMs: () => number = Date.now) {
    this.#realm = realm;
    this.#nowMs = nowMs;
  }

  /** WWW-Authenticate, the stronger first; players that know only one take theirs. */
  challenges(isStale = false): string[] {
    const nonce = this.#nonce(this.#nowMs());
    const common = `Digest realm="${this.#realm}", nonce="${nonce}", qop="auth"${isStale ? ', stale=true' : ''}`;
    return [`${common}, algorithm=SHA-256`, `${common}, algorithm=MD5`];
  }

  /**
   * @param uri of the request line; the header's own must lead to the same place
   * @param passwordOf undefined for a user that does not exist
   */
  async verify(
    authorization: string,
    request: { readonly method: string; readonly uri: string },
    passwordOf: (username: string) => Promise<string | undefined>,
  ): Promise<Verdict> {
    const { scheme, params } = parseAuthHeader(authorization);
    if (scheme === 'basic') return this.#verifyBasic(authorization, passwordOf);
    const { username, realm, nonce, uri, response, qop, nc, cnonce } = params;
    const algorithm = algorithmOf(params);
    if (scheme !== 'digest' || !hashNames[algorithm] || realm !== this.#realm) return refused;
    if (username === undefined || nonce === undefined || uri === undefined || response === undefined) return refused;
    if (!isSamePlace(uri, request.uri)) return refused;
    const issuedAtMs = Number.parseInt(nonce.split('.')[0] ?? '', 36);
    if (!isEqual(nonce, this.#nonce(issuedAtMs))) return refused;
    const password = await passwordOf(username);
    const input = { algorithm, username, realm, nonce, uri, method: request.method, qop, nc, cnonce };
    // The same work for users that do not exist, so that time does not tell which do.
    const expected = digestResponse({ ...input, password: password ?? 'none' });
    if (password === undefined || !isEqual(expected, response.toLowerCase())) return refused;
    if (this.#nowMs() - issuedAtMs > nonceLifetimeMs) return { kind: 'refused', isStale: true };
    return { kind: 'ok', username };
  }

  async #verifyBasic(header: string, passwordOf: (username: string) => Promise<string | undefined>): Promise<Verdict> {
    const text = Buffer.from(header.replace(/^\s*basic\s+/i, ''), 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 0) return refused;
    const username = text.slice(0, colon);
    const password = await passwordOf(username);
    return password !== undefined && isEqual(password, text.slice(colon + 1)) ? { kind: 'ok', username } : refused;
  }

  #nonce(atMs: number): string {
    const time = Number.isFinite(atMs) ? atMs.toString(36) : '';
    return `${time}.${createHmac('sha256', this.#secret).update(time).digest('base64url').slice(0, 22)}`;
  }
}

/** Players differ in whether they sign the whole URL, with or without a slash at its end. */
function isSamePlace(signed: string, requested: string): boolean {
  const path = (uri: string) => uri.replace(/^rtsps?:\/\/[^/]*/i, '').replace(/\/$/, '');
  return path(signed) === path(requested);
}

function isEqual(a: string, b: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
