// Owns: what a video phone is shown: frames of a stream of the room, packed as the phone takes them, numbered and secured.
import { randomInt } from 'node:crypto';
import type { VideoLegCodec, VideoLegParameters } from '#core/video-leg-media.ts';
import { type Depacketiser, H264Depacketiser, type RtpFrame, Vp8Depacketiser } from '../rtp/depacketise.ts';
import { splitAnnexB } from '../rtp/h264.ts';
import { Pace } from '../rtp/pace.ts';
import { buildRtp, parseRtp } from '../rtp/packet.ts';
import { packetiseH264, packetiseVp8 } from '../rtp/packetise.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import type { LegSocket } from './leg-socket.ts';
import { SrtpSender } from './srtp.ts';

/** For those that ask for something again: a second or two of what phones are sent. */
const historyLength = 512;
/**
 * Sent again, at most: half of what was lost of 4 Mbit/s, and a key frame at once. One packet of RTCP can ask for six
 * thousand, and without SRTP anybody can have sent it, to have a flood sent to whom the call named.
 */
const resends = { perMs: 0.2, burst: 256 };
const ticksPerUs = 90 / 1_000;
/** Not asked for again sooner. */
const wantSpacingUs = 300_000;

export interface VideoOutputOptions {
  readonly socket: Pick<LegSocket, 'send' | 'sendRtcp'>;
  readonly ssrc: number;
  /** What comes cannot be shown without a key frame. */
  readonly onKeyFrameWanted: () => void;
}

export class VideoOutput {
  readonly #options: VideoOutputOptions;
  readonly #history: (Buffer | undefined)[] = new Array(historyLength);
  readonly #resends = new Pace(resends);
  #send: VideoLegParameters['send'] | undefined;
  #srtp: SrtpSender | undefined;
  #rtcpIndex = 0;
  #isShown = false;
  #codec: VideoLegCodec | undefined;
  #depacketiser: Depacketiser = new H264Depacketiser();
  /** With the rollover counter above its 16 bits. */
  #index = randomInt(0, 0x8000);
  #pictureId = randomInt(0, 0x8000);
  #hasKey = false;
  #wantedUs = Number.NEGATIVE_INFINITY;
  /** Its stream's time stamps and ours. */
  #shift = randomInt(0, 0xffffffff);
  #last: { readonly timestamp: number; readonly clockUs: number } | undefined;
  packets = 0;
  bytes = 0;
  frames = 0;
  keyFrames = 0;
  sentSinceReport = 0;

  constructor(options: VideoOutputOptions) {
    this.#options = options;
  }

  get ssrc(): number {
    return this.#options.ssrc;
  }

  negotiate({ send, srtp, direction }: VideoLegParameters): void {
    if (this.#srtp) this.#rtcpIndex = this.#srtp.rtcpIndex;
    // Its numbers go on: with keys of before none may come twice.
    this.#srtp = srtp && new SrtpSender(srtp, this.#rtcpIndex);
    const isSame = send.codec === this.#send?.codec && send.packetizationMode === this.#send.packetizationMode;
    if (!isSame) this.#hasKey = false;
    this.#send = send;
    this.#isShown = /^send/.test(direction);
    this.#history.fill(undefined);
  }

  /** Another stream, whose time stamps have nothing to do with those of the last. */
  begin(codec: VideoLegCodec): void {
    this.#codec = codec;
    this.#depacketiser = codec === 'vp8' ? new Vp8Depacketiser() : new H264Depacketiser();
    this.#hasKey = false;
    this.#isAnchored = false;
  }

  #isAnchored = false;

  /** A packet of the room's stream. */
  receive(data: Buffer): void {
    const packet = parseRtp(data);
    if (packet) this.#depacketiser.push(packet, (frame) => this.#frame(frame));
  }

  /** RTP time stamp of now, for reports; undefined before the first picture. */
  timestampAt(clockUs: number): number | undefined {
    if (!this.#last) return undefined;
    return (this.#last.timestamp + Math.round((clockUs - this.#last.clockUs) * ticksPerUs)) >>> 0;
  }

  /** Sends again what the phone has missed, as far as it is remembered and not more than can have been lost. */
  resend(sequenceNumbers: readonly number[], nowMs: number): void {
    for (const sequenceNumber of sequenceNumbers) {
      const behind = (this.#index - sequenceNumber) & 0xffff;
      const packet =
        behind > 0 && behind <= historyLength ? this.#history[(this.#index - behind) % historyLength] : undefined;
      if (!packet) continue;
      if (!this.#resends.take(nowMs)) return;
      this.#options.socket.send(packet);
    }
  }

  sendRtcp(packet: Buffer): void {
    this.#options.socket.sendRtcp(this.#srtp ? this.#srtp.protectRtcp(packet) : packet);
  }

  #frame({ data, timestamp, isKey, isDamaged }: RtpFrame): void {
    const send = this.#send;
    if (!send || !this.#isShown || send.codec !== this.#codec) return;
    if (isDamaged) this.#hasKey = false;
    else if (isKey) this.#hasKey = true;
    if (!this.#hasKey) {
      this.#want();
      return;
    }
    const clockUs = clockNowUs();
    if (!this.#isAnchored) {
      this.#isAnchored = true;
      const next = this.timestampAt(clockUs);
      if (next !== undefined) this.#shift = (next - timestamp) >>> 0;
    }
    const own = (timestamp + this.#shift) >>> 0;
    this.#last = { timestamp: own, clockUs };
    this.frames += 1;
    if (isKey) this.keyFrames += 1;
    const payloads = this.#pack(send, data);
    for (const [at, payload] of payloads.entries())
      this.#emit(send.payloadType, own, payload, at === payloads.length - 1);
  }

  #pack({ codec, packetizationMode }: VideoLegParameters['send'], data: Buffer): readonly Uint8Array[] {
    if (codec === 'vp8') return packetiseVp8(data, this.#pictureId++);
    const nals = splitAnnexB(data);
    // One unit in each packet; the encoder was asked for units that fit.
    return packetizationMode === 0 ? nals : packetiseH264(nals);
  }

  #emit(payloadType: number, timestamp: number, payload: Uint8Array, marker: boolean): void {
    const index = this.#index++;
    const header = { payloadType, marker, sequenceNumber: index, timestamp, ssrc: this.ssrc };
    const plain = buildRtp(header, payload);
    const packet = this.#srtp ? this.#srtp.protectRtp(plain, index) : plain;
    this.#history[index % historyLength] = packet;
    this.packets += 1;
    this.bytes += payload.length;
    this.sentSinceReport += 1;
    this.#options.socket.send(packet);
  }

  #want(): void {
    const nowUs = clockNowUs();
    if (nowUs - this.#wantedUs < wantSpacingUs) return;
    this.#wantedUs = nowUs;
    this.#options.onKeyFrameWanted();
  }
}
