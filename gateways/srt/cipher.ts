// Owns: encrypting and decrypting payloads, and changing keys on the way (draft-sharabayko-srt-01 §6). Pure but for
// randomness. May import: its neighbours.
import { createCipheriv, randomBytes } from 'node:crypto';
import { type KeyMaterial, type StreamKeySet, serializeKeyMessage } from './key-material.ts';
import { type DataPacket, keyFlag } from './packet.ts';

/** AES in counter mode: the same both ways. */
function applyKey(key: Buffer, salt: Buffer, sequenceNumber: number, payload: Uint8Array): Buffer {
  const iv = Buffer.alloc(16);
  salt.copy(iv, 0, 0, 14);
  iv.writeUInt32BE((iv.readUInt32BE(10) ^ sequenceNumber) >>> 0, 10);
  return createCipheriv(`aes-${key.length * 8}-ctr`, key, iv).update(payload);
}

export class PacketDecryptor {
  #material: KeyMaterial;

  constructor(material: KeyMaterial) {
    this.#material = material;
  }

  get material(): KeyMaterial {
    return this.#material;
  }

  /** Takes the keys of a later message; those that it does not name stay, while they belong to the same salt. */
  renew(material: KeyMaterial): void {
    const isSameSalt = material.salt.equals(this.#material.salt);
    const keys: StreamKeySet = isSameSalt ? { ...this.#material.keys, ...material.keys } : material.keys;
    this.#material = { ...material, keys };
  }

  /** @returns undefined when its key is not known */
  decrypt({ keyFlag: flag, sequenceNumber, payload }: DataPacket): Buffer | undefined {
    if (flag === keyFlag.none) return payload;
    const { keys, salt } = this.#material;
    const key = flag === keyFlag.even ? keys.even : flag === keyFlag.odd ? keys.odd : undefined;
    return key && applyKey(key, salt, sequenceNumber, payload);
  }
}

export interface RefreshPolicy {
  /** A key is used for so many packets. */
  readonly refreshPackets: number;
  /** The next key is told so many packets before it is used. */
  readonly announcePackets: number;
}

/** As libsrt has it: 2^24 packets are five hours of 10 Mbit/s. */
const defaultRefresh: RefreshPolicy = { refreshPackets: 0x1000000, announcePackets: 0x1000 };

export class PacketEncryptor {
  readonly #policy: RefreshPolicy;
  #material: KeyMaterial;
  #flag: number;
  #count = 0;
  /** Told to the peer again and again until it confirms. */
  #announcement: Buffer | undefined;

  constructor(material: KeyMaterial, policy: RefreshPolicy = defaultRefresh) {
    this.#policy = policy;
    this.#material = material;
    this.#flag = material.keys.even ? keyFlag.even : keyFlag.odd;
  }

  /** A key message that the peer has not confirmed yet. */
  get announcement(): Buffer | undefined {
    return this.#announcement;
  }

  /** @param body of the peer's answer: it repeats the message that it has understood */
  confirm(body: Buffer): void {
    if (this.#announcement?.equals(body.subarray(0, this.#announcement.length))) this.#announcement = undefined;
  }

  encrypt(sequenceNumber: number, payload: Uint8Array): { readonly keyFlag: number; readonly payload: Buffer } {
    this.#turnOver();
    const { keys, salt } = this.#material;
    const key = this.#flag === keyFlag.even ? keys.even : keys.odd;
    if (!key) throw new Error('an encryptor without its key'); // the constructor and #turnOver see to it
    return { keyFlag: this.#flag, payload: applyKey(key, salt, sequenceNumber, payload) };
  }

  #turnOver(): void {
    const { refreshPackets, announcePackets } = this.#policy;
    this.#count += 1;
    if (this.#count === refreshPackets - announcePackets) {
      const { keys, keyLength } = this.#material;
      const next = randomBytes(keyLength);
      this.#material = {
        ...this.#material,
        keys: this.#flag === keyFlag.even ? { even: keys.even, odd: next } : { even: next, odd: keys.odd },
      };
      this.#announcement = serializeKeyMessage(this.#material);
    } else if (this.#count > refreshPackets) {
      this.#count = 1;
      this.#flag = this.#flag === keyFlag.even ? keyFlag.odd : keyFlag.even;
    }
  }
}
