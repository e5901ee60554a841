// Owns: the keys of an encrypted connection as they travel: wrapped by a key that both derive from the passphrase
// (draft-sharabayko-srt-01 §3.2.2, §6). Pure but for randomness. May import: core/errors.
import { createCipheriv, createDecipheriv, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { GatewayError } from '#core/errors.ts';
import { keyFlag } from './packet.ts';

/** Bytes: AES-128, -192 and -256. */
export type KeyLength = 16 | 24 | 32;

/** Stream encrypting keys; one of the two or both. */
export interface StreamKeySet {
  readonly even?: Buffer | undefined;
  readonly odd?: Buffer | undefined;
}

/** Keys with what they were wrapped with, so that the next ones need no derivation. */
export interface KeyMaterial {
  readonly keyLength: KeyLength;
  readonly salt: Buffer;
  readonly wrappingKey: Buffer;
  readonly keys: StreamKeySet;
}

interface KeyMessage {
  readonly flags: number;
  readonly keyLength: KeyLength;
  readonly salt: Buffer;
  readonly wrapped: Buffer;
}

/** What a key message is answered with when it cannot be used: one word. */
export const keyState = { noSecret: 3, badSecret: 4 } as const;

const iterations = 2_048;
const saltBytes = 16;
const integrityBytes = 8;
const wrapIv = Buffer.alloc(8, 0xa6);
const signature = 0x2029;
const aesCtr = 2;
const overSrt = 2;
const deriveKey = promisify(pbkdf2);

/** Passphrases are 10 to 79 characters: libsrt's rule. */
export function isPassphrase(text: string): boolean {
  const length = Buffer.byteLength(text);
  return length >= 10 && length <= 79;
}

export async function createKeyMaterial(passphrase: string, keyLength: KeyLength): Promise<KeyMaterial> {
  const salt = randomBytes(saltBytes);
  const wrappingKey = await deriveWrappingKey(passphrase, salt, keyLength);
  return { keyLength, salt, wrappingKey, keys: { even: randomBytes(keyLength) } };
}

/**
 * @param known of the same connection, whose derivation is used again while the salt stays
 * @returns undefined for a wrong passphrase
 * @throws GatewayError `invalid_request` for what is no key message that we understand
 */
export async function openKeyMessage(
  body: Buffer,
  passphrase: string,
  known?: KeyMaterial,
): Promise<KeyMaterial | undefined> {
  const { keyLength, salt, flags, wrapped } = parseKeyMessage(body);
  const isSame = known?.keyLength === keyLength && known.salt.equals(salt);
  const wrappingKey = isSame ? known.wrappingKey : await deriveWrappingKey(passphrase, salt, keyLength);
  const plain = unwrap(wrappingKey, wrapped);
  if (!plain) return undefined;
  const first = plain.subarray(0, keyLength);
  const both = flags === (keyFlag.even | keyFlag.odd);
  const keys = both
    ? { even: first, odd: plain.subarray(keyLength) }
    : flags === keyFlag.even
      ? { even: first }
      : { odd: first };
  return { keyLength, salt, wrappingKey, keys };
}

/** The message that tells a peer the keys; of two, the even one first. */
export function serializeKeyMessage({ keyLength, salt, wrappingKey, keys }: KeyMaterial): Buffer {
  const head = Buffer.alloc(16);
  head[0] = 0x12; // version 1, a message of keys
  head.writeUInt16BE(signature, 1);
  head[3] = (keys.even ? keyFlag.even : 0) | (keys.odd ? keyFlag.odd : 0);
  head[8] = aesCtr;
  head[10] = overSrt;
  head[14] = saltBytes / 4;
  head[15] = keyLength / 4;
  const plain = Buffer.concat([keys.even, keys.odd].filter((key) => key !== undefined));
  const cipher = createCipheriv(wrapAlgorithm(keyLength), wrappingKey, wrapIv);
  return Buffer.concat([head, salt, cipher.update(plain), cipher.final()]);
}

function parseKeyMessage(body: Buffer): KeyMessage {
  const invalid = (what: string) => new GatewayError('invalid_request', `The SRT key message ${what}.`);
  if (body.length < 16 + saltBytes || body[0] !== 0x12 || body.readUInt16BE(1) !== signature) {
    throw invalid('is none');
  }
  const flags = (body[3] ?? 0) & 3;
  const keyLength = (body[15] ?? 0) * 4;
  if (flags === 0 || (body[14] ?? 0) * 4 !== saltBytes) throw invalid('names no key or has an odd salt');
  if (body[8] !== aesCtr || (body[9] ?? 0) !== 0) throw invalid('asks for a cipher other than AES-CTR');
  if (keyLength !== 16 && keyLength !== 24 && keyLength !== 32) throw invalid('has a key of odd length');
  const count = flags === 3 ? 2 : 1;
  const end = 16 + saltBytes + integrityBytes + count * keyLength;
  if (body.length < end) throw invalid('is cut short');
  return {
    ...{ flags, keyLength },
    salt: Buffer.from(body.subarray(16, 16 + saltBytes)),
    wrapped: body.subarray(16 + saltBytes, end),
  };
}

/** PBKDF2 off the main thread: it takes a millisecond. */
function deriveWrappingKey(passphrase: string, salt: Buffer, keyLength: KeyLength): Promise<Buffer> {
  return deriveKey(passphrase, salt.subarray(8), iterations, keyLength, 'sha1');
}

/** RFC 3394. @returns undefined when the integrity check fails: another key wrapped it */
function unwrap(wrappingKey: Buffer, wrapped: Buffer): Buffer | undefined {
  const decipher = createDecipheriv(wrapAlgorithm(wrappingKey.length), wrappingKey, wrapIv);
  try {
    return Buffer.concat([decipher.update(wrapped), decipher.final()]);
  } catch {
    return undefined; // it says nothing more than that
  }
}

function wrapAlgorithm(keyLength: number): string {
  return `id-aes${keyLength * 8}-wrap`;
}
