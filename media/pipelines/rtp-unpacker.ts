// Owns: access units out of the RTP packets of one stream of a source.
import type { SourceStream } from '#core/media-source.ts';
import type { MediaKind } from '#core/rtp.ts';
import {
  type Depacketiser,
  H264Depacketiser,
  H265Depacketiser,
  Mpeg4Depacketiser,
  Mpeg4GenericDepacketiser,
  PlainDepacketiser,
  Vp8Depacketiser,
  Vp9Depacketiser,
} from '../rtp/depacketise.ts';
import { toAnnexB } from '../rtp/h264.ts';
import { JpegDepacketiser } from '../rtp/jpeg.ts';
import { parseRtp, type RtpPacket } from '../rtp/packet.ts';
import { ReorderBuffer } from '../rtp/reorder.ts';
import type { AccessUnit } from './ingress-stream.ts';

/** On a local network packets overtake each other by milliseconds; a camera over the Internet is pulled by TCP. */
const maxWaitUs = 60_000;
const maxHeldPackets = 512;

/** Where time stamps lie. */
export interface UnpackerClock {
  add(streamId: number, clockRateHz: number, kind: MediaKind): void;
  toPtsUs(streamId: number, timestamp: number, nowUs: number): number;
}

export class RtpUnpacker {
  readonly #stream: SourceStream;
  readonly #clock: UnpackerClock;
  readonly #order = new ReorderBuffer({ maxWaitUs, maxPackets: maxHeldPackets });
  readonly #depacketiser: Depacketiser;
  readonly #keepsPayloads: boolean;
  #payloads: Uint8Array[] = [];
  #isBroken = false;

  constructor(stream: SourceStream, clock: UnpackerClock) {
    this.#stream = stream;
    this.#clock = clock;
    this.#depacketiser = depacketiserFor(stream);
    // There is no other way to write it again than as it came.
    this.#keepsPayloads = stream.codec === 'vp9';
    clock.add(stream.id, stream.rtp?.clockRateHz ?? 90_000, stream.kind);
  }

  get packetsLost(): number {
    return this.#order.lost;
  }

  /** @param onUnit what is whole; after a loss of video only from the next key frame on, when `isBroken` ends */
  push(data: Uint8Array, nowUs: number, onUnit: (unit: AccessUnit) => void): void {
    const packet = parseRtp(data);
    if (!packet || packet.payloadType !== this.#stream.rtp?.payloadType) return;
    this.#order.push(packet, nowUs, (ordered) => this.#read(ordered, nowUs, onUnit));
  }

  /** True from a loss to the next key frame: ask for one. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  #read(packet: RtpPacket, nowUs: number, onUnit: (unit: AccessUnit) => void): void {
    if (this.#keepsPayloads) this.#payloads.push(packet.payload);
    this.#depacketiser.push(packet, (frame) => {
      const payloads = this.#keepsPayloads ? this.#payloads.splice(0) : undefined;
      const { data, isKey, isDamaged, timestamp } = frame;
      if (this.#stream.kind === 'video') {
        if (isDamaged) this.#isBroken = true;
        else if (isKey) this.#isBroken = false;
        if (this.#isBroken) return;
      }
      const ptsUs = this.#clock.toPtsUs(this.#stream.id, timestamp, nowUs);
      onUnit({ kind: 'access_unit', streamId: this.#stream.id, ptsUs, dtsUs: ptsUs, isKey, data, payloads });
    });
  }
}

function depacketiserFor({ codec, rtp }: SourceStream): Depacketiser {
  switch (codec) {
    case 'h264':
      return new H264Depacketiser();
    case 'h265':
      return new H265Depacketiser();
    case 'vp8':
      return new Vp8Depacketiser();
    case 'vp9':
      return new Vp9Depacketiser();
    case 'mpeg4':
      return new Mpeg4Depacketiser();
    case 'mjpeg':
      return new JpegDepacketiser();
    case 'aac': {
      const number = (name: string, fallback: number) => Number(rtp?.formatParameters[name] ?? fallback) || fallback;
      return new Mpeg4GenericDepacketiser({
        sizeLength: number('sizelength', 13),
        indexLength: number('indexlength', 3),
        indexDeltaLength: number('indexdeltalength', 3),
        unitDuration: number('constantduration', 1_024),
      });
    }
    default:
      return new PlainDepacketiser();
  }
}

/** The stream with the decoder configuration that its SDP carries, where the codec has one. */
export function withSdpConfig(stream: SourceStream): SourceStream {
  if (stream.config || !stream.rtp) return stream;
  const { formatParameters } = stream.rtp;
  const base = {
    ...stream,
    sampleRateHz: stream.sampleRateHz ?? (stream.kind === 'audio' ? stream.rtp.clockRateHz : undefined),
    channels: stream.channels ?? (stream.kind === 'audio' ? stream.rtp.channels : undefined),
  };
  const config = configOf(stream.codec, formatParameters);
  return config ? { ...base, config } : base;
}

function configOf(codec: SourceStream['codec'], parameters: Readonly<Record<string, string>>): Uint8Array | undefined {
  const fromBase64 = (names: readonly string[]) => {
    const nals = names
      .flatMap((name) => (parameters[name] ?? '').split(','))
      .map((text) => Buffer.from(text, 'base64'));
    const filled = nals.filter((nal) => nal.length > 1);
    return filled.length > 0 ? toAnnexB(filled) : undefined;
  };
  if (codec === 'h264') return fromBase64(['sprop-parameter-sets']);
  if (codec === 'h265') return fromBase64(['sprop-vps', 'sprop-sps', 'sprop-pps']);
  if (codec !== 'aac' && codec !== 'mpeg4') return undefined;
  const config = Buffer.from(parameters.config ?? '', 'hex');
  return config.length > 0 ? config : undefined;
}
