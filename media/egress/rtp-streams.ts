// Owns: units of an egress as RTP streams, with sender reports; for RTSP, pushed and played. May import: core's words,
// media/rtp, its neighbours.
import { randomInt } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { RtpFormat } from '#core/media-source.ts';
import type { MediaKind } from '#core/rtp.ts';
import { aacFormat, opusFormat } from '#core/rtp-formats.ts';
import { h264Nal, h264NalType, parseAvcConfig, splitAnnexB } from '../rtp/h264.ts';
import { packetiseH264 } from '../rtp/packetise.ts';
import { RtpSender } from '../rtp/sender.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

export type PayloadTypes = Readonly<Record<MediaKind, number>>;

export interface RtpStreamsOptions {
  readonly streams: readonly EgressStream[];
  readonly payloadTypes: PayloadTypes;
  readonly send: (kind: MediaKind, what: 'rtp' | 'rtcp', packet: Buffer) => void;
}

export class RtpStreams {
  readonly #options: RtpStreamsOptions;
  readonly #senders = new Map<MediaKind, RtpSender>();
  readonly #codecs: Readonly<Partial<Record<MediaKind, string>>>;
  #clockOffsetUs: number | undefined;

  constructor(options: RtpStreamsOptions) {
    this.#options = options;
    this.#codecs = Object.fromEntries(options.streams.map(({ kind, codec }) => [kind, codec]));
    for (const stream of options.streams) this.#senders.set(stream.kind, this.#makeSender(stream));
  }

  /** Whether these streams can go on as those before: sizes may change, codecs were described. */
  takes(streams: readonly EgressStream[]): boolean {
    return streams.length === this.#senders.size && streams.every(({ kind, codec }) => this.#codecs[kind] === codec);
  }

  write({ kind, ptsUs, isKey, data }: EgressUnit): void {
    const sender = this.#senders.get(kind);
    if (!sender) return;
    const isFirst = sender.packetCount === 0;
    this.#clockOffsetUs ??= clockNowUs() - ptsUs;
    sender.sendFrame(this.#payloadsOf(kind, data), ptsUs + this.#clockOffsetUs, { isKey });
    // Players cannot put sound and pictures together before the first report.
    if (isFirst) this.#reportOf(kind, sender);
  }

  report(): void {
    for (const [kind, sender] of this.#senders) this.#reportOf(kind, sender);
  }

  #payloadsOf(kind: MediaKind, data: Uint8Array): readonly Uint8Array[] {
    if (kind === 'video') return packetiseH264(splitAnnexB(data).filter((nal) => h264NalType(nal) !== h264Nal.aud));
    return this.#codecs.audio === 'aac' ? [withAuHeader(data)] : [data];
  }

  #makeSender({ kind, codec }: EgressStream): RtpSender {
    const { payloadTypes, send } = this.#options;
    return new RtpSender({
      payloadType: payloadTypes[kind],
      clockRateHz: kind === 'video' ? 90_000 : 48_000,
      cname: `switchyard-${codec}`,
      position: {
        ssrc: randomInt(1, 0xffffffff),
        sequenceNumber: randomInt(0, 0x8000),
        rtpTimestamp: randomInt(0, 0xffffffff),
        clockUs: clockNowUs(),
      },
      send: (packet) => send(kind, 'rtp', packet),
    });
  }

  #reportOf(kind: MediaKind, sender: RtpSender): void {
    const packet = sender.report();
    if (packet) this.#options.send(kind, 'rtcp', packet);
  }
}

/** How a session description names them. @throws GatewayError `unsupported_media_type` */
export function rtpFormatOf({ codec, config, channels = 2 }: EgressStream, payloadTypes: PayloadTypes): RtpFormat {
  switch (codec) {
    case 'h264':
      return {
        ...{ payloadType: payloadTypes.video, encodingName: 'H264', clockRateHz: 90_000, channels: 1 },
        formatParameters: h264Parameters(config),
      };
    case 'aac':
      return aacFormat(payloadTypes.audio, config ?? Uint8Array.of(), channels);
    case 'opus':
      return opusFormat(payloadTypes.audio);
    default:
      throw new GatewayError('unsupported_media_type', `RTSP does not carry ${codec} from here.`);
  }
}

/** RFC 6184 §8.1. */
function h264Parameters(config: Uint8Array | undefined): Record<string, string> {
  const sets = config && parseAvcConfig(config);
  if (!sets) return { 'packetization-mode': '1' };
  const base64 = [...sets.sps, ...sets.pps].map((nal) => Buffer.from(nal).toString('base64'));
  const profile = Buffer.from(sets.sps[0]?.subarray(1, 4) ?? []).toString('hex');
  return { 'packetization-mode': '1', 'profile-level-id': profile, 'sprop-parameter-sets': base64.join(',') };
}

/** One frame behind its header, RFC 3640 §3.2.1: 16 bits of headers follow, 13 of them its size. */
function withAuHeader(data: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(16);
  head.writeUInt16BE(data.length << 3, 2);
  return Buffer.concat([head, data]);
}
