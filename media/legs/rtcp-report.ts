// Owns: the compound report of a leg: what it sends, what it receives, its name (RFC 3550 §6.1). Pure.
import { buildReceiverReport, buildSenderReport, type ReportBlock } from '../rtp/rtcp.ts';

export interface ReportOptions {
  readonly ssrc: number;
  readonly cname: string;
  /** Undefined when nothing was sent since the last one. */
  readonly sent:
    | {
        readonly unixUs: number;
        readonly rtpTimestamp: number;
        readonly packetCount: number;
        readonly octetCount: number;
      }
    | undefined;
  readonly block: ReportBlock | undefined;
}

export function buildReport({ ssrc, cname, sent, block }: ReportOptions): Buffer {
  const blocks = block ? [block] : [];
  const report = buildReceiverReport(ssrc, blocks);
  const withName = buildSenderReport({
    ssrc,
    cname,
    ...(sent ?? { unixUs: 0, rtpTimestamp: 0, packetCount: 0, octetCount: 0 }),
  });
  const name = withName.subarray(28);
  if (!sent) return Buffer.concat([report, name]);
  const senderInfo = withName.subarray(0, 28);
  const whole = Buffer.concat([senderInfo, report.subarray(8), name]);
  whole[0] = 0x80 | blocks.length;
  whole.writeUInt16BE((28 + blocks.length * 24) / 4 - 1, 2);
  return whole;
}

/** RFC 3550 §6.6, after an empty report as every compound must begin. */
export function buildBye(ssrc: number, cname: string): Buffer {
  const bye = Buffer.alloc(8);
  bye.writeUInt32BE(0x81cb0001, 0);
  bye.writeUInt32BE(ssrc >>> 0, 4);
  return Buffer.concat([buildReport({ ssrc, cname, sent: undefined, block: undefined }), bye]);
}
