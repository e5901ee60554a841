// Owns: what a video phone sends, on its way into the room: put in order, made whole frames, sent on from a key frame.
import type { VideoLegCodec, VideoLegFormat } from '#core/video-leg-media.ts';
import { H264Inspector } from '../pipelines/h264-inspector.ts';
import { SourceClock } from '../pipelines/source-clock.ts';
import { type Depacketiser, H264Depacketiser, type RtpFrame, Vp8Depacketiser } from '../rtp/depacketise.ts';
import { splitAnnexB } from '../rtp/h264.ts';
import type { RtpPacket } from '../rtp/packet.ts';
import { packetiseH264, packetiseVp8 } from '../rtp/packetise.ts';
import { ReorderBuffer } from '../rtp/reorder.ts';
import type { RtpSender } from '../rtp/sender.ts';
import { clockNowUs, TimestampUnwrapper } from '../rtp/sequence.ts';

/** What is missing is waited for so long, where it may be sent again. */
const reorderWaitUs = 80_000;
const maxHeldPackets = 512;
/** A phone that sends no picture for so long has turned its camera off. */
const silenceUs = 5_000_000;
/** Asked for more often than this, a key frame is asked for once. */
const askSpacingUs = 500_000;
/** A phone that does not heed it: who has come is given what there is since the last one. */
const replayAfterUs = 1_200_000;

export interface VideoIntakeOptions {
  /** Begins the stream in the room. */
  readonly open: (codec: VideoLegCodec, events: { published(): void; keyFrameRequested(): void }) => RtpSender;
  readonly end: () => void;
  /** The phone is to send a key frame. */
  readonly ask: () => void;
}

export class VideoIntake {
  readonly #options: VideoIntakeOptions;
  readonly #order = new ReorderBuffer({ maxWaitUs: reorderWaitUs, maxPackets: maxHeldPackets });
  readonly #clock = new SourceClock();
  readonly #times = new TimestampUnwrapper();
  #codec: VideoLegCodec | undefined;
  #depacketiser: Depacketiser = new H264Depacketiser();
  #inspector = new H264Inspector();
  #parameterSets: readonly Buffer[] = [];
  #sender: RtpSender | undefined;
  #isTaken = false;
  /** What comes can be decoded: nothing was lost since the last key frame. */
  #isWhole = false;
  #pictureId = 0;
  #lastFrameUs = 0;
  #askedUs = Number.NEGATIVE_INFINITY;
  #wantedSinceUs: number | undefined;
  frames = 0;
  keyFrames = 0;
  size: { readonly width: number; readonly height: number } | undefined;

  constructor(options: VideoIntakeOptions) {
    this.#options = options;
  }

  /** Sequence numbers that may be asked for again. */
  get missing(): readonly number[] {
    return this.#order.missing;
  }

  /** @param sets parameter sets, for a phone that says them in its description alone */
  setParameterSets(sets: readonly Buffer[]): void {
    this.#parameterSets = sets;
    this.#begin(this.#codec);
  }

  take(isTaken: boolean, nowUs: number): void {
    if (isTaken === this.#isTaken) return;
    this.#isTaken = isTaken;
    if (isTaken) this.#want(nowUs);
    else this.#end();
  }

  receive({ codec }: VideoLegFormat, packet: RtpPacket, nowUs: number): void {
    if (codec !== this.#codec) {
      this.#end();
      this.#begin(codec);
    }
    this.#order.push(packet, nowUs, (ordered) => this.#depacketise(ordered, nowUs));
  }

  /** Called now and then. */
  watch(nowUs: number): void {
    this.#order.expire(nowUs, (packet) => this.#depacketise(packet, nowUs));
    if (this.#sender && nowUs - this.#lastFrameUs > silenceUs) this.#end();
    // One that sends nothing is not asked for it again and again.
    if (this.#wantedSinceUs === undefined || nowUs - this.#lastFrameUs > silenceUs) return;
    if (nowUs - this.#wantedSinceUs > replayAfterUs && this.#isWhole) {
      this.#wantedSinceUs = undefined;
      this.#sender?.replayFromKeyFrame();
    } else if (nowUs - this.#askedUs > replayAfterUs) {
      this.#ask(nowUs);
    }
  }

  close(): void {
    this.#end();
  }

  #begin(codec: VideoLegCodec | undefined): void {
    this.#codec = codec;
    this.#depacketiser = codec === 'vp8' ? new Vp8Depacketiser() : new H264Depacketiser();
    this.#inspector = new H264Inspector();
    this.#inspector.inspect(this.#parameterSets, 0, 0);
    this.#isWhole = false;
  }

  #depacketise(packet: RtpPacket, nowUs: number): void {
    this.#depacketiser.push(packet, (frame) => this.#frame(frame, nowUs));
  }

  #frame(frame: RtpFrame, nowUs: number): void {
    this.frames += 1;
    this.#lastFrameUs = nowUs;
    const { payloads, isKey } = this.#codec === 'vp8' ? this.#readVp8(frame) : this.#readH264(frame);
    const isSound = !frame.isDamaged && payloads.length > 0;
    if (isKey && isSound) {
      this.keyFrames += 1;
      this.#isWhole = true;
      this.#wantedSinceUs = undefined;
    } else if (!isSound) {
      this.#isWhole = false;
    }
    if (!this.#isTaken) return;
    if (!this.#isWhole) this.#want(nowUs);
    else this.#send(payloads, frame.timestamp, isKey, nowUs);
  }

  #send(payloads: readonly Uint8Array[], timestamp: number, isKey: boolean, nowUs: number): void {
    const ptsUs = (this.#times.unwrap(timestamp) * 1_000) / 90;
    const clockUs = this.#clock.place({ ptsUs, dtsUs: ptsUs }, nowUs);
    // Who comes into the room has a whole picture to begin with.
    if (!this.#sender && !isKey) return;
    this.#sender ??= this.#options.open(this.#codec ?? 'h264', {
      // What went before it was there is lost: the rest of the group is sent again, where it is not too long.
      published: () => this.#sender?.replayFromKeyFrame() || this.#want(clockNowUs()),
      keyFrameRequested: () => this.#want(clockNowUs()),
    });
    this.#sender.sendFrame(payloads, clockUs, { isKey });
  }

  #readH264({ data }: RtpFrame): { payloads: Uint8Array[]; isKey: boolean } {
    const nals = splitAnnexB(data);
    const isKey = this.#inspector.inspect(nals, 0, 0) && this.#inspector.hasParameterSets;
    const { width, height } = this.#inspector.facts;
    if (width !== undefined && height !== undefined) this.size = { width, height };
    return { payloads: packetiseH264(this.#inspector.clean(nals, isKey)), isKey };
  }

  #readVp8({ data, isKey }: RtpFrame): { payloads: Uint8Array[]; isKey: boolean } {
    // RFC 6386 §9.1: 14 bits each, after the start code.
    if (isKey && data.length >= 10) {
      this.size = { width: data.readUInt16LE(6) & 0x3fff, height: data.readUInt16LE(8) & 0x3fff };
    }
    return { payloads: packetiseVp8(data, this.#pictureId++), isKey };
  }

  #want(nowUs: number): void {
    this.#wantedSinceUs ??= nowUs;
    if (nowUs - this.#askedUs >= askSpacingUs) this.#ask(nowUs);
  }

  #ask(nowUs: number): void {
    this.#askedUs = nowUs;
    this.#options.ask();
  }

  #end(): void {
    if (!this.#sender) return;
    this.#sender = undefined;
    this.#options.end();
  }
}
