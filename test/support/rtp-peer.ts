// Owns: a UDP socket that speaks RTP with an SfuPlainTransport, as a media worker would: what it sends is made by hand,
// what it receives is kept and waited for.
import { createSocket, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import type { SfuPlainTransport } from '#core/ports.ts';

export interface RtpPacket {
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly hasMarker: boolean;
  readonly payload: Buffer;
}

export interface RtpPacketInput {
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly hasMarker?: boolean;
  readonly payload: Buffer;
  /** RFC 6464: 0 is loudest, 127 silence; sent under extension id 1. */
  readonly audioLevel?: number;
}

/** RFC 3550 §5.1, with the one-byte extension header of RFC 8285 §4.2 where there is a level. */
export function writeRtp(packet: RtpPacketInput): Buffer {
  const hasLevel = packet.audioLevel !== undefined;
  const header = Buffer.alloc(hasLevel ? 20 : 12);
  header[0] = hasLevel ? 0x90 : 0x80;
  header[1] = (packet.hasMarker ? 0x80 : 0) | packet.payloadType;
  header.writeUInt16BE(packet.sequence & 0xffff, 2);
  header.writeUInt32BE(packet.timestamp >>> 0, 4);
  header.writeUInt32BE(packet.ssrc >>> 0, 8);
  if (hasLevel) {
    header.writeUInt32BE(0xbede_0001, 12);
    header[16] = 0x10; // id 1, one byte
    header[17] = 0x80 | (packet.audioLevel ?? 127);
  }
  return Buffer.concat([header, packet.payload]);
}

/** RFC 3550 §6.4.1, without report blocks; its counts are left at 0. */
export function writeSenderReport(ssrc: number, unixMs: number, timestamp: number): Buffer {
  const report = Buffer.alloc(28);
  report.writeUInt32BE(0x80c8_0006, 0);
  report.writeUInt32BE(ssrc >>> 0, 4);
  report.writeUInt32BE((Math.floor(unixMs / 1_000) + 2_208_988_800) >>> 0, 8); // NTP counts from 1900
  report.writeUInt32BE(Math.floor(((unixMs % 1_000) / 1_000) * 0x1_0000_0000), 12);
  report.writeUInt32BE(timestamp >>> 0, 16);
  return report;
}

export function readRtp(datagram: Buffer): RtpPacket {
  const csrcs = datagram.readUInt8(0) & 0x0f;
  const hasExtension = (datagram.readUInt8(0) & 0x10) !== 0;
  const paddingLength = (datagram.readUInt8(0) & 0x20) !== 0 ? datagram.readUInt8(datagram.length - 1) : 0;
  const extensionAt = 12 + 4 * csrcs;
  const payloadAt = extensionAt + (hasExtension ? 4 + 4 * datagram.readUInt16BE(extensionAt + 2) : 0);
  return {
    hasMarker: (datagram.readUInt8(1) & 0x80) !== 0,
    payloadType: datagram.readUInt8(1) & 0x7f,
    sequence: datagram.readUInt16BE(2),
    timestamp: datagram.readUInt32BE(4),
    ssrc: datagram.readUInt32BE(8),
    payload: datagram.subarray(payloadAt, datagram.length - paddingLength),
  };
}

/** RFC 5761 §4: with RTCP on the same port, these second bytes are RTCP. */
const isRtcp = (datagram: Buffer): boolean => datagram.readUInt8(1) >= 192 && datagram.readUInt8(1) <= 223;

export class RtpPeer {
  readonly events = new EventEmitter<{ rtp: [packet: RtpPacket]; rtcp: [datagram: Buffer] }>();
  readonly received: RtpPacket[] = [];
  readonly #socket: Socket;
  readonly #beganMs = performance.now();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (datagram) => {
      if (isRtcp(datagram)) {
        this.events.emit('rtcp', datagram);
        return;
      }
      const packet = readRtp(datagram);
      this.received.push(packet);
      this.events.emit('rtp', packet);
    });
  }

  /** Binds a free port and tells the transport of it. */
  static async connect(transport: SfuPlainTransport): Promise<RtpPeer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.connect(transport.localPort, transport.localAddress);
    await once(socket, 'connect');
    const peer = new RtpPeer(socket);
    await transport.connect({ ip: '127.0.0.1', port: socket.address().port });
    return peer;
  }

  send(packet: RtpPacketInput): void {
    this.#socket.send(writeRtp(packet));
  }

  /** Sends `packet(0)`, `packet(1)` … at the interval until the signal aborts. */
  stream(packet: (index: number) => RtpPacketInput, intervalMs: number, signal: AbortSignal): void {
    let index = 0;
    const timer = setInterval(() => this.send(packet(index++)), intervalMs);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  /** Tells how the RTP clock of a stream, taken to have begun with the peer, stands to the wall clock. */
  streamSenderReports(
    stream: { readonly ssrc: number; readonly clockRate: number },
    intervalMs: number,
    signal: AbortSignal,
  ): void {
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - this.#beganMs;
      const timestamp = Math.round((elapsedMs * stream.clockRate) / 1_000);
      this.#socket.send(writeSenderReport(stream.ssrc, Date.now(), timestamp));
    }, intervalMs);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  /** The next packet that fits; what has arrived before does not count. */
  async next(fits: (packet: RtpPacket) => boolean): Promise<RtpPacket> {
    for (;;) {
      const [packet] = (await once(this.events, 'rtp')) as [RtpPacket];
      if (fits(packet)) return packet;
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** A VP8 frame in one packet (RFC 7741 §4): descriptor with 15-bit picture id, then the first bytes of a frame. */
export function vp8Payload(pictureId: number, isKeyFrame: boolean, text: string): Buffer {
  const descriptor = Buffer.from([0x90, 0x80, 0x80 | ((pictureId >> 8) & 0x7f), pictureId & 0xff]);
  // RFC 6386 §9.1: bit 0 of the frame tag is 0 for a key frame; then start code and 320x180.
  const frame = isKeyFrame
    ? Buffer.from([0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00])
    : Buffer.from([0x11, 0x02, 0x00]);
  return Buffer.concat([descriptor, frame, Buffer.from(text)]);
}
