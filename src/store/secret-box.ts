// Owns: SecretBox with a key file in the data folder. May import: core.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { GatewayError } from '#core/errors.ts';
import type { SecretBox } from '#core/secret-box.ts';

const algorithm = 'aes-256-gcm';
const keyLength = 32;
/** NIST SP 800-38D §8.2.2: random, and far below 2^32 messages for one key. */
const nonceLength = 12;
const tagLength = 16;
const prefix = 'v1.';

/**
 * Reads the key, or makes it at first. Whoever copies the database alone (a backup, a stolen disk image of it) has no
 * secrets with it; the key file is kept apart.
 * @throws GatewayError `conflict` for a key file that is none
 */
export function openSecretBox(file: string): SecretBox {
  return secretBoxOf(readKey(file) ?? makeKey(file));
}

/** @param key 32 bytes */
export function secretBoxOf(key: Buffer): SecretBox {
  return {
    seal(plain) {
      const nonce = randomBytes(nonceLength);
      const cipher = createCipheriv(algorithm, key, nonce);
      const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return prefix + Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
    },
    open(sealed) {
      try {
        if (!sealed.startsWith(prefix)) throw new Error('not sealed here');
        const bytes = Buffer.from(sealed.slice(prefix.length), 'base64url');
        const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceLength), { authTagLength: tagLength });
        decipher.setAuthTag(bytes.subarray(nonceLength, nonceLength + tagLength));
        return Buffer.concat([decipher.update(bytes.subarray(nonceLength + tagLength)), decipher.final()]).toString();
      } catch (cause) {
        throw new GatewayError('internal', 'A secret in the store cannot be read with the key of this data folder.', {
          cause,
        });
      }
    },
  };
}

function readKey(file: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new GatewayError('conflict', `The key file ${file} cannot be read.`, { cause });
  }
  const key = Buffer.from(text, 'base64');
  if (key.length === keyLength) return key;
  throw new GatewayError('conflict', `The key file ${file} holds no key; restore it from your backup.`);
}

function makeKey(file: string): Buffer {
  const key = randomBytes(keyLength);
  try {
    const descriptor = openSync(file, 'wx', 0o600);
    writeSync(descriptor, `${key.toString('base64')}\n`);
    // Before anything is sealed with it: a key lost in a power cut takes all secrets along.
    fsyncSync(descriptor);
    closeSync(descriptor);
    return key;
  } catch (cause) {
    // A second start at the same moment was faster; its key is the key.
    const theirs = readKey(file);
    if (theirs) return theirs;
    throw new GatewayError('conflict', `The key file ${file} cannot be made.`, { cause });
  }
}
