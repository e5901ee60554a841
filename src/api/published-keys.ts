// Owns: the keys that an issuer publishes at a URL: fetched, kept, fetched again. May import: core, jose.
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';

/** An unknown `kid` makes the set be fetched again, and so does age, but not more often than this. */
const cooldownMs = 30_000;
const timeoutMs = 5_000;
const maxAgeMs = 600_000;
/** A set of keys is a few kilobytes. */
const maxBytes = 262_144;

/**
 * The URL is the operator's, so no policy about networks holds; redirects are not followed, and what comes is bounded.
 * While the server is away the keys that it had go on: an outage elsewhere locks nobody out.
 */
export function publishedKeys(url: string): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL(url), {
    ...{ cooldownDuration: cooldownMs, timeoutDuration: timeoutMs, cacheMaxAge: maxAgeMs },
    [customFetch]: fetchBounded,
  });
  let awayUntilMs = 0;
  return async (header, token) => {
    const known = remote.jwks();
    // Who waits for a server that was away a moment ago waits for nothing.
    if (known && Date.now() < awayUntilMs) return createLocalJWKSet(known)(header, token);
    try {
      return await remote(header, token);
    } catch (thrown) {
      const isAnswer = thrown instanceof errors.JWKSNoMatchingKey || thrown instanceof errors.JWKSMultipleMatchingKeys;
      if (isAnswer || !known) throw thrown;
      awayUntilMs = Date.now() + cooldownMs;
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
