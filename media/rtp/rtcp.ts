// Owns: RTCP, RFC 3550 §6, feedback of RFC 4585 and RFC 5104.
import { toNtp } from './sequence.ts';

export interface ReportBlock {
  readonly ssrc: number;
  /** 0..1 since the last report. */
  readonly fractionLost: number;
  readonly packetsLost: number;
  readonly highestSequence: number;
  /** In ticks of the stream's clock. */
  readonly jitter: number;
  readonly lastSr: number;
  readonly delaySinceLastSr: number;
}

export type RtcpPacket =
  | {
      readonly kind: 'sr';
      readonly ssrc: number;
      readonly ntpSeconds: number;
      readonly ntpFraction: number;
      readonly rtpTimestamp: number;
      readonly packetCount: number;
      readonly octetCount: number;
      readonly reports: readonly ReportBlock[];
    }
  | { readonly kind: 'rr'; readonly ssrc: number; readonly reports: readonly ReportBlock[] }
  | { readonly kind: 'bye'; readonly ssrcs: readonly number[] }
  | { readonly kind: 'pli'; readonly senderSsrc: number; readonly mediaSsrc: number }
  | { readonly kind: 'fir'; readonly senderSsrc: number; readonly mediaSsrcs: readonly number[] }
  | {
      readonly kind: 'nack';
      readonly senderSsrc: number;
      readonly mediaSsrc: number;
      readonly sequenceNumbers: readonly number[];
    };

const type = { sr: 200, rr: 201, sdes: 202, bye: 203, rtpfb: 205, psfb: 206 } as const;

/** Reads a compound packet; what is unknown is skipped, what is cut short ends it. */
export function parseRtcp(data: Uint8Array): RtcpPacket[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const packets: RtcpPacket[] = [];
  for (let offset = 0; offset + 8 <= data.length; ) {
    if (view.getUint8(offset) >> 6 !== 2) break;
    const length = (view.getUint16(offset + 2) + 1) * 4;
    if (offset + length > data.length) break;
    const packet = parseOne(new DataView(data.buffer, data.byteOffset + offset, length));
    if (packet) packets.push(packet);
    offset += length;
  }
  return packets;
}

function parseOne(view: DataView): RtcpPacket | undefined {
  const count = view.getUint8(0) & 0x1f;
  if (view.byteLength < 8) return undefined;
  const ssrc = view.getUint32(4);
  switch (view.getUint8(1)) {
    case type.sr:
      if (view.byteLength < 28) return undefined;
      return {
        kind: 'sr',
        ssrc,
        ntpSeconds: view.getUint32(8),
        ntpFraction: view.getUint32(12),
        rtpTimestamp: view.getUint32(16),
        packetCount: view.getUint32(20),
        octetCount: view.getUint32(24),
        reports: parseReports(view, 28, count),
      };
    case type.rr:
      return { kind: 'rr', ssrc, reports: parseReports(view, 8, count) };
    case type.bye: {
      const ssrcs: number[] = [];
      for (let i = 0; i < count && 4 + i * 4 + 4 <= view.byteLength; i++) ssrcs.push(view.getUint32(4 + i * 4));
      return { kind: 'bye', ssrcs };
    }
    case type.psfb:
      return parsePayloadFeedback(view, count, ssrc);
    case type.rtpfb:
      return count === 1 && view.byteLength >= 12 ? parseNack(view, ssrc) : undefined;
    default:
      return undefined;
  }
}

function parseReports(view: DataView, start: number, count: number): ReportBlock[] {
  const reports: ReportBlock[] = [];
  for (let i = 0, offset = start; i < count && offset + 24 <= view.byteLength; i++, offset += 24) {
    reports.push({
      ssrc: view.getUint32(offset),
      fractionLost: view.getUint8(offset + 4) / 256,
      packetsLost: (view.getInt32(offset + 4) << 8) >> 8,
      highestSequence: view.getUint32(offset + 8),
      jitter: view.getUint32(offset + 12),
      lastSr: view.getUint32(offset + 16),
      delaySinceLastSr: view.getUint32(offset + 20),
    });
  }
  return reports;
}

function parsePayloadFeedback(view: DataView, format: number, senderSsrc: number): RtcpPacket | undefined {
  if (view.byteLength < 12) return undefined;
  if (format === 1) return { kind: 'pli', senderSsrc, mediaSsrc: view.getUint32(8) };
  if (format !== 4) return undefined;
  const mediaSsrcs: number[] = [];
  for (let offset = 12; offset + 8 <= view.byteLength; offset += 8) mediaSsrcs.push(view.getUint32(offset));
  return { kind: 'fir', senderSsrc, mediaSsrcs };
}

function parseNack(view: DataView, senderSsrc: number): RtcpPacket {
  const sequenceNumbers: number[] = [];
  for (let offset = 12; offset + 4 <= view.byteLength; offset += 4) {
    const pid = view.getUint16(offset);
    const bitmask = view.getUint16(offset + 2);
    sequenceNumbers.push(pid);
    for (let bit = 0; bit < 16; bit++) {
      if (bitmask & (1 << bit)) sequenceNumbers.push((pid + bit + 1) & 0xffff);
    }
  }
  return { kind: 'nack', senderSsrc, mediaSsrc: view.getUint32(8), sequenceNumbers };
}

/**
 * Sender report with the CNAME that lets a receiver play streams of one source in step.
 * @param options.unixUs wall clock, microseconds since 1970, that `rtpTimestamp` stands for
 */
export function buildSenderReport(options: {
  ssrc: number;
  unixUs: number;
  rtpTimestamp: number;
  packetCount: number;
  octetCount: number;
  cname: string;
}): Buffer {
  const name = Buffer.from(options.cname, 'utf8').subarray(0, 255);
  // SSRC, item type and length, text, and at least one zero to end the list, up to a word (RFC 3550 §6.5).
  const chunk = Math.ceil((4 + 2 + name.length + 1) / 4) * 4;
  const packet = Buffer.alloc(28 + 4 + chunk);
  const ntp = toNtp(options.unixUs);
  packet.writeUInt8(0x80, 0);
  packet.writeUInt8(type.sr, 1);
  packet.writeUInt16BE(6, 2);
  packet.writeUInt32BE(options.ssrc >>> 0, 4);
  packet.writeUInt32BE(ntp.seconds, 8);
  packet.writeUInt32BE(ntp.fraction, 12);
  packet.writeUInt32BE(options.rtpTimestamp >>> 0, 16);
  packet.writeUInt32BE(options.packetCount >>> 0, 20);
  packet.writeUInt32BE(options.octetCount >>> 0, 24);
  packet.writeUInt8(0x81, 28);
  packet.writeUInt8(type.sdes, 29);
  packet.writeUInt16BE(chunk / 4, 30);
  packet.writeUInt32BE(options.ssrc >>> 0, 32);
  packet.writeUInt8(1, 36);
  packet.writeUInt8(name.length, 37);
  packet.set(name, 38);
  return packet;
}

export function buildReceiverReport(ssrc: number, reports: readonly ReportBlock[]): Buffer {
  const packet = Buffer.alloc(8 + reports.length * 24);
  packet.writeUInt8(0x80 | reports.length, 0);
  packet.writeUInt8(type.rr, 1);
  packet.writeUInt16BE(packet.length / 4 - 1, 2);
  packet.writeUInt32BE(ssrc >>> 0, 4);
  reports.forEach((report, index) => {
    const offset = 8 + index * 24;
    packet.writeUInt32BE(report.ssrc >>> 0, offset);
    // 24 bits, signed, under the fraction.
    const lost = Math.max(-0x800000, Math.min(0x7fffff, report.packetsLost)) & 0xffffff;
    const fraction = Math.max(0, Math.min(255, Math.floor(report.fractionLost * 256)));
    packet.writeUInt32BE(((fraction << 24) | lost) >>> 0, offset + 4);
    packet.writeUInt32BE(report.highestSequence >>> 0, offset + 8);
    packet.writeUInt32BE(report.jitter >>> 0, offset + 12);
    packet.writeUInt32BE(report.lastSr >>> 0, offset + 16);
    packet.writeUInt32BE(report.delaySinceLastSr >>> 0, offset + 20);
  });
  return packet;
}

/** Picture loss indication: asks for a key frame, RFC 4585 §6.3.1. */
export function buildPli(senderSsrc: number, mediaSsrc: number): Buffer {
  return buildFeedback(type.psfb, 1, senderSsrc, mediaSsrc, Buffer.alloc(0));
}

/** Full intra request, RFC 5104 §4.3.1. @param count sequence number of the command, 0..255 */
export function buildFir(senderSsrc: number, mediaSsrc: number, count: number): Buffer {
  const entry = Buffer.alloc(8);
  entry.writeUInt32BE(mediaSsrc >>> 0, 0);
  entry.writeUInt8(count & 0xff, 4);
  return buildFeedback(type.psfb, 4, senderSsrc, 0, entry);
}

/** Generic NACK, RFC 4585 §6.2.1. @param sequenceNumbers in ascending order, modulo 2^16 */
export function buildNack(senderSsrc: number, mediaSsrc: number, sequenceNumbers: readonly number[]): Buffer {
  const items: number[] = [];
  for (const seq of sequenceNumbers) {
    const lastItem = items.length - 1;
    const distance = lastItem < 0 ? 0 : (seq - ((items[lastItem] ?? 0) >>> 16)) & 0xffff;
    if (lastItem >= 0 && distance >= 1 && distance <= 16)
      items[lastItem] = (items[lastItem] ?? 0) | (1 << (distance - 1));
    else items.push((seq << 16) >>> 0);
  }
  const body = Buffer.alloc(items.length * 4);
  items.forEach((item, index) => {
    body.writeUInt32BE(item >>> 0, index * 4);
  });
  return buildFeedback(type.rtpfb, 1, senderSsrc, mediaSsrc, body);
}

function buildFeedback(
  packetType: number,
  format: number,
  senderSsrc: number,
  mediaSsrc: number,
  body: Buffer,
): Buffer {
  const packet = Buffer.alloc(12 + body.length);
  packet.writeUInt8(0x80 | format, 0);
  packet.writeUInt8(packetType, 1);
  packet.writeUInt16BE(packet.length / 4 - 1, 2);
  packet.writeUInt32BE(senderSsrc >>> 0, 4);
  packet.writeUInt32BE(mediaSsrc >>> 0, 8);
  packet.set(body, 12);
  return packet;
}
