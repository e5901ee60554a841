// Owns: the handshake packet's body and its extensions as bytes and back (draft-sharabayko-srt-01 §3.2.1). Pure.
// May import: nothing.

export const handshakeType = { induction: 1, conclusion: 0xffffffff } as const;
/** In the extension field of a listener's induction: it speaks version 5. */
export const srtMagic = 0x4a17;
/** In that of a caller's induction: UDT's datagram sockets. */
export const datagramSocket = 2;

/** Which extensions follow, in the extension field of a conclusion. */
export const extensionFlag = { handshake: 1, keyMaterial: 2, config: 4 } as const;

export const extensionType = {
  handshakeRequest: 1,
  handshakeResponse: 2,
  keyMaterialRequest: 3,
  keyMaterialResponse: 4,
  streamId: 5,
  congestion: 6,
  filter: 7,
  group: 8,
} as const;

export interface HandshakeExtension {
  readonly type: number;
  /** A multiple of four bytes. */
  readonly data: Buffer;
}

export interface Handshake {
  readonly version: number;
  /** Length of the key in 8-byte steps: 0, 2, 3 or 4. */
  readonly encryption: number;
  readonly extensionField: number;
  readonly initialSequenceNumber: number;
  readonly mtuBytes: number;
  readonly flowWindowPackets: number;
  /** `handshakeType`, or 1000 and the reason of a refusal. */
  readonly type: number;
  readonly socketId: number;
  readonly cookie: number;
  /** Of whom it is sent to, in the order that libsrt writes. */
  readonly peerAddress: Buffer;
  readonly extensions: readonly HandshakeExtension[];
}

const fixedBytes = 48;
const maxExtensions = 16;

/** @returns undefined for what is cut short or runs over its end */
export function parseHandshake(body: Buffer): Handshake | undefined {
  if (body.length < fixedBytes) return undefined;
  const extensions = parseExtensions(body.subarray(fixedBytes));
  return (
    extensions && {
      version: body.readUInt32BE(0),
      encryption: body.readUInt16BE(4),
      extensionField: body.readUInt16BE(6),
      initialSequenceNumber: body.readUInt32BE(8) & 0x7fffffff,
      mtuBytes: body.readUInt32BE(12),
      flowWindowPackets: body.readUInt32BE(16),
      type: body.readUInt32BE(20),
      socketId: body.readUInt32BE(24),
      cookie: body.readUInt32BE(28),
      peerAddress: body.subarray(32, fixedBytes),
      extensions,
    }
  );
}

function parseExtensions(bytes: Buffer): HandshakeExtension[] | undefined {
  const found: HandshakeExtension[] = [];
  for (let at = 0; bytes.length - at >= 4; ) {
    const type = bytes.readUInt16BE(at);
    const end = at + 4 + bytes.readUInt16BE(at + 2) * 4;
    if (end > bytes.length || found.length >= maxExtensions) return undefined;
    if (type !== 0) found.push({ type, data: bytes.subarray(at + 4, end) });
    at = end;
  }
  return found;
}

export function serializeHandshake(handshake: Handshake): Buffer {
  const head = Buffer.alloc(fixedBytes);
  head.writeUInt32BE(handshake.version, 0);
  head.writeUInt16BE(handshake.encryption, 4);
  head.writeUInt16BE(handshake.extensionField, 6);
  head.writeUInt32BE(handshake.initialSequenceNumber, 8);
  head.writeUInt32BE(handshake.mtuBytes, 12);
  head.writeUInt32BE(handshake.flowWindowPackets, 16);
  head.writeUInt32BE(handshake.type, 20);
  head.writeUInt32BE(handshake.socketId, 24);
  head.writeUInt32BE(handshake.cookie, 28);
  head.set(handshake.peerAddress.subarray(0, 16), 32);
  return Buffer.concat([head, ...handshake.extensions.flatMap(({ type, data }) => [extensionHead(type, data), data])]);
}

function extensionHead(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(data.length / 4, 2);
  return head;
}

/** What a side can do, in `HandshakeTerms.flags`. */
export const termFlag = {
  sendsByTime: 1,
  receivesByTime: 2,
  encrypts: 4,
  dropsLate: 8,
  repeatsNak: 0x10,
  marksRetransmitted: 0x20,
  isStream: 0x40,
  filters: 0x80,
} as const;

/** The handshake extension proper (HSREQ, HSRSP). */
export interface HandshakeTerms {
  /** 0x00MMmmpp */
  readonly srtVersion: number;
  readonly flags: number;
  readonly receiverLatencyMs: number;
  readonly senderLatencyMs: number;
}

export function parseTerms(data: Buffer): HandshakeTerms | undefined {
  if (data.length < 12) return undefined;
  return {
    srtVersion: data.readUInt32BE(0),
    flags: data.readUInt32BE(4),
    receiverLatencyMs: data.readUInt16BE(8),
    senderLatencyMs: data.readUInt16BE(10),
  };
}

export function serializeTerms(terms: HandshakeTerms): Buffer {
  const data = Buffer.alloc(12);
  data.writeUInt32BE(terms.srtVersion, 0);
  data.writeUInt32BE(terms.flags, 4);
  data.writeUInt16BE(terms.receiverLatencyMs, 8);
  data.writeUInt16BE(terms.senderLatencyMs, 10);
  return data;
}

/** Text lies in an extension as 32-bit words whose bytes are turned round, filled up with zeros. */
export function parseText(data: Buffer): string {
  return Buffer.from(data).swap32().toString('utf8').replace(/\0+$/, '');
}

/** @throws RangeError for text of more than 512 bytes, which SRT cannot carry */
export function serializeText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > 512) throw new RangeError('SRT carries texts of up to 512 bytes.');
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  bytes.copy(padded);
  return padded.swap32();
}
