// Owns: the secret that join tokens and sessions are signed with. May import: core.
import { randomBytes } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { StorePort } from '#core/store-port.ts';

const collection = 'secrets';
const id = 'signing-key';
/** RFC 7518 §3.2: an HS256 key has as many bits as the hash at the least. */
const keyBytes = 32;

/**
 * Made at first start, and anew when it cannot be opened any more: what it signed is no longer good then. Every node on
 * the same store has the same.
 */
export async function loadSigningKey(store: StorePort): Promise<Uint8Array> {
  const known = await store.get<{ base64?: string }>(collection, id);
  if (known?.value.base64 !== undefined) return parse(known.value.base64);
  try {
    const made = await store.put(
      collection,
      id,
      { base64: randomBytes(keyBytes).toString('base64') },
      known?.revision ?? 0,
    );
    return parse(made.value.base64);
  } catch (thrown) {
    // Another node on this store has made it in this moment.
    if (!(thrown instanceof GatewayError && thrown.code === 'conflict')) throw thrown;
    const theirs = await store.get<{ base64: string }>(collection, id);
    if (!theirs) throw thrown;
    return parse(theirs.value.base64);
  }
}

function parse(base64: string): Uint8Array {
  const key = Buffer.from(base64, 'base64');
  if (key.byteLength < keyBytes) throw new GatewayError('internal', 'The signing key in the store is too short.');
  return new Uint8Array(key);
}
