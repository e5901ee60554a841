// Owns: an RTSP client that records as a connection of a push: units into RTP, with sender reports. May import: core's
// words, media/rtp, its neighbours; the client itself comes from media/push-openers.ts.
import { randomInt } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { RtpFormat, SourceStream, SourceUnit } from '#core/media-source.ts';
import { h264Nal, h264NalType, parseAvcConfig, splitAnnexB } from '../rtp/h264.ts';
import { packetiseH264 } from '../rtp/packetise.ts';
import { parseRtcp } from '../rtp/rtcp.ts';
import { RtpSender } from '../rtp/sender.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { type PushConnection, type PushEnd, pushEndOf } from './push-connection.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

/** As gateways/rtsp has it. */
export interface RtspClient {
  readonly done: Promise<unknown>;
  readonly failure: GatewayError | undefined;
  deliver(unit: SourceUnit): void;
  close(reason: 'requested'): Promise<unknown>;
}

const reportIntervalMs = 1_000;
const streamIds = { video: 0, audio: 1 } as const;
const payloadTypes = { video: 96, audio: 97 } as const;

export class RtspConnection implements PushConnection {
  readonly #client: RtspClient;
  readonly #senders = new Map<string, RtpSender>();
  readonly #codecs: Readonly<Record<string, string>>;
  readonly #timer: NodeJS.Timeout;
  #clockOffsetUs: number | undefined;
  #bytesOut = 0;

  constructor(client: RtspClient, streams: readonly EgressStream[]) {
    this.#client = client;
    this.#codecs = Object.fromEntries(streams.map(({ kind, codec }) => [kind, codec]));
    for (const stream of streams) this.#senders.set(stream.kind, this.#makeSender(stream));
    this.#timer = setInterval(() => this.#report(), reportIntervalMs);
    void client.done.then(() => clearInterval(this.#timer));
  }

  get done(): Promise<PushEnd> {
    return this.#client.done.then(() => pushEndOf(this.#client.failure));
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** The client itself leaves out what does not go. */
  readonly queuedBytes = 0;

  /** The description was given when it was announced: another codec is another session. */
  describe(streams: readonly EgressStream[]): void {
    const isSame = streams.every(({ kind, codec }) => this.#codecs[kind] === codec);
    if (isSame && streams.length === Object.keys(this.#codecs).length) return;
    throw new GatewayError('upstream_failed', 'The streams are others now, which RTSP has to be told anew.');
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

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#client.close('requested');
  }

  #payloadsOf(kind: 'audio' | 'video', data: Uint8Array): readonly Uint8Array[] {
    if (kind === 'video') return packetiseH264(splitAnnexB(data).filter((nal) => h264NalType(nal) !== h264Nal.aud));
    return this.#codecs.audio === 'aac' ? [withAuHeader(data)] : [data];
  }

  #makeSender({ kind, codec }: EgressStream): RtpSender {
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
      send: (packet) => {
        this.#bytesOut += packet.length;
        this.#client.deliver({ kind: 'rtp', streamId: streamIds[kind], data: packet });
      },
    });
  }

  #report(): void {
    for (const [kind, sender] of this.#senders) this.#reportOf(kind as 'audio' | 'video', sender);
  }

  #reportOf(kind: 'audio' | 'video', sender: RtpSender): void {
    const data = sender.report();
    if (data) this.#client.deliver({ kind: 'rtcp', streamId: streamIds[kind], data });
  }
}

/** What ANNOUNCE says of them. @throws GatewayError `unsupported_media_type` */
export function announcedStreams(streams: readonly EgressStream[]): SourceStream[] {
  return streams.map((stream) => ({
    ...stream,
    id: streamIds[stream.kind],
    framing: { kind: 'rtp' },
    rtp: formatOf(stream),
  }));
}

/** Whether a packet of the server asks for a picture that can be decoded by itself. */
export function asksForKeyFrame(packet: Uint8Array): boolean {
  return parseRtcp(packet).some(({ kind }) => kind === 'pli' || kind === 'fir');
}

function formatOf({ codec, config, channels = 2 }: EgressStream): RtpFormat {
  const audio = { payloadType: payloadTypes.audio, clockRateHz: 48_000, channels };
  switch (codec) {
    case 'h264':
      return {
        ...{ payloadType: payloadTypes.video, encodingName: 'H264', clockRateHz: 90_000, channels: 1 },
        formatParameters: h264Parameters(config),
      };
    case 'aac': // RFC 3640 §3.3.6
      return {
        ...{ ...audio, encodingName: 'MPEG4-GENERIC' },
        formatParameters: {
          streamtype: '5',
          'profile-level-id': '1',
          mode: 'AAC-hbr',
          sizelength: '13',
          indexlength: '3',
          indexdeltalength: '3',
          config: Buffer.from(config ?? []).toString('hex'),
        },
      };
    case 'opus':
      return { ...audio, encodingName: 'opus', channels: 2, formatParameters: { 'sprop-stereo': '1' } };
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
