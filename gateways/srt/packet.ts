// Owns: SRT packets as bytes and back (draft-sharabayko-srt-01 §3). Pure. May import: nothing.

export const headerBytes = 16;
/** Of an Ethernet frame, with IP and UDP headers: what libsrt assumes on every path. */
export const defaultMtuBytes = 1_500;
/** IPv4 and UDP headers. */
const lowerHeaderBytes = 28;
/** Seven packets of a transport stream: what everybody sends in live mode. */
export const livePayloadBytes = 1_316;

export const controlType = {
  handshake: 0,
  keepAlive: 1,
  ack: 2,
  nak: 3,
  congestionWarning: 4,
  shutdown: 5,
  ackAck: 6,
  dropRequest: 7,
  peerError: 8,
  userDefined: 0x7fff,
} as const;

/** Subtypes of `userDefined`. */
export const userDefinedType = { keyMaterialRequest: 3, keyMaterialResponse: 4 } as const;

/** Which key a payload is encrypted with: its bit in the header. */
export const keyFlag = { none: 0, even: 1, odd: 2 } as const;

export interface DataPacket {
  readonly kind: 'data';
  readonly sequenceNumber: number;
  readonly messageNumber: number;
  /** `keyFlag`; 3 is reserved. */
  readonly keyFlag: number;
  readonly isRetransmitted: boolean;
  /** Microseconds on the sender's clock, 32 bits. */
  readonly timestampUs: number;
  readonly socketId: number;
  readonly payload: Buffer;
}

export interface ControlPacket {
  readonly kind: 'control';
  readonly type: number;
  readonly subtype: number;
  readonly info: number;
  readonly timestampUs: number;
  readonly socketId: number;
  readonly body: Buffer;
}

/** @returns the most that a data packet carries on a path of this MTU */
export function maxPayloadBytes(mtuBytes: number): number {
  return mtuBytes - lowerHeaderBytes - headerBytes;
}

/** @returns undefined for what is no SRT packet */
export function parsePacket(datagram: Buffer): DataPacket | ControlPacket | undefined {
  if (datagram.length < headerBytes) return undefined;
  const first = datagram.readUInt32BE(0);
  const second = datagram.readUInt32BE(4);
  const timestampUs = datagram.readUInt32BE(8);
  const socketId = datagram.readUInt32BE(12);
  const rest = datagram.subarray(headerBytes);
  if (first >= 0x80000000) {
    const type = (first >>> 16) & 0x7fff;
    return { kind: 'control', type, subtype: first & 0xffff, info: second, timestampUs, socketId, body: rest };
  }
  return {
    kind: 'data',
    sequenceNumber: first,
    messageNumber: second & 0x03ffffff,
    keyFlag: (second >>> 27) & 3,
    isRetransmitted: (second & 0x04000000) !== 0,
    timestampUs,
    socketId,
    payload: rest,
  };
}

/** A message of one packet, as all are in live mode. */
export function serializeData(packet: Omit<DataPacket, 'kind'>): Buffer {
  const datagram = Buffer.allocUnsafe(headerBytes + packet.payload.length);
  const isWhole = 0xc0000000;
  const flags = isWhole | (packet.keyFlag << 27) | (packet.isRetransmitted ? 0x04000000 : 0) | packet.messageNumber;
  datagram.writeUInt32BE(packet.sequenceNumber, 0);
  datagram.writeUInt32BE(flags >>> 0, 4);
  datagram.writeUInt32BE(packet.timestampUs, 8);
  datagram.writeUInt32BE(packet.socketId, 12);
  datagram.set(packet.payload, headerBytes);
  return datagram;
}

/** Says in a packet that was sent before that it comes again. */
export function markRetransmitted(datagram: Buffer): void {
  datagram[4] = (datagram[4] ?? 0) | 0x04;
}

export interface ControlFields {
  readonly type: number;
  readonly subtype?: number;
  readonly info?: number;
  readonly timestampUs: number;
  readonly socketId: number;
  readonly body?: Uint8Array;
}

/** Without a body of its own a packet gets four bytes of nothing: libsrt expects them. */
const nothing = new Uint8Array(4);

export function serializeControl(fields: ControlFields): Buffer {
  const { type, subtype = 0, info = 0, timestampUs, socketId, body = nothing } = fields;
  const datagram = Buffer.allocUnsafe(headerBytes + body.length);
  datagram.writeUInt32BE((0x80000000 | (type << 16) | subtype) >>> 0, 0);
  datagram.writeUInt32BE(info, 4);
  datagram.writeUInt32BE(timestampUs, 8);
  datagram.writeUInt32BE(socketId, 12);
  datagram.set(body, headerBytes);
  return datagram;
}

/** A packet's clock: microseconds since the connection began, in 32 bits. */
export function packetTimestamp(nowUs: number, startUs: number): number {
  return Math.max(0, Math.floor(nowUs - startUs)) % 0x1_0000_0000;
}
