// Owns: sample entries of codecs and how their `codecs` parameter is spelled (RFC 6381). Pure. May import: its neighbours.
import { av1Record, parseAv1 } from './av1.ts';
import { box, fullBox, u8, u16, u32 } from './box.ts';
import type { AudioFormat, TrackFormat, VideoFormat } from './track.ts';
import { parseVp9, vp9Record } from './vp9.ts';

export interface CodecEntry {
  /** As it stands in `stsd`. */
  readonly entry: Buffer;
  /** `avc1.42e01f`, `mp4a.40.2` … */
  readonly codecs: string;
}

/** @returns undefined when the configuration cannot be one of that codec */
export function codecEntry(track: TrackFormat): CodecEntry | undefined {
  switch (track.codec) {
    case 'h264':
      return h264Entry(track);
    case 'h265':
      return h265Entry(track);
    case 'vp9':
      return vp9Entry(track);
    case 'av1':
      return av1Entry(track);
    case 'aac':
      return aacEntry(track);
    case 'opus':
      return opusEntry(track);
  }
}

const hex = (value: number) => value.toString(16).padStart(2, '0');
const two = (value: number) => String(value).padStart(2, '0');

/** ISO/IEC 14496-15 §5.3.3: version, profile, compatibility, level. */
function h264Entry(track: VideoFormat): CodecEntry | undefined {
  const [version, profile = 0, compatibility = 0, level = 0] = track.config;
  if (version !== 1 || track.config.length < 7) return undefined;
  return {
    entry: visualEntry('avc1', track, box('avcC', track.config)),
    codecs: `avc1.${hex(profile)}${hex(compatibility)}${hex(level)}`,
  };
}

/** ISO/IEC 14496-15 annex E.3. */
function h265Entry(track: VideoFormat): CodecEntry | undefined {
  const config = Buffer.from(track.config.buffer, track.config.byteOffset, track.config.byteLength);
  if (config.length < 23 || config[0] !== 1) return undefined;
  const space = ['', 'A', 'B', 'C'][config.readUInt8(1) >> 6] ?? '';
  const tier = (config.readUInt8(1) & 0x20) === 0 ? 'L' : 'H';
  const profile = config.readUInt8(1) & 0x1f;
  const constraints = [...config.subarray(6, 12)];
  while (constraints.length > 0 && constraints.at(-1) === 0) constraints.pop();
  return {
    entry: visualEntry('hvc1', track, box('hvcC', track.config)),
    codecs: [
      `hvc1.${space}${profile}`,
      reversedBits(config.readUInt32BE(2)).toString(16),
      `${tier}${config.readUInt8(12)}`,
      ...constraints.map((byte) => byte.toString(16)),
    ].join('.'),
  };
}

function reversedBits(value: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit++) reversed = reversed * 2 + ((value >>> bit) & 1);
  return reversed;
}

function vp9Entry(track: VideoFormat): CodecEntry | undefined {
  const config = parseVp9(track.config, track);
  return (
    config && {
      entry: visualEntry('vp09', track, fullBox('vpcC', 1, 0, vp9Record(config))),
      codecs: `vp09.${two(config.profile)}.${two(config.level)}.${two(config.bitDepth)}`,
    }
  );
}

function av1Entry(track: VideoFormat): CodecEntry | undefined {
  const config = parseAv1(track.config);
  if (!config) return undefined;
  const { profile, level, tier, bitDepth } = config;
  return {
    entry: visualEntry('av01', track, box('av1C', av1Record(config))),
    codecs: `av01.${profile}.${two(level)}${tier === 0 ? 'M' : 'H'}.${two(bitDepth)}`,
  };
}

/** VisualSampleEntry, ISO/IEC 14496-12 §12.1.3. */
function visualEntry(type: string, { width, height }: VideoFormat, config: Buffer): Buffer {
  const noName = Buffer.alloc(32);
  const resolution = 0x480000; // 72 dpi
  return box(
    type,
    ...[u32(0), u16(0, 1), Buffer.alloc(16), u16(width, height)],
    ...[u32(resolution, resolution, 0), u16(1), noName, u16(0x18, 0xffff), config],
  );
}

/** AudioSampleEntry, ISO/IEC 14496-12 §12.2.3. */
function audioEntry(type: string, { channels, sampleRateHz }: AudioFormat, config: Buffer): Buffer {
  // A rate that 16 bits do not hold is said by the codec's own configuration.
  const rate = sampleRateHz < 0x10000 ? sampleRateHz : 0;
  return box(type, u32(0), u16(0, 1), u32(0, 0), u16(channels, 16, 0, 0, rate, 0), config);
}

/** ISO/IEC 14496-14 §5.6 and 14496-1 §7.2.6: descriptors within each other, lengths of one byte. */
function aacEntry(track: AudioFormat): CodecEntry | undefined {
  const { config } = track;
  const [first = 0] = config;
  if (config.length < 2 || config.length > 64) return undefined;
  const objectType = first >> 3 === 31 ? 32 + (((first & 7) << 3) | ((config[1] ?? 0) >> 5)) : first >> 3;
  const descriptor = (tag: number, ...parts: readonly Uint8Array[]) => {
    const body = Buffer.concat(parts);
    return Buffer.concat([u8(tag, body.length), body]);
  };
  const audioStream = 0x15; // stream type 5, and the reserved bit
  const decoder = descriptor(4, u8(0x40, audioStream, 0, 0, 0), u32(0, 0), descriptor(5, config));
  const elementary = descriptor(3, u16(track.id), u8(0), decoder, descriptor(6, u8(2)));
  return { entry: audioEntry('mp4a', track, fullBox('esds', 0, 0, elementary)), codecs: `mp4a.40.${objectType}` };
}

const opusMagic = Buffer.from('OpusHead');

/** Encapsulation of Opus in ISO Base Media File Format §4.3.2: as OpusHead, but with the numbers the other way round. */
function opusEntry(track: AudioFormat): CodecEntry | undefined {
  const head = Buffer.from(track.config.buffer, track.config.byteOffset, track.config.byteLength);
  if (head.length < 19 || !head.subarray(0, 8).equals(opusMagic)) return undefined;
  const specific = Buffer.concat([
    u8(0, head.readUInt8(9)),
    u16(head.readUInt16LE(10)),
    u32(head.readUInt32LE(12)),
    u16(head.readUInt16LE(16)),
    head.subarray(18),
  ]);
  return { entry: audioEntry('Opus', { ...track, sampleRateHz: 48_000 }, box('dOps', specific)), codecs: 'opus' };
}
