// Owns: HEVC as an encoder of ours makes it: 4:2:0 of 8 bits, Annex B. Pure.
import { unescapeNal } from './bit-reader.ts';
import { splitAnnexB } from './h264.ts';

const nalTypes = { vps: 32, sps: 33, pps: 34 } as const;

function h265NalType(nal: Uint8Array): number {
  return ((nal[0] ?? 0) >> 1) & 0x3f;
}

/**
 * HEVCDecoderConfigurationRecord, ISO 14496-15 §8.3.3.1, lengths of four bytes.
 * @param unit a key picture with its parameter sets. @returns undefined where one of them is missing
 */
export function hevcConfigOf(unit: Uint8Array): Buffer | undefined {
  const nals = splitAnnexB(unit);
  const sets = Object.values(nalTypes).map((type) => nals.filter((nal) => h265NalType(nal) === type));
  const [sps] = sets[1] ?? [];
  if (!sps || sets.some((list) => list.length === 0)) return undefined;
  // H.265 §7.3.2.2.1: two bytes of NAL header, one before profile_tier_level, whose general part has twelve.
  const head = unescapeNal(sps, 64);
  const layers = (((head[2] ?? 0) >> 1) & 0x07) + 1;
  const isNested = (head[2] ?? 0) & 0x01;
  const general = head.subarray(3, 15);
  if (general.length < 12) return undefined;
  const lengthSizeMinusOne = 3;
  const fixed = Buffer.from([
    ...[1, ...general],
    ...[0xf0, 0], // min_spatial_segmentation_idc: not known
    0xfc, // parallelismType: not known
    0xfc | 1, // chroma_format_idc 4:2:0
    ...[0xf8, 0xf8], // 8 bits
    ...[0, 0], // avgFrameRate: not known
    (layers << 3) | (isNested << 2) | lengthSizeMinusOne,
    sets.length,
  ]);
  const arrays = Object.values(nalTypes).flatMap((type, index) => {
    const list = sets[index] ?? [];
    const completeness = 0x80;
    return [Buffer.from([completeness | type, list.length >> 8, list.length & 0xff]), ...list.flatMap(withLength)];
  });
  return Buffer.concat([fixed, ...arrays]);
}

const withLength = (nal: Uint8Array) => [Buffer.from([nal.length >> 8, nal.length & 0xff]), nal];
