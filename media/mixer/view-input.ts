// Owns: one picture source of a view: a stream of the room, decoded once, of which the latest picture is kept.
import type { ViewInput as ViewInputInfo } from '#core/view-messages.ts';
import type { Rotation } from '../av/canvas.ts';
import { HeldPicture } from '../av/held-picture.ts';
import type { Picture } from '../av/picture.ts';
import { VideoDecoder } from '../av/video-decoder.ts';
import { InputClock } from '../pipelines/input-clock.ts';
import { Av1Depacketiser } from '../rtp/av1.ts';
import type { CaptureClock } from '../rtp/capture-clock.ts';
import {
  type Depacketiser,
  H264Depacketiser,
  type RtpFrame,
  Vp8Depacketiser,
  Vp9Depacketiser,
} from '../rtp/depacketise.ts';
import { findExtension } from '../rtp/extension.ts';
import { parseRtp } from '../rtp/packet.ts';
import { ReorderBuffer } from '../rtp/reorder.ts';
import { Face } from './face.ts';
import { HeldFrames } from './held-frames.ts';
import { PixelBudget } from './pixel-budget.ts';

/** What is sent again on request takes about a round trip; a picture later than this is worth less than the next. */
const maxWaitUs = 120_000;
const maxHeldPackets = 512;
/** A publisher answers with hundreds of packets: not more often. */
const keyFrameIntervalMs = 500;
const firstPatienceMs = 150;
const clockRateHz = 90_000;
/** Of a picture: more than any camera or screen that a browser sends. */
const maxPixels = 4_096 * 4_096;

/** For logs. */
export const overspentWords = 'larger or more pictures than are decoded of one stream: not seen for some seconds';

export interface ViewInputEvents {
  keyFrameWanted(): void;
  sized(width: number, height: number): void;
  /** It sends more than is decoded of one stream: nothing is seen of it for a while. */
  overspent?(width: number, height: number): void;
}

type Stream = NonNullable<ViewInputInfo['stream']>;

export class ViewInput implements Disposable {
  readonly id: number;
  readonly #events: ViewInputEvents;
  #info: ViewInputInfo;
  #decoder: VideoDecoder | undefined;
  #depacketiser: Depacketiser | undefined;
  #order = newOrder();
  #clock = new InputClock(clockRateHz);
  readonly #held = new HeldFrames();
  readonly #budget = new PixelBudget();
  #latest: HeldPicture | undefined;
  #serial = 0;
  #rotation: Rotation = 0;
  #isBroken = true;
  #isPassedOver = false;
  #keyFrameAskedMs = Number.NEGATIVE_INFINITY;
  #size = '';
  /** Shown where there is no video. */
  readonly face = new Face(() => {
    this.#serial += 1;
  });
  #bytesIn = 0;
  #framesIn = 0;
  #framesBroken = 0;

  constructor(info: ViewInputInfo, events: ViewInputEvents) {
    this.id = info.inputId;
    this.#info = info;
    this.#events = events;
    this.#open();
  }

  get info(): ViewInputInfo {
    return this.#info;
  }

  /** Undefined before the first, and while it is muted. Valid until the next packet. */
  get latest(): HeldPicture | undefined {
    return this.#info.isMuted ? undefined : this.#latest;
  }

  /** To be told when what comes was captured. */
  get captureClock(): CaptureClock {
    return this.#clock.capture;
  }

  /** Another number for each picture. */
  get serial(): number {
    return this.#serial;
  }

  get rotation(): Rotation {
    return this.#rotation;
  }

  get counts(): { readonly bytesIn: number; readonly framesIn: number; readonly framesBroken: number } {
    return { bytesIn: this.#bytesIn, framesIn: this.#framesIn, framesBroken: this.#framesBroken };
  }

  /** Name, mute, or another stream of the same participant. @returns whether the stream is another */
  update(info: ViewInputInfo): boolean {
    const past = this.#info.stream;
    this.#info = info;
    // What was seen before it was muted is old when it comes back.
    if (info.isMuted) this.#forgetPicture();
    if (past?.ssrc === info.stream?.ssrc && past?.codec === info.stream?.codec) return false;
    this.#closeStream();
    this.#open();
    return true;
  }

  receive(data: Buffer, nowUs: number): void {
    const { stream } = this.#info;
    const packet = parseRtp(data);
    if (!stream || !packet || packet.payloadType !== stream.payloadType) return;
    this.#isPassedOver = false;
    this.#bytesIn += data.length;
    if (packet.marker) this.#readRotation(stream, data);
    this.#order.push(packet, nowUs, (ordered) => {
      this.#depacketiser?.push(ordered, (frame) => this.#held.push(frame, this.#clock.place(frame.timestamp, nowUs)));
    });
    this.advance(nowUs);
    if (!this.#budget.isResting(nowUs)) this.#reviewKeyFrame();
  }

  /** Instead of `receive()`: what comes is old, and more of it waits. The last picture stays, and it goes on with a key picture. */
  passOver(): void {
    const { stream } = this.#info;
    if (!stream || this.#isPassedOver) return;
    this.#isPassedOver = true;
    this.#isBroken = true;
    this.#depacketiser = depacketiserFor(stream.codec);
    this.#order = newOrder();
    this.#held.clear();
  }

  /** Decodes what is to be seen by then. */
  advance(nowUs: number): void {
    for (const frame of this.#held.take(nowUs)) this.#decode(frame, nowUs);
  }

  /** Pictures are shown so long after they were captured; 0 as soon as they are there. */
  setDelay(delayMs: number): void {
    this.#held.delayUs = delayMs * 1_000;
  }

  [Symbol.dispose](): void {
    this.face[Symbol.dispose]();
    this.#closeStream();
  }

  #open(): void {
    const { stream } = this.#info;
    if (!stream) return;
    this.#decoder = new VideoDecoder({ codec: stream.codec, hasLowDelay: true, maxPixels });
    this.#depacketiser = depacketiserFor(stream.codec);
    this.#order = newOrder();
    this.#clock = new InputClock(clockRateHz, stream.timeline);
    this.#held.clear();
    this.#isBroken = true;
    // A stream that is new in the room sends one by itself; that of a worker that died does not.
    this.#keyFrameAskedMs = performance.now() - keyFrameIntervalMs + firstPatienceMs;
  }

  #closeStream(): void {
    this.#decoder?.[Symbol.dispose]();
    this.#decoder = undefined;
    this.#depacketiser = undefined;
    this.#forgetPicture();
  }

  #forgetPicture(): void {
    this.#latest?.[Symbol.dispose]();
    this.#latest = undefined;
    this.#serial += 1;
  }

  #decode({ data, isKey, isDamaged, timestamp }: RtpFrame, nowUs: number): void {
    if (isDamaged || this.#budget.isResting(nowUs)) this.#isBroken = true;
    else if (isKey) this.#isBroken = false;
    const { stream } = this.#info;
    if (this.#isBroken || !this.#decoder || !stream) {
      this.#framesBroken += 1;
      return;
    }
    let pixels = 0;
    const isFine = this.#decoder.decode(data, timestamp, (picture, _ptsUs, isLast) => {
      pixels += picture.width * picture.height;
      if (isLast) this.#keep(picture);
    });
    const isTooMuch = this.#budget.spend(pixels, stream.codec, nowUs);
    if (!isFine) {
      this.#framesBroken += 1;
      this.#isBroken = true;
    }
    if (isTooMuch) this.#rest();
  }

  #rest(): void {
    const { width = 0, height = 0 } = this.#latest ?? {};
    this.#isBroken = true;
    this.#forgetPicture();
    this.#events.overspent?.(width, height);
  }

  #keep(picture: Picture): void {
    this.#framesIn += 1;
    if (this.#info.isMuted) return;
    if (this.#latest) this.#latest.hold(picture);
    else this.#latest = new HeldPicture(picture);
    this.#serial += 1;
    const size = `${picture.width}x${picture.height}`;
    if (size === this.#size) return;
    this.#size = size;
    this.#events.sized(picture.width, picture.height);
  }

  #reviewKeyFrame(): void {
    const nowMs = performance.now();
    if (!this.#isBroken || nowMs - this.#keyFrameAskedMs < keyFrameIntervalMs) return;
    this.#keyFrameAskedMs = nowMs;
    this.#events.keyFrameWanted();
  }

  /** CVO, 3GPP TS 26.114 §7.4.5: the last two bits, quarter turns that the receiver is to make clockwise. */
  #readRotation({ orientationExtensionId: id }: Stream, data: Uint8Array): void {
    const value = id === undefined ? undefined : findExtension(data, id)?.[0];
    if (value === undefined) return;
    this.#rotation = ([0, 90, 180, 270] as const)[value & 3] ?? 0;
  }
}

function newOrder(): ReorderBuffer {
  return new ReorderBuffer({ maxWaitUs, maxPackets: maxHeldPackets });
}

function depacketiserFor(codec: Stream['codec']): Depacketiser {
  switch (codec) {
    case 'h264':
      return new H264Depacketiser();
    case 'vp8':
      return new Vp8Depacketiser();
    case 'vp9':
      return new Vp9Depacketiser();
    case 'av1':
      return new Av1Depacketiser();
  }
}
