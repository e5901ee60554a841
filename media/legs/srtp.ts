// Owns: SRTP and SRTCP for one leg (RFC 3711, RFC 7714), on keys that came by SDES (RFC 4568).
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { type SrtpParameters, type SrtpSuite, srtpKeyLength } from '#core/leg-media.ts';

interface SuiteFacts {
  readonly isGcm: boolean;
  readonly rtpTagLength: number;
  readonly rtcpTagLength: number;
  readonly saltLength: number;
}

const suites: Readonly<Record<SrtpSuite, SuiteFacts>> = {
  AES_CM_128_HMAC_SHA1_80: { isGcm: false, rtpTagLength: 10, rtcpTagLength: 10, saltLength: 14 },
  // Only the tag of RTP is short, RFC 4568 §6.2.2.
  AES_CM_128_HMAC_SHA1_32: { isGcm: false, rtpTagLength: 4, rtcpTagLength: 10, saltLength: 14 },
  AEAD_AES_128_GCM: { isGcm: true, rtpTagLength: 16, rtcpTagLength: 16, saltLength: 12 },
};

const keyLength = 16;
const replayWindow = 64n;
const encryptedFlag = 0x80000000;

interface SessionKeys {
  readonly cipherKey: Buffer;
  readonly authKey: Buffer;
  readonly salt: Buffer;
}

/** Key derivation of RFC 3711 §4.3 at a rate of 0. @param label 0..2 for RTP, 3..5 for RTCP */
function derive(masterKey: Buffer, masterSalt: Buffer, label: number, length: number): Buffer {
  const iv = Buffer.alloc(16);
  masterSalt.copy(iv, 0);
  iv[7] = (iv[7] as number) ^ label;
  return createCipheriv('aes-128-ctr', masterKey, iv).update(Buffer.alloc(length));
}

function sessionKeys(suite: SrtpSuite, inline: string, firstLabel: number): SessionKeys {
  const { saltLength } = suites[suite];
  const master = Buffer.from(inline, 'base64');
  if (master.length !== srtpKeyLength[suite]) throw new RangeError(`a key of ${suite} has another length`);
  const masterKey = master.subarray(0, keyLength);
  const masterSalt = master.subarray(keyLength);
  return {
    cipherKey: derive(masterKey, masterSalt, firstLabel, keyLength),
    authKey: derive(masterKey, masterSalt, firstLabel + 1, 20),
    salt: derive(masterKey, masterSalt, firstLabel + 2, saltLength),
  };
}

function headerLength(packet: Buffer): number {
  let length = 12 + ((packet[0] as number) & 0x0f) * 4;
  if ((packet[0] as number) & 0x10 && packet.length >= length + 4) length += 4 + packet.readUInt16BE(length + 2) * 4;
  return length;
}

/** One direction. Streams are told apart by SSRC; a leg has one, and a few over its life. */
abstract class Direction {
  protected readonly facts: SuiteFacts;
  protected readonly rtp: SessionKeys;
  protected readonly rtcp: SessionKeys;

  protected constructor(suite: SrtpSuite, inline: string) {
    this.facts = suites[suite];
    this.rtp = sessionKeys(suite, inline, 0);
    this.rtcp = sessionKeys(suite, inline, 3);
  }

  /** RFC 3711 §4.1.1: salt, SSRC and packet index, with room for the block counter. */
  protected counterIv({ salt }: SessionKeys, ssrc: number, index: number): Buffer {
    const iv = Buffer.alloc(16);
    salt.copy(iv, 0);
    xor32(iv, 4, ssrc);
    xor32(iv, 8, Math.floor(index / 0x10000));
    xor16(iv, 12, index & 0xffff);
    return iv;
  }

  /** RFC 7714 §8.1 for RTP (rollover counter and sequence number), §9.1 for RTCP (31 bits of index). */
  protected gcmIv({ salt }: SessionKeys, ssrc: number, index: number, isRtcp: boolean): Buffer {
    const iv = Buffer.alloc(12);
    iv.writeUInt32BE(ssrc >>> 0, 2);
    if (isRtcp) iv.writeUInt32BE(index >>> 0, 8);
    else {
      iv.writeUInt32BE(Math.floor(index / 0x10000) >>> 0, 6);
      iv.writeUInt16BE(index & 0xffff, 10);
    }
    for (let i = 0; i < 12; i++) iv[i] = (iv[i] as number) ^ (salt[i] as number);
    return iv;
  }

  protected tag({ authKey }: SessionKeys, length: number, covered: Buffer, rollover: number | undefined): Buffer {
    const hmac = createHmac('sha1', authKey).update(covered);
    if (rollover !== undefined) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(rollover >>> 0, 0);
      hmac.update(bytes);
    }
    return hmac.digest().subarray(0, length);
  }
}

export class SrtpSender extends Direction {
  #rtcpIndex: number;

  constructor({ suite, sendKey }: SrtpParameters, rtcpIndex = 0) {
    super(suite, sendKey);
    this.#rtcpIndex = rtcpIndex;
  }

  get rtcpIndex(): number {
    return this.#rtcpIndex;
  }

  /** @param index sequence number with the rollover counter above it */
  protectRtp(packet: Buffer, index: number): Buffer {
    const { isGcm, rtpTagLength } = this.facts;
    const ssrc = packet.readUInt32BE(8);
    const at = headerLength(packet);
    const header = packet.subarray(0, at);
    const payload = packet.subarray(at);
    if (isGcm) {
      const cipher = createCipheriv('aes-128-gcm', this.rtp.cipherKey, this.gcmIv(this.rtp, ssrc, index, false));
      cipher.setAAD(header);
      const encrypted = cipher.update(payload);
      cipher.final();
      return Buffer.concat([header, encrypted, cipher.getAuthTag()]);
    }
    const cipher = createCipheriv('aes-128-ctr', this.rtp.cipherKey, this.counterIv(this.rtp, ssrc, index));
    const covered = Buffer.concat([header, cipher.update(payload)]);
    return Buffer.concat([covered, this.tag(this.rtp, rtpTagLength, covered, Math.floor(index / 0x10000))]);
  }

  protectRtcp(packet: Buffer): Buffer {
    const { isGcm, rtcpTagLength } = this.facts;
    const index = this.#rtcpIndex;
    this.#rtcpIndex = (index + 1) & 0x7fffffff;
    const ssrc = packet.readUInt32BE(4);
    const header = packet.subarray(0, 8);
    const trailer = Buffer.alloc(4);
    trailer.writeUInt32BE((encryptedFlag | index) >>> 0, 0);
    if (isGcm) {
      const cipher = createCipheriv('aes-128-gcm', this.rtcp.cipherKey, this.gcmIv(this.rtcp, ssrc, index, true));
      cipher.setAAD(Buffer.concat([header, trailer]));
      const encrypted = cipher.update(packet.subarray(8));
      cipher.final();
      return Buffer.concat([header, encrypted, cipher.getAuthTag(), trailer]);
    }
    const cipher = createCipheriv('aes-128-ctr', this.rtcp.cipherKey, this.counterIv(this.rtcp, ssrc, index));
    const covered = Buffer.concat([header, cipher.update(packet.subarray(8)), trailer]);
    return Buffer.concat([covered, this.tag(this.rtcp, rtcpTagLength, covered, undefined)]);
  }
}

/** What has been seen of one stream: the highest index, and which of the 64 below it. */
class Replay {
  highest: number;
  #seen = 0n;

  constructor(highest: number) {
    this.highest = highest;
  }

  isNew(index: number): boolean {
    if (index > this.highest) return true;
    const behind = BigInt(this.highest - index);
    return behind < replayWindow && ((this.#seen >> behind) & 1n) === 0n;
  }

  note(index: number): void {
    if (index > this.highest) {
      const ahead = BigInt(index - this.highest);
      this.#seen = ahead >= replayWindow ? 1n : BigInt.asUintN(64, (this.#seen << ahead) | 1n);
      this.highest = index;
    } else {
      this.#seen |= 1n << BigInt(this.highest - index);
    }
  }
}

/** Streams of one leg that are remembered: a peer that changes its SSRC with every packet gains nothing. */
const maxStreams = 8;

export class SrtpReceiver extends Direction {
  readonly #rtpReplay = new Map<number, Replay>();
  readonly #rtcpReplay = new Map<number, Replay>();
  readonly #resumeIndex: number | undefined;

  /** @param resumeIndex highest index of the stream that another worker received */
  constructor({ suite, receiveKey }: SrtpParameters, resumeIndex?: number) {
    super(suite, receiveKey);
    this.#resumeIndex = resumeIndex;
  }

  highestIndex(ssrc: number): number | undefined {
    return this.#rtpReplay.get(ssrc)?.highest;
  }

  /** @returns the plain packet; undefined when it does not authenticate or has come before */
  unprotectRtp(packet: Buffer): Buffer | undefined {
    const { rtpTagLength } = this.facts;
    if (packet.length < 12 + rtpTagLength || packet.length < headerLength(packet) + rtpTagLength) return undefined;
    const ssrc = packet.readUInt32BE(8);
    const seq = packet.readUInt16BE(2);
    const replay = this.#rtpReplay.get(ssrc);
    const highest = replay?.highest ?? this.#resumeIndex;
    const index = guessIndex(seq, highest);
    if (replay && !replay.isNew(index)) return undefined;
    const plain = this.#openRtp(packet, ssrc, index);
    if (plain) remember(this.#rtpReplay, ssrc, index);
    if (plain || highest !== undefined) return plain;
    // A sender that began close below the wrap, although RFC 3711 §3.3.1 warns of it, and was past it before we listened.
    const wrapped = this.#openRtp(packet, ssrc, index + 0x10000);
    if (wrapped) remember(this.#rtpReplay, ssrc, index + 0x10000);
    return wrapped;
  }

  #openRtp(packet: Buffer, ssrc: number, index: number): Buffer | undefined {
    const { isGcm, rtpTagLength } = this.facts;
    const at = headerLength(packet);
    const body = packet.subarray(0, packet.length - rtpTagLength);
    const tag = packet.subarray(packet.length - rtpTagLength);
    const header = packet.subarray(0, at);
    const payload = isGcm
      ? openGcm(this.rtp.cipherKey, this.gcmIv(this.rtp, ssrc, index, false), header, body.subarray(at), tag)
      : timingSafeEqual(tag, this.tag(this.rtp, rtpTagLength, body, Math.floor(index / 0x10000)))
        ? createDecipheriv('aes-128-ctr', this.rtp.cipherKey, this.counterIv(this.rtp, ssrc, index)).update(
            body.subarray(at),
          )
        : undefined;
    return payload && Buffer.concat([header, payload]);
  }

  unprotectRtcp(packet: Buffer): Buffer | undefined {
    const { isGcm, rtcpTagLength } = this.facts;
    if (packet.length < 8 + 4 + rtcpTagLength) return undefined;
    const ssrc = packet.readUInt32BE(4);
    const header = packet.subarray(0, 8);
    const trailerAt = isGcm ? packet.length - 4 : packet.length - rtcpTagLength - 4;
    const trailer = packet.subarray(trailerAt, trailerAt + 4);
    const word = trailer.readUInt32BE(0);
    const index = word & 0x7fffffff;
    // We never agree to unencrypted SRTCP.
    if ((word & encryptedFlag) === 0) return undefined;
    const replay = this.#rtcpReplay.get(ssrc);
    if (replay && !replay.isNew(index)) return undefined;
    let payload: Buffer | undefined;
    if (isGcm) {
      const body = packet.subarray(8, trailerAt - rtcpTagLength);
      const tag = packet.subarray(trailerAt - rtcpTagLength, trailerAt);
      const aad = Buffer.concat([header, trailer]);
      payload = openGcm(this.rtcp.cipherKey, this.gcmIv(this.rtcp, ssrc, index, true), aad, body, tag);
    } else {
      const covered = packet.subarray(0, trailerAt + 4);
      const tag = packet.subarray(trailerAt + 4);
      if (!timingSafeEqual(tag, this.tag(this.rtcp, rtcpTagLength, covered, undefined))) return undefined;
      const iv = this.counterIv(this.rtcp, ssrc, index);
      payload = createDecipheriv('aes-128-ctr', this.rtcp.cipherKey, iv).update(packet.subarray(8, trailerAt));
    }
    if (!payload) return undefined;
    remember(this.#rtcpReplay, ssrc, index);
    return Buffer.concat([header, payload]);
  }
}

function remember(replays: Map<number, Replay>, ssrc: number, index: number): void {
  let replay = replays.get(ssrc);
  if (!replay) {
    const [oldest] = replays.keys();
    if (replays.size >= maxStreams && oldest !== undefined) replays.delete(oldest);
    replay = new Replay(index - 1);
    replays.set(ssrc, replay);
  }
  replay.note(index);
}

/** The index nearest to what was seen, RFC 3711 appendix A. */
function guessIndex(seq: number, highest: number | undefined): number {
  if (highest === undefined) return seq;
  const distance = (((seq - (highest & 0xffff)) & 0xffff) ^ 0x8000) - 0x8000;
  return Math.max(seq, highest + distance);
}

function openGcm(key: Buffer, iv: Buffer, aad: Buffer, body: Buffer, tag: Buffer): Buffer | undefined {
  const decipher = createDecipheriv('aes-128-gcm', key, iv).setAAD(aad).setAuthTag(tag);
  const plain = decipher.update(body);
  try {
    decipher.final();
  } catch {
    // The tag does not fit: that is all it says.
    return undefined;
  }
  return plain;
}

function xor32(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32BE((bytes.readUInt32BE(at) ^ value) >>> 0, at);
}

function xor16(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt16BE(bytes.readUInt16BE(at) ^ value, at);
}
