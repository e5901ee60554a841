// Owns: one video stream decoded, brought to size and encoded again.

import { defaultBitrateBps } from '#core/default-bitrate.ts';
import type { VideoCodec } from '#core/media-source.ts';
import type { Picture } from '../av/picture.ts';
import { Scaler } from '../av/scaler.ts';
import { VideoDecoder } from '../av/video-decoder.ts';
import { type EncodedUnit, VideoEncoder } from '../av/video-encoder.ts';

export interface VideoTranscoderOptions {
  readonly from: VideoCodec;
  readonly to: 'h264' | 'vp8';
  readonly config?: Uint8Array | undefined;
  readonly bitrateBps?: number | undefined;
  readonly framerateHz?: number | undefined;
  readonly hardware?: 'nvenc' | 'qsv' | 'vaapi' | undefined;
  readonly preset?: 'ultrafast' | 'superfast' | undefined;
  /** Pictures are shown in the order in which they come: none has to be held back. */
  readonly hasLowDelay?: boolean | undefined;
}

/** Larger pictures are made smaller: browsers show no more of them, and one would fill a core. */
const maxWidth = 1_920;
const maxHeight = 1_080;
/** A request for a key frame costs bandwidth for everybody: one at a time. */
const keyFrameIntervalMs = 500;

export class VideoTranscoder implements Disposable {
  readonly #options: VideoTranscoderOptions;
  readonly #decoder: VideoDecoder;
  #scaler: Scaler | undefined;
  #encoder: VideoEncoder | undefined;
  #sourceSize = '';
  #lastKeyMs = Number.NEGATIVE_INFINITY;
  #mustKey = false;
  #isSilent = false;
  #last: Picture | undefined;
  framesIn = 0;

  /** @throws AvError when the configuration is not one */
  constructor(options: VideoTranscoderOptions) {
    this.#options = options;
    this.#decoder = new VideoDecoder({
      codec: options.from,
      config: options.config,
      hasLowDelay: options.hasLowDelay ?? false,
    });
  }

  get encoderName(): string | undefined {
    return this.#encoder?.encoderName;
  }

  /** What became of the wish for hardware, once there is an encoder; undefined where there was none. */
  get hardwareOutcome(): string | undefined {
    if (!this.#options.hardware || !this.#encoder) return undefined;
    const { encoderName, softwareReason } = this.#encoder;
    return softwareReason ? `encoded in software: ${softwareReason}` : `encoded by ${encoderName}`;
  }

  get corruptUnits(): number {
    return this.#decoder.corruptUnits;
  }

  get memoryBytes(): number {
    // Reference pictures of the decoder, the scaler's and the encoder's own, about.
    return this.#encoder ? this.#encoder.width * this.#encoder.height * 1.5 * 8 : 0;
  }

  requestKeyFrame(): void {
    this.#mustKey = true;
  }

  /** Only decodes: for what lies before the moment from which on it is wanted. */
  prime(data: Uint8Array, ptsUs: number): void {
    this.#isSilent = true;
    try {
      this.transcode(data, ptsUs, () => undefined);
    } finally {
      this.#isSilent = false;
    }
  }

  /**
   * @param data one access unit; H264 and H265 as Annex B unless there is a configuration
   * @returns false when the unit was broken
   */
  transcode(data: Uint8Array, ptsUs: number, onUnit: (unit: EncodedUnit) => void): boolean {
    return this.#decoder.decode(data, ptsUs, (picture, picturePtsUs) => {
      this.framesIn += 1;
      this.#last?.[Symbol.dispose]();
      this.#last = picture.keep();
      if (!this.#isSilent) this.#encode(picture, picturePtsUs, onUnit);
    });
  }

  /**
   * The last picture once more, as a key frame: for who joins while nothing comes.
   * @returns false when there was none
   */
  repeatLast(onUnit: (unit: EncodedUnit) => void): boolean {
    if (!this.#last) return false;
    const { scaler, encoder } = this.#chainFor(this.#last);
    encoder.requestKeyFrame();
    scaler.scale(this.#last, (scaled) => encoder.encode(scaled, 0, onUnit));
    return true;
  }

  #encode(picture: Picture, ptsUs: number, onUnit: (unit: EncodedUnit) => void): void {
    const { scaler, encoder } = this.#chainFor(picture);
    const nowMs = performance.now();
    if (this.#mustKey && nowMs - this.#lastKeyMs >= keyFrameIntervalMs) {
      this.#mustKey = false;
      this.#lastKeyMs = nowMs;
      encoder.requestKeyFrame();
    }
    scaler.scale(picture, (scaled) => {
      encoder.encode(scaled, ptsUs, (unit) => {
        if (unit.isKey) this.#lastKeyMs = nowMs;
        onUnit(unit);
      });
    });
  }

  #chainFor(picture: Picture): { scaler: Scaler; encoder: VideoEncoder } {
    const sourceSize = `${picture.width}x${picture.height}`;
    if (this.#scaler && this.#encoder && sourceSize === this.#sourceSize) {
      return { scaler: this.#scaler, encoder: this.#encoder };
    }
    this.#sourceSize = sourceSize;
    this.#scaler?.[Symbol.dispose]();
    this.#encoder?.[Symbol.dispose]();
    const { width, height } = outputSize(picture.width, picture.height);
    const framerateHz = Math.min(60, this.#options.framerateHz ?? 30);
    this.#scaler = new Scaler(width, height);
    this.#encoder = new VideoEncoder({
      codec: this.#options.to,
      width,
      height,
      framerateHz,
      bitrateBps: this.#options.bitrateBps ?? defaultBitrateBps(width, height, framerateHz),
      hardware: this.#options.hardware,
      preset: this.#options.preset,
    });
    return { scaler: this.#scaler, encoder: this.#encoder };
  }

  [Symbol.dispose](): void {
    this.#last?.[Symbol.dispose]();
    this.#last = undefined;
    this.#decoder[Symbol.dispose]();
    this.#scaler?.[Symbol.dispose]();
    this.#encoder?.[Symbol.dispose]();
  }
}

/** Even, and no larger than Full HD, in the shape of the source. */
function outputSize(width: number, height: number): { width: number; height: number } {
  const isPortrait = height > width;
  const [limitX, limitY] = isPortrait ? [maxHeight, maxWidth] : [maxWidth, maxHeight];
  const scale = Math.min(1, limitX / width, limitY / height);
  const even = (side: number) => Math.max(2, Math.floor((side * scale) / 2) * 2);
  return { width: even(width), height: even(height) };
}

/** CPU milliseconds per second that it costs, about. */
export function transcodeCostMsPerS(width: number, height: number, framerateHz: number): number {
  const full = outputSize(width, height);
  // Decoding goes by the source's size, the rest by the output's; 720p30 measured at 40 and 90.
  const share = (pixels: number) => (pixels / (1_280 * 720)) * (framerateHz / 30);
  return Math.round(share(width * height) * 40 + share(full.width * full.height) * 90);
}
