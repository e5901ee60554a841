// Owns: the encoders of one view: one for each distinct request, made by the first who asks, gone with the last.
// May import: media/av, core's words.
import type { EncoderRequest, ViewEncoderStats } from '#core/view-messages.ts';
import type { Picture } from '../av/picture.ts';
import { Scaler } from '../av/scaler.ts';
import { type EncodedUnit, VideoEncoder } from '../av/video-encoder.ts';
import type { Box } from '../av/video-hint.ts';

/** Somebody who takes what an encoder makes, in this process: an RTP track of the room, an egress. */
export interface EncodedTap {
  /** @param clockUs when the picture is to be shown, on the machine's monotonic clock */
  onUnit(unit: EncodedUnit, clockUs: number): void;
  /** The encoder failed; nothing comes any more. */
  onFailed?(message: string): void;
}

/** A tap in its encoder; closed when nobody wants it any more. */
export interface TapHandle {
  /** With the next picture; several requests at once cost one key frame. */
  requestKeyFrame(): void;
  /** As much as it can take; the encoder spends what the tap with the most can. */
  setBitrate(bitrateBps: number): void;
  close(): void;
}

/** A key frame within this time of the last is put off to its end: who has just joined has that one. */
const keyFrameSpacingUs = 300_000;
/** Rectangles; with more of them, all is taken as changed. */
const maxChanged = 256;

interface Moment {
  readonly clockUs: number;
  /** To the next. */
  readonly tickUs: number;
  /** What was noted as changed is of another size. */
  readonly isScaled: boolean;
}

interface Tap {
  readonly tap: EncodedTap;
  /** What its receivers can take; a recording takes what it asked for. */
  bitrateBps: number;
}

class SharedEncoder implements Disposable {
  readonly request: EncoderRequest;
  /** One that changes to a request that comes to the same encoder is in it twice for a moment. */
  readonly taps = new Set<Tap>();
  readonly #encoder: VideoEncoder;
  #nextUs = 0;
  #lastKeyUs = Number.NEGATIVE_INFINITY;
  /** Of the last key picture that was due by the interval. */
  #period: number | undefined;
  #mustKey = true;
  /** Since the picture before; undefined when it may be anything. */
  #changed: Box[] | undefined;
  #frames = 0;
  #keyFrames = 0;
  #bytes = 0;
  #lastUs: number | undefined;
  #longestGapUs = 0;

  constructor(request: EncoderRequest, encoder: VideoEncoder) {
    this.request = request;
    this.#encoder = encoder;
  }

  get stats(): ViewEncoderStats {
    const { codec, width, height, framerateHz } = this.request;
    return {
      ...{ codec, width, height, framerateHz, bitrateBps: this.#encoder.bitrateBps },
      longestGapMs: this.#longestGapUs / 1_000,
      ...{ users: this.taps.size, frames: this.#frames, keyFrames: this.#keyFrames, bytes: this.#bytes },
    };
  }

  get wantsKeyFrame(): boolean {
    return this.#mustKey;
  }

  requestKeyFrame(): void {
    this.#mustKey = true;
  }

  /** After one has come, gone, or can take another bitrate. */
  reviewBitrate(): void {
    const bitrateBps = Math.max(...[...this.taps].map((tap) => tap.bitrateBps));
    if (this.taps.size === 0 || this.#encoder.bitrateBps === bitrateBps) return;
    this.#encoder.setBitrate(bitrateBps);
  }

  /** Whether it wants the picture of this moment: at its own rate, or because somebody waits for a key frame. */
  isDue(clockUs: number, tickUs: number): boolean {
    return clockUs + tickUs / 2 >= this.#nextUs || this.#isKeyDue(clockUs);
  }

  #isKeyDue(clockUs: number): boolean {
    return this.#mustKey && clockUs - this.#lastKeyUs >= keyFrameSpacingUs;
  }

  /** What has changed on the canvas; undefined for all of it. */
  note(changed: readonly Box[] | undefined): void {
    if (!this.#changed || !changed || this.#changed.length + changed.length > maxChanged) this.#changed = undefined;
    else this.#changed.push(...changed);
  }

  encode(picture: Picture, { clockUs, tickUs, isScaled }: Moment): void {
    const stepUs = 1e6 / this.request.framerateHz;
    // One that came early, as a key frame that somebody waited for, has the next follow at its distance.
    const dueUs = this.#nextUs - clockUs > tickUs / 2 ? clockUs : this.#nextUs;
    this.#nextUs = Math.max(dueUs + stepUs, clockUs + stepUs / 2);
    const isDue = this.#isKeyDue(clockUs);
    // By the clock, not from the last: the key pictures of encoders of one view are of the same pictures.
    const period = Math.floor(clockUs / (this.request.keyFrameIntervalS * 1e6));
    if (isDue || period !== this.#period) {
      this.#period = period;
      this.#mustKey = false;
      this.#encoder.requestKeyFrame();
    }
    const changed = isScaled ? undefined : this.#changed;
    this.#changed = [];
    this.#encoder.encode(picture, clockUs, (unit) => this.#emit(unit, clockUs), changed);
  }

  [Symbol.dispose](): void {
    this.#encoder[Symbol.dispose]();
  }

  #emit(unit: EncodedUnit, clockUs: number): void {
    this.#frames += 1;
    this.#longestGapUs = Math.max(this.#longestGapUs, clockUs - (this.#lastUs ?? clockUs));
    this.#lastUs = clockUs;
    this.#bytes += unit.data.length;
    if (unit.isKey) {
      this.#keyFrames += 1;
      this.#lastKeyUs = clockUs;
    }
    for (const { tap } of [...this.taps]) tap.onUnit(unit, clockUs);
  }
}

export class EncoderRegistry implements Disposable {
  readonly #encoders = new Map<string, SharedEncoder>();
  readonly #scalers = new Map<string, Scaler>();
  #isDisposed = false;

  get stats(): ViewEncoderStats[] {
    return [...this.#encoders.values()].map((encoder) => encoder.stats);
  }

  get size(): number {
    return this.#encoders.size;
  }

  /** Somebody waits for one. */
  get wantsKeyFrame(): boolean {
    return [...this.#encoders.values()].some((encoder) => encoder.wantsKeyFrame);
  }

  has(request: EncoderRequest): boolean {
    return this.#encoders.has(keyOf(request));
  }

  /** CPU milliseconds per second of what is there, about. */
  get costMsPerS(): number {
    let sum = 0;
    for (const { request } of this.#encoders.values()) sum += encodingCostMsPerS(request);
    return sum;
  }

  /**
   * Has its encoder opened beside, so that who taps it afterwards need not: VP9's takes as long as a picture is seen, and what is
   * under way would stand still. It is there until this is disposed of, and longer with a tap.
   * @throws AvError when this build has no such encoder
   */
  async hold(request: EncoderRequest): Promise<Disposable> {
    if (!this.has(request)) {
      const encoder = await VideoEncoder.open(optionsFor(request));
      // Somebody else may have tapped it before it was there.
      if (this.#isDisposed || this.has(request)) encoder[Symbol.dispose]();
      else this.#encoders.set(keyOf(request), new SharedEncoder(request, encoder));
    }
    if (this.#isDisposed) throw new Error('The encoders are closed.');
    const handle = this.tap(request, { onUnit: () => undefined });
    return { [Symbol.dispose]: () => handle.close() };
  }

  /** @throws AvError when this build has no such encoder */
  tap(request: EncoderRequest, tap: EncodedTap): TapHandle {
    const key = keyOf(request);
    const encoder = this.#encoders.get(key) ?? new SharedEncoder(request, new VideoEncoder(optionsFor(request)));
    this.#encoders.set(key, encoder);
    const entry: Tap = { tap, bitrateBps: request.bitrateBps };
    encoder.taps.add(entry);
    encoder.reviewBitrate();
    encoder.requestKeyFrame();
    return {
      requestKeyFrame: () => encoder.requestKeyFrame(),
      setBitrate: (bitrateBps) => {
        entry.bitrateBps = Math.min(bitrateBps, request.bitrateBps);
        encoder.reviewBitrate();
      },
      close: () => {
        encoder.taps.delete(entry);
        if (encoder.taps.size === 0) this.#drop(key, encoder);
        else encoder.reviewBitrate();
      },
    };
  }

  /**
   * Scales once for each size.
   * @param tickUs from one picture to the next
   * @param changed what is not as it was with the last call; all of it when absent
   */
  encode(picture: Picture, clockUs: number, tickUs: number, changed?: readonly Box[]): void {
    for (const encoder of this.#encoders.values()) encoder.note(changed);
    const bySize = Map.groupBy(
      [...this.#encoders.values()].filter((encoder) => encoder.isDue(clockUs, tickUs)),
      ({ request }) => `${request.width}x${request.height}`,
    );
    for (const [size, encoders] of bySize) {
      const [first] = encoders;
      if (!first) continue;
      const scaler = this.#scalers.get(size) ?? new Scaler(first.request.width, first.request.height);
      this.#scalers.set(size, scaler);
      scaler.scale(picture, (scaled) => {
        for (const encoder of encoders)
          this.#encodeOne(encoder, scaled, { clockUs, tickUs, isScaled: scaled !== picture });
      });
    }
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const encoder of this.#encoders.values()) encoder[Symbol.dispose]();
    for (const scaler of this.#scalers.values()) scaler[Symbol.dispose]();
    this.#encoders.clear();
    this.#scalers.clear();
  }

  /** One that fails is no reason for the others to. */
  #encodeOne(encoder: SharedEncoder, picture: Picture, moment: Moment): void {
    try {
      encoder.encode(picture, moment);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const taps = [...encoder.taps];
      encoder.taps.clear();
      this.#drop(keyOf(encoder.request), encoder);
      for (const { tap } of taps) tap.onFailed?.(message);
    }
  }

  #drop(key: string, encoder: SharedEncoder): void {
    if (this.#encoders.get(key) !== encoder) return;
    this.#encoders.delete(key);
    // Not now: it may be its own picture that made its last tap leave.
    setImmediate(() => encoder[Symbol.dispose]());
    const { width, height } = encoder.request;
    const isSizeUsed = [...this.#encoders.values()].some(
      ({ request }) => request.width === width && request.height === height,
    );
    if (isSizeUsed) return;
    const size = `${width}x${height}`;
    const scaler = this.#scalers.get(size);
    this.#scalers.delete(size);
    setImmediate(() => scaler?.[Symbol.dispose]());
  }
}

/** Half the cost of the next better preset or less: what a view shows is small pictures that were encoded before. */
const optionsFor = (request: EncoderRequest) => ({ ...request, preset: 'ultrafast' }) as const;

function keyOf({ codec, profile, width, height, framerateHz, sliceMaxBytes, ...rest }: EncoderRequest): string {
  const { bitrateBps, keyFrameIntervalS } = rest;
  const format = codec === 'h264' ? `${codec}:${profile}:${sliceMaxBytes}` : codec;
  return `${format}:${width}x${height}@${framerateHz}:${bitrateBps}:${keyFrameIntervalS}`;
}

/** Measured at 720p30 and 1.6 Mbit/s, one thread, of pictures that move all over. */
const costs720p30: Readonly<Record<EncoderRequest['codec'], number>> = {
  h264: 50,
  vp8: 110,
  vp9: 170,
  h265: 460,
  av1: 330,
};
/** Main and high are not made by our own encoder. */
const costOfX264 = 70;

export function encodingCostMsPerS({ codec, profile, width, height, framerateHz }: EncoderRequest): number {
  const cost = codec === 'h264' && profile !== 'baseline' ? costOfX264 : costs720p30[codec];
  return Math.round(cost * ((width * height) / (1_280 * 720)) * (framerateHz / 30));
}
