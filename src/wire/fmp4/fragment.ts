// Owns: one fragment of a track: movie fragment and media data (ISO/IEC 14496-12 §8.8). Pure. May import: ./box.
import { box, fullBox, u32 } from './box.ts';

export interface Sample {
  /** In ticks of its track. */
  readonly duration: number;
  /** Presentation minus decoding time, in ticks. */
  readonly compositionOffset: number;
  readonly isKey: boolean;
  /** Written one after the other. */
  readonly data: readonly Uint8Array[];
}

export interface FragmentOptions {
  readonly sequenceNumber: number;
  readonly trackId: number;
  /** Decoding time of the first sample, in ticks; not negative. */
  readonly baseTime: number;
  readonly samples: readonly Sample[];
}

/** Where an offset of data begins and what each sample says: duration, size, flags, composition offset. */
const runFlags = 0x1 | 0x100 | 0x200 | 0x400 | 0x800;
const signedOffsets = 1;
const offsetsFromFragment = 0x20000;
/** §8.8.3.1: depends on no other; depends on others and is no sync sample. */
const sampleFlags = { key: 0x2000000, other: 0x1010000 } as const;

export function fragment({ sequenceNumber, trackId, baseTime, samples }: FragmentOptions): Buffer {
  const table = Buffer.allocUnsafe(samples.length * 16);
  const pieces: Uint8Array[] = [];
  samples.forEach(({ duration, compositionOffset, isKey, data }, index) => {
    let size = 0;
    for (const piece of data) size += piece.byteLength;
    pieces.push(...data);
    let at = table.writeUInt32BE(duration, index * 16);
    at = table.writeUInt32BE(size, at);
    at = table.writeUInt32BE(isKey ? sampleFlags.key : sampleFlags.other, at);
    table.writeInt32BE(compositionOffset, at);
  });
  const base = Buffer.allocUnsafe(8);
  base.writeBigUInt64BE(BigInt(baseTime));
  const movieFragment = (dataOffset: number) =>
    box(
      'moof',
      fullBox('mfhd', 0, 0, u32(sequenceNumber)),
      box(
        'traf',
        fullBox('tfhd', 0, offsetsFromFragment, u32(trackId)),
        fullBox('tfdt', 1, 0, base),
        fullBox('trun', signedOffsets, runFlags, u32(samples.length, dataOffset), table),
      ),
    );
  const head = movieFragment(0);
  // The same length whatever it says.
  return Buffer.concat([movieFragment(head.length + 8), box('mdat', ...pieces)]);
}
