import { createHash, randomBytes } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';

export interface SipCredentials {
  readonly username: string;
  readonly password: string;
}

export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: string;
  /** `auth`, `auth-int`, or undefined for a server of RFC 2069. */
  readonly qop: 'auth' | 'auth-int' | undefined;
  readonly isStale: boolean;
}

/** Strongest first (RFC 8760 §2.4 leaves the choice to the server's order; peers that offer both expect the better). */
const hashes: readonly (readonly [string, string])[] = [
  ['SHA-512-256', 'sha512-256'],
  ['SHA-256', 'sha256'],
  ['MD5', 'md5'],
];

const parameter = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;

/**
 * The challenge to answer, of all that a 401 or 407 carries; drachtio-srf hands several over joined by commas.
 * @returns undefined where none is Digest with an algorithm and qop of ours
 */
export function chooseChallenge(header: string): Challenge | undefined {
  const offered = splitChallenges(header).flatMap((text) => {
    const challenge = parseChallenge(text);
    return challenge ? [challenge] : [];
  });
  const rank = ({ algorithm }: Challenge): number => hashes.findIndex(([name]) => name === baseOf(algorithm));
  return offered.filter((each) => rank(each) >= 0).sort((a, b) => rank(a) - rank(b))[0];
}

/** At each `Digest` that stands outside quotes and begins a challenge. */
function splitChallenges(header: string): string[] {
  const starts: number[] = [];
  let isQuoted = false;
  for (let i = 0; i < header.length; i++) {
    const character = header[i];
    if (character === '\\' && isQuoted) i++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && /^[A-Za-z]/.test(character ?? '') && /(^|[,\s])$/.test(header.slice(0, i))) {
      if (/^[A-Za-z][\w-]*\s+[\w-]+\s*=/.test(header.slice(i, i + 80))) starts.push(i);
    }
  }
  return starts.map((start, i) => header.slice(start, starts[i + 1] ?? header.length));
}

function parseChallenge(text: string): Challenge | undefined {
  if (!/^digest\s/i.test(text)) return undefined;
  const found = digestParameters(text);
  const realm = found.get('realm');
  const nonce = found.get('nonce');
  if (realm === undefined || nonce === undefined) return undefined;
  const offered = found
    .get('qop')
    ?.toLowerCase()
    .split(',')
    .map((each) => each.trim());
  const qop = offered?.includes('auth') ? 'auth' : offered?.includes('auth-int') ? 'auth-int' : undefined;
  if (offered && !qop) return undefined;
  return {
    realm,
    nonce,
    opaque: found.get('opaque'),
    algorithm: found.get('algorithm') ?? 'MD5',
    qop,
    isStale: found.get('stale')?.toLowerCase() === 'true',
  };
}

/** What follows `Digest`, names in lower case. */
export function digestParameters(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', quoted, bare] of text.slice(6).matchAll(parameter)) {
    found.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '');
  }
  return found;
}

export interface DigestWords {
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly algorithm: string;
  readonly nonce: string;
  readonly nc: string;
  readonly cnonce: string;
  readonly qop: string | undefined;
  readonly method: string;
  readonly uri: string;
  readonly body: string;
}

/** The `response` of a digest, hex; undefined for an algorithm that is not ours. @see RFC 7616 §3.4.1 */
export function digestResponse(words: DigestWords): string | undefined {
  const name = hashes.find(([algorithm]) => algorithm === baseOf(words.algorithm))?.[1];
  if (name === undefined) return undefined;
  const hash = (text: string): string => createHash(name).update(text, 'utf8').digest('hex');
  const { username, realm, password, nonce, nc, cnonce, qop, method, uri, body } = words;
  const isSession = words.algorithm.toLowerCase().endsWith('-sess');
  const secret = hash(`${username}:${realm}:${password}`);
  const ha1 = isSession ? hash(`${secret}:${nonce}:${cnonce}`) : secret;
  const ha2 = hash(`${method}:${uri}${qop === 'auth-int' ? `:${hash(body)}` : ''}`);
  return hash(qop ? `${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}` : `${ha1}:${nonce}:${ha2}`);
}

export interface DigestRequest {
  readonly method: string;
  /** Exactly the Request-URI as it goes out. */
  readonly uri: string;
  readonly body: string;
  readonly nonceCount: number;
  /** Hex; made up where absent. */
  readonly cnonce?: string;
}

/**
 * Value of Authorization or Proxy-Authorization.
 * @throws GatewayError `unauthorized` for an algorithm that is not ours
 * @see RFC 7616 §3.4, RFC 8760
 */
export function authorize(challenge: Challenge, credentials: SipCredentials, request: DigestRequest): string {
  const { realm, nonce, qop, algorithm } = challenge;
  const cnonce = request.cnonce ?? randomBytes(8).toString('hex');
  const nc = request.nonceCount.toString(16).padStart(8, '0');
  const response = digestResponse({ ...credentials, ...request, realm, nonce, qop, algorithm, nc, cnonce });
  if (response === undefined) throw new GatewayError('unauthorized', `The peer asks for digest ${algorithm}.`);
  const parts = [
    `username=${quoted(credentials.username)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(request.uri)}`,
    `response="${response}"`,
    `algorithm=${challenge.algorithm}`,
  ];
  if (qop || algorithm.toLowerCase().endsWith('-sess')) parts.push(`cnonce="${cnonce}"`);
  if (qop) parts.push(`qop=${qop}`, `nc=${nc}`);
  if (challenge.opaque !== undefined) parts.push(`opaque=${quoted(challenge.opaque)}`);
  return `Digest ${parts.join(', ')}`;
}

/** Of one request: of a proxy, of who is behind it, and once more with a younger nonce. */
export const maxChallenges = 3;

/** A 401 or 407 to a request of ours. */
export interface Challenged {
  readonly status: number;
  header(name: string): string | undefined;
}

/**
 * The header that answers a challenge.
 * @param hasShown whether that request had such a header: then the password was refused, unless only the nonce was too old
 * @returns undefined where the answer is none, or none that we could answer
 */
export function answerChallenge(
  { status, header }: Challenged,
  credentials: SipCredentials,
  request: Omit<DigestRequest, 'nonceCount'>,
  nonceCountOf: (nonce: string) => number = () => 1,
  hasShown: (name: string) => boolean = () => false,
): { readonly name: 'authorization' | 'proxy-authorization'; readonly value: string } | undefined {
  if (status !== 401 && status !== 407) return undefined;
  const challenge = chooseChallenge(header(status === 401 ? 'www-authenticate' : 'proxy-authenticate') ?? '');
  const name = status === 401 ? 'authorization' : 'proxy-authorization';
  if (!challenge || (hasShown(name) && !challenge.isStale)) return undefined;
  const nonceCount = nonceCountOf(challenge.nonce);
  return { name, value: authorize(challenge, credentials, { ...request, nonceCount }) };
}

function baseOf(algorithm: string): string {
  return algorithm.toUpperCase().replace(/-SESS$/, '');
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}
