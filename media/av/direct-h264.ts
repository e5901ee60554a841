// Owns: encoders of H264 called without FFmpeg between, which are told the quantiser of each picture: one of our own for
// constrained baseline (media/native/h264-encode.c), to which what is still costs next to nothing, and the system's x264 for the
// other profiles (media/native/x264-encode.c), which is spared its look ahead. Where they cannot be had, FFmpeg's libx264 does
// the same for more.
import { nativeAddon } from '../native/addons.ts';
import type { H264Profile } from './encoder-candidates.ts';
import type { Picture } from './picture.ts';
import { RateControl } from './rate-control.ts';
import type { Box } from './video-hint.ts';

interface H264Addon {
  open(width: number, height: number, framerateHz: number, profile: string, sliceMaxBytes: number): number;
  look(
    encoder: number,
    y: Uint8Array,
    u: Uint8Array,
    v: Uint8Array,
    strides: Int32Array,
    boxes: Int32Array,
    boxCount: number,
    isKey: number,
  ): number;
  encode(
    encoder: number,
    y: Uint8Array,
    u: Uint8Array,
    v: Uint8Array,
    strides: Int32Array,
    isKey: number,
    quantiser: number,
    bytes: Uint8Array,
  ): number;
  close(encoder: number): number;
}

export interface DirectH264Options {
  readonly width: number;
  readonly height: number;
  readonly framerateHz: number;
  readonly bitrateBps: number;
  readonly profile?: H264Profile | undefined;
  readonly sliceMaxBytes?: number | undefined;
}

/** The first that takes the profile is used; x264's opens nothing where there is no libx264. */
const addons = [
  { addon: nativeAddon<H264Addon>('h264-encode'), name: 'the encoder for views' },
  { addon: nativeAddon<H264Addon>('x264-encode'), name: 'libx264' },
];
/** With more of them, all is taken as changed. */
const maxBoxes = 256;
const boxFields = 4;
/** Of any encoder: what is written there is copied before the next picture. */
let bytes = new Uint8Array(0);
const boxes = new Int32Array(maxBoxes * boxFields);
const strides = new Int32Array(3);

interface Opened {
  readonly addon: H264Addon;
  readonly encoder: number;
  /** For people. */
  readonly name: string;
}

/** What was forgotten instead of disposed of. */
const forgotten = new FinalizationRegistry<Opened>(({ addon, encoder }) => addon.close(encoder));

export class DirectH264 implements Disposable {
  readonly name: string;
  readonly #addon: H264Addon;
  readonly #encoder: number;
  readonly #rate: RateControl;
  #isFirst = true;

  private constructor(opened: Opened, options: DirectH264Options) {
    this.#addon = opened.addon;
    this.#encoder = opened.encoder;
    this.name = opened.name;
    this.#rate = new RateControl(options);
    forgotten.register(this, opened, this);
    // Twice a picture that is not compressed at all, as it may have to be escaped, and the headers.
    const room = 3 * options.width * options.height + 65_536;
    if (bytes.length < room) bytes = new Uint8Array(room);
  }

  /** @returns undefined where there is none of this kind */
  static open(options: DirectH264Options): DirectH264 | undefined {
    const { width, height, framerateHz, profile = 'baseline', sliceMaxBytes = 0 } = options;
    for (const { addon, name } of addons) {
      const encoder = addon?.open(width, height, Math.max(1, Math.round(framerateHz)), profile, sliceMaxBytes) ?? -1;
      if (addon && encoder >= 0) return new DirectH264({ addon, encoder, name }, options);
    }
    return undefined;
  }

  /** @returns that it follows */
  setBitrate(bitrateBps: number): boolean {
    this.#rate.setBitrate(bitrateBps);
    return true;
  }

  /**
   * @param picture I420 of the encoder's size
   * @param changed outside of which all is as in the last picture; all of it is compared when absent
   * @returns Annex B, the receiver's own; undefined when it failed, and is of no more use
   */
  encode(
    picture: Picture,
    ptsUs: number,
    mustKey: boolean,
    changed: readonly Box[] | undefined,
  ): { readonly data: Buffer; readonly isKey: boolean } | undefined {
    const isKey = mustKey || this.#isFirst;
    this.#isFirst = false;
    const [y, u, v] = picture.planes;
    if (!y || !u || !v) return undefined;
    strides.set(picture.strides.slice(0, 3));
    const boxCount = changed && changed.length <= maxBoxes ? changed.length : -1;
    if (boxCount > 0) {
      changed?.forEach((box, index) => {
        boxes.set([box.x, box.y, box.width, box.height], index * boxFields);
      });
    }
    const key = isKey ? 1 : 0;
    const cost = this.#addon.look(this.#encoder, y, u, v, strides, boxes, boxCount, key);
    if (cost < 0) return undefined;
    const quantiser = this.#rate.next({ cost, isKey, ptsUs });
    const length = this.#addon.encode(this.#encoder, y, u, v, strides, key, quantiser, bytes);
    if (length < 0) return undefined;
    this.#rate.spent(length);
    return { data: Buffer.from(bytes.subarray(0, length)), isKey };
  }

  [Symbol.dispose](): void {
    forgotten.unregister(this);
    this.#addon.close(this.#encoder);
  }
}
