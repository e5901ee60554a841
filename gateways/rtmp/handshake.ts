// Owns: the RTMP handshake, both sides (RTMP 1.0 §5.2), and the signed one that Flash and ffmpeg ask for. Pure.
// May import: core/errors.
import { createHmac, randomBytes } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';

const blockBytes = 1_536;
const version = 3;
const digestBytes = 32;

/** The signed handshake is not in the specification; these keys are what every implementation of it shares. */
const commonKey = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex');
const serverKey = Buffer.concat([Buffer.from('Genuine Adobe Flash Media Server 001'), commonKey]);
const playerKey = Buffer.concat([Buffer.from('Genuine Adobe Flash Player 001'), commonKey]);

/** Where the digest lies: its own offset is the sum of four bytes, at 8 or at 772. */
const digestSchemes = [8, 772] as const;

export interface HandshakeStep {
  /** To be sent, if anything. */
  readonly reply: Buffer | undefined;
  /** What came after the handshake; undefined while it is under way. */
  readonly rest: Buffer | undefined;
}

/** Reads C0, C1 and C2; answers S0, S1 and S2 at once, signed where C1 is. */
export class ServerHandshake {
  #input: Buffer = Buffer.alloc(0);
  #hasReplied = false;

  /** @throws GatewayError `invalid_request` when this is not RTMP, or the encrypted RTMPE */
  write(data: Buffer): HandshakeStep {
    this.#input = Buffer.concat([this.#input, data]);
    if (this.#input.length > 0 && !this.#hasReplied) assertVersion(this.#input);
    let reply: Buffer | undefined;
    if (!this.#hasReplied && this.#input.length >= 1 + blockBytes) {
      reply = answer(this.#input.subarray(1, 1 + blockBytes));
      this.#hasReplied = true;
    }
    const all = 1 + 2 * blockBytes;
    // C2 echoes S1, or signs it; senders get it wrong so often that nobody checks it.
    return { reply, rest: this.#input.length >= all ? this.#input.subarray(all) : undefined };
  }
}

/** Sends C0 and C1, unsigned, as OBS does; reads S0 to S2 and answers C2. */
export class ClientHandshake {
  readonly #c1 = Buffer.concat([Buffer.alloc(8), randomBytes(blockBytes - 8)]);
  #input: Buffer = Buffer.alloc(0);

  get opening(): Buffer {
    return Buffer.concat([Buffer.of(version), this.#c1]);
  }

  /** @throws GatewayError `invalid_request` when the server does not speak RTMP */
  write(data: Buffer): HandshakeStep {
    this.#input = Buffer.concat([this.#input, data]);
    if (this.#input.length > 0) assertVersion(this.#input);
    const all = 1 + 2 * blockBytes;
    if (this.#input.length < all) return { reply: undefined, rest: undefined };
    return { reply: this.#input.subarray(1, 1 + blockBytes), rest: this.#input.subarray(all) };
  }
}

function assertVersion(input: Buffer): void {
  if (input[0] === version) return;
  const isEncrypted = input[0] === 6 || input[0] === 8;
  const what = isEncrypted ? 'speaks encrypted RTMP (RTMPE); use rtmps instead' : 'does not speak RTMP';
  throw new GatewayError('invalid_request', `The peer ${what}.`);
}

/** S0 S1 S2 for a C1. */
function answer(c1: Buffer): Buffer {
  const s1 = Buffer.concat([Buffer.alloc(8), randomBytes(blockBytes - 8)]);
  const s2 = Buffer.from(c1);
  // A version of 0 asks for the plain handshake, in which S2 is C1 again.
  const scheme = c1.readUInt32BE(4) === 0 ? undefined : digestSchemes.find((start) => isSigned(c1, start));
  if (scheme !== undefined) {
    s1.set([4, 5, 0, 1], 4); // any version but 0
    sign(s1, scheme, serverKey.subarray(0, 36));
    randomBytes(blockBytes).copy(s2);
    const key = hmac(serverKey, digestOf(c1, scheme));
    hmac(key, s2.subarray(0, blockBytes - digestBytes)).copy(s2, blockBytes - digestBytes);
  }
  return Buffer.concat([Buffer.of(version), s1, s2]);
}

function isSigned(block: Buffer, scheme: number): boolean {
  return digestOf(block, scheme).equals(computeDigest(block, scheme, playerKey.subarray(0, 30)));
}

function sign(block: Buffer, scheme: number, key: Buffer): void {
  computeDigest(block, scheme, key).copy(block, digestOffset(block, scheme));
}

function digestOf(block: Buffer, scheme: number): Buffer {
  const offset = digestOffset(block, scheme);
  return block.subarray(offset, offset + digestBytes);
}

/** Over everything but the digest itself. */
function computeDigest(block: Buffer, scheme: number, key: Buffer): Buffer {
  const offset = digestOffset(block, scheme);
  return hmac(key, Buffer.concat([block.subarray(0, offset), block.subarray(offset + digestBytes)]));
}

function digestOffset(block: Buffer, scheme: number): number {
  const sum = block.subarray(scheme, scheme + 4).reduce((total, byte) => total + byte, 0);
  return (sum % 728) + scheme + 4;
}

function hmac(key: Buffer, data: Buffer): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
