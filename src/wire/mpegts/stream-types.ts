// Owns: which codec an elementary stream of a program map holds. Pure. May import: core.
import type { VideoCodec } from '#core/media-source.ts';
import type { Descriptor, ElementaryStream } from './sections.ts';

/** `mpeg_audio`: layer 2 or 3, as its frames say. `adts` and `latm` are AAC. */
export type AudioSyntax = 'adts' | 'latm' | 'mpeg_audio' | 'ac3' | 'opus';

export type StreamSyntax =
  | { readonly kind: 'video'; readonly codec: VideoCodec }
  | { readonly kind: 'audio'; readonly syntax: AudioSyntax; readonly channels?: number | undefined };

const tag = { registration: 0x05, ac3: 0x6a, eac3: 0x7a, extension: 0x7f } as const;

/** stream_type of ISO/IEC 13818-1 table 2-34, and those that ATSC A/53 part 3 adds. */
const byStreamType: Readonly<Record<number, StreamSyntax>> = {
  1: { kind: 'video', codec: 'mpeg2' }, // MPEG-1: the decoder takes both
  2: { kind: 'video', codec: 'mpeg2' },
  3: { kind: 'audio', syntax: 'mpeg_audio' },
  4: { kind: 'audio', syntax: 'mpeg_audio' },
  15: { kind: 'audio', syntax: 'adts' },
  16: { kind: 'video', codec: 'mpeg4' },
  17: { kind: 'audio', syntax: 'latm' },
  27: { kind: 'video', codec: 'h264' },
  36: { kind: 'video', codec: 'h265' },
  129: { kind: 'audio', syntax: 'ac3' },
  135: { kind: 'audio', syntax: 'ac3' },
};

const privateData = 6;

/** @returns undefined for what is no audio or video, or none that is read here (subtitles, VC-1, DTS, encrypted) */
export function syntaxOf({ streamType, descriptors }: ElementaryStream): StreamSyntax | undefined {
  if (streamType !== privateData) return byStreamType[streamType];
  // DVB and newcomers say it by descriptors.
  if (descriptors.some((one) => one.tag === tag.ac3 || one.tag === tag.eac3)) return { kind: 'audio', syntax: 'ac3' };
  const registered = descriptors.find((one) => one.tag === tag.registration)?.data.toString('latin1', 0, 4);
  if (registered === 'AC-3' || registered === 'EAC3') return { kind: 'audio', syntax: 'ac3' };
  if (registered === 'HEVC') return { kind: 'video', codec: 'h265' };
  if (registered === 'Opus') return { kind: 'audio', syntax: 'opus', channels: opusChannels(descriptors) };
  return undefined;
}

/** channel_config_code of ETSI TS 103 491 §4.2.2: 0 is two mono channels, 1 to 8 count them. */
function opusChannels(descriptors: readonly Descriptor[]): number {
  const extension = descriptors.find((one) => one.tag === tag.extension && one.data[0] === 0x80);
  const code = extension?.data[1] ?? 2;
  return code >= 1 && code <= 8 ? code : 2;
}
