// Owns: how a receiver knows that a message is ours, whole and of now: Standard Webhooks' three headers. Pure.
import { createHmac, randomBytes } from 'node:crypto';

const secretPrefix = 'whsec_';
const secretLength = 32;

/** @returns `whsec_` and 32 random bytes in base64, as receivers' libraries take it */
export function newSecret(): string {
  return secretPrefix + randomBytes(secretLength).toString('base64');
}

export interface SignedMessage {
  /** Same for every attempt and replay of one event: what a receiver remembers to take it once. */
  readonly id: string;
  readonly timestampS: number;
  readonly body: string;
}

/**
 * HMAC-SHA256 over `id.timestamp.body`, so that none of the three can be exchanged. While a secret is being rotated there
 * is a signature by each, and the receiver takes any.
 */
export function signatureHeaders(message: SignedMessage, secrets: readonly string[]): Record<string, string> {
  const { id, timestampS, body } = message;
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signatures.join(' '),
  };
}
