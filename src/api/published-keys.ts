// Owns: the keys that an issuer publishes at a URL: fetched, kept, fetched again. May import: core, jose.
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';

/** An unknown `kid` makes the set be fetched again, and so does age, but not more often than this. */
const cooldownMs = 30_000;
const timeoutMs = 5_000;
const maxAgeMs = 600_000;
/** A set of keys is a few kilobytes. */
const maxBytes = 262_144;

/** Whoever asks while they have never been had is told so at once, for so long: nobody makes us ask in a loop. */
const neverHadCooldownMs = 1_000;

/** The keys cannot be had now: nothing is said of the token. */
export class KeysAway extends Error {
  override readonly name = 'KeysAway';
}

/**
 * The URL is the operator's, so no policy about networks holds; redirects are not followed, and what comes is bounded.
 * While the server is away the keys that it had go on: an outage elsewhere locks nobody out.
 *
 * @param onAway told each time that it was asked in vain
 * @throws KeysAway where it has never answered
 */
export function publishedKeys(url: string, onAway: (cause: unknown) => void): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL(url), {
    ...{ cooldownDuration: cooldownMs, timeoutDuration: timeoutMs, cacheMaxAge: maxAgeMs },
    [customFetch]: fetchBounded,
  });
  let awayUntilMs = 0;
  let lastCause: unknown;
  return async (header, token) => {
    const known = remote.jwks();
    if (Date.now() < awayUntilMs) {
      if (!known) throw new KeysAway(`The keys at ${url} could not be had.`, { cause: lastCause });
      // Who waits for a server that was away a moment ago waits for nothing.
      return createLocalJWKSet(known)(header, token);
    }
    try {
      return await remote(header, token);
    } catch (thrown) {
      const isAnswer = thrown instanceof errors.JWKSNoMatchingKey || thrown instanceof errors.JWKSMultipleMatchingKeys;
      if (isAnswer) throw thrown;
      // Of all that ask at once the first tells.
      if (Date.now() >= awayUntilMs) onAway(thrown);
      lastCause = thrown;
      awayUntilMs = Date.now() + (known ? cooldownMs : neverHadCooldownMs);
      if (!known) throw new KeysAway(`The keys at ${url} could not be had.`, { cause: thrown });
      return createLocalJWKSet(known)(header, token);
    }
  };
}

async function fetchBounded(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...options, redirect: 'manual' });
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new Error(`The keys at ${url} are more than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status, headers: response.headers });
}
