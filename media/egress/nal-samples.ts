// Owns: access units of Annex B as samples of an MP4 file. Pure. May import: ../rtp.
import { splitAnnexB } from '../rtp/h264.ts';

/** Parameter sets and delimiters, which stand in the sample entry or nowhere (ISO/IEC 14496-15 §5.3.2, §8.3.2). */
const h264OutOfBand = new Set([7, 8, 9]);
const h265OutOfBand = new Set([32, 33, 34, 35]);

/** Without those that stand elsewhere. */
export function nalUnitsInBand(codec: 'h264' | 'h265', accessUnit: Uint8Array): Uint8Array[] {
  return splitAnnexB(accessUnit).filter(([first = 0]) =>
    codec === 'h264' ? !h264OutOfBand.has(first & 0x1f) : !h265OutOfBand.has((first >> 1) & 0x3f),
  );
}

/** @returns NAL units, each behind its length in four bytes */
export function nalSample(codec: 'h264' | 'h265', accessUnit: Uint8Array): Uint8Array[] {
  return nalUnitsInBand(codec, accessUnit).flatMap((nal) => {
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(nal.length, 0);
    return [length, nal];
  });
}
