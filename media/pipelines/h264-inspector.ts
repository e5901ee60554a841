// Owns: what an H.264 stream reveals of itself while it passes: parameter sets, B-frames, sizes, key frames.
import { h264Nal, h264NalType, isBSlice, type ParameterSets, parseSps } from '../rtp/h264.ts';
import type { BitstreamFacts } from './verdict.ts';

export class H264Inspector {
  #sps: Uint8Array | undefined;
  #pps = new Map<string, Uint8Array>();
  #facts: BitstreamFacts = {};
  #sizeChanges = 0;
  #lastKeyUs: number | undefined;
  #sawSliceInBand = false;

  get facts(): BitstreamFacts {
    return this.#facts;
  }

  get hasParameterSets(): boolean {
    return this.#sps !== undefined && this.#pps.size > 0;
  }

  /** From a configuration record or SDP. */
  noteConfig({ sps, pps }: ParameterSets): void {
    for (const nal of [...sps, ...pps]) this.#noteSet(nal);
  }

  /** @returns whether the unit is a key frame */
  inspect(nals: readonly Uint8Array[], ptsUs: number, dtsUs: number): boolean {
    let isKey = false;
    let hasSps = false;
    for (const nal of nals) {
      const type = h264NalType(nal);
      if (type === h264Nal.sps || type === h264Nal.pps) {
        hasSps ||= type === h264Nal.sps;
        this.#noteSet(nal);
      }
      isKey ||= type === h264Nal.idr;
    }
    // Half a millisecond: containers round both times to milliseconds.
    const isReordered = Math.abs(ptsUs - dtsUs) > 500;
    if (!this.#facts.hasBFrames && (isReordered || nals.some(isBSlice))) {
      this.#facts = { ...this.#facts, hasBFrames: true };
    }
    if (isKey) this.#noteKey(dtsUs, hasSps);
    return isKey;
  }

  /**
   * The unit as WebRTC wants it: without delimiters and filler, a key frame with its parameter sets in front.
   * @returns views of the given ones
   */
  clean(nals: readonly Uint8Array[], isKey: boolean): Uint8Array[] {
    const kept = nals.filter((nal) => !droppedTypes.has(h264NalType(nal)));
    if (!isKey) return kept;
    const others = kept.filter((nal) => h264NalType(nal) !== h264Nal.sps && h264NalType(nal) !== h264Nal.pps);
    return [...(this.#sps ? [this.#sps] : []), ...this.#pps.values(), ...others];
  }

  #noteSet(nal: Uint8Array): void {
    if (h264NalType(nal) === h264Nal.pps) {
      // Keyed by its first bytes, where its id is; a changed one under the same id replaces it.
      if (this.#pps.size < maxPps) this.#pps.set(ppsKey(nal), nal);
      return;
    }
    if (this.#sps && Buffer.compare(this.#sps, nal) === 0) return;
    const sps = parseSps(nal);
    if (!sps) return;
    const { width, height } = this.#facts;
    if (width !== undefined && (width !== sps.width || height !== sps.height)) this.#sizeChanges += 1;
    if (this.#sps) this.#pps.clear();
    this.#sps = nal;
    this.#facts = {
      ...this.#facts,
      profileIdc: sps.profileIdc,
      chromaFormat: sps.chromaFormat,
      bitDepth: sps.bitDepth,
      isInterlaced: sps.isInterlaced,
      width: sps.width,
      height: sps.height,
      sizeChanges: this.#sizeChanges,
      // Said beforehand by good encoders, so that nobody has to see the first one suffer.
      hasBFrames: this.#facts.hasBFrames || (sps.reorderFrames ?? 0) > 0 || undefined,
    };
  }

  #noteKey(dtsUs: number, hasSps: boolean): void {
    const keyFrameIntervalMs = this.#lastKeyUs === undefined ? undefined : (dtsUs - this.#lastKeyUs) / 1_000;
    this.#lastKeyUs = dtsUs;
    const isFirst = !this.#sawSliceInBand;
    this.#sawSliceInBand = true;
    this.#facts = {
      ...this.#facts,
      keyFrameIntervalMs: keyFrameIntervalMs ?? this.#facts.keyFrameIntervalMs,
      hasInBandParameterSets: isFirst ? hasSps : this.#facts.hasInBandParameterSets,
    };
  }
}

const droppedTypes: ReadonlySet<number> = new Set([h264Nal.aud, h264Nal.filler, h264Nal.endOfSequence, 11]);
const maxPps = 16;

/** pic_parameter_set_id is an Exp-Golomb code at the front: three bytes tell ids apart up to 255. */
function ppsKey(nal: Uint8Array): string {
  const bits = ((nal[1] ?? 0) << 16) | ((nal[2] ?? 0) << 8) | (nal[3] ?? 0);
  const zeros = Math.clz32(bits) - 8;
  const length = Math.min(24, 2 * zeros + 1);
  return String(bits >>> (24 - length));
}
