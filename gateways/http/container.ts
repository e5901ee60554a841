// Owns: files with an index (MP4, MOV, Matroska, WebM, Ogg, FLAC, WAV), read by mediabunny, which is all TypeScript: a
// damaged file throws, where a native demuxer would take the media worker with it. May import: core, mediabunny.
import type { AudioCodec as FileAudioCodec, VideoCodec as FileVideoCodec, Input, InputTrack, Source } from 'mediabunny';
import { GatewayError } from '#core/errors.ts';
import type { AudioCodec, SourceSink, SourceStream, StreamFraming, VideoCodec } from '#core/media-source.ts';
import { type DatedPacket, inDecodingOrder } from './decoding-time.ts';

const videoCodecs: Partial<Record<FileVideoCodec, VideoCodec>> = {
  ...{ avc: 'h264', hevc: 'h265', vp8: 'vp8', vp9: 'vp9', av1: 'av1' },
};
const audioCodecs: Partial<Record<FileAudioCodec, AudioCodec>> = {
  ...{ aac: 'aac', opus: 'opus', mp3: 'mp3', vorbis: 'vorbis', flac: 'flac', ac3: 'ac3', eac3: 'eac3' },
  ...{ ulaw: 'pcmu', alaw: 'pcma', 'pcm-s16be': 'l16', 'pcm-s16': 'l16' },
};
/** Little-endian samples, which no codec of ours has. */
const swappedCodec = 'pcm-s16';

/** Loaded with the first file: a media worker that plays none starts without it. */
const library = () => import('mediabunny');

export interface ContainerSource {
  /** Bytes of the whole. */
  readonly size: number;
  /** @returns exactly the bytes from `start` to before `end` */
  read(start: number, end: number): Promise<Uint8Array>;
  /** Where each read takes long, more is read at once. */
  readonly isRemote: boolean;
}

const maxCacheBytes = 16 * 1024 * 1024;

/** Bytes that are there, from a file or behind HTTP. */
export async function sourceOf({ size, read, isRemote }: ContainerSource): Promise<Source> {
  const { CustomSource } = await library();
  return new CustomSource({
    getSize: () => size,
    read,
    maxCacheSize: maxCacheBytes,
    prefetchProfile: isRemote ? 'network' : 'fileSystem',
    handleUnhandledError: () => undefined, // the next read fails in the same way
  });
}

/**
 * Reads the first video and the first audio track that can be read, in order of decoding time.
 * @param source bytes of the whole; closed in the end
 * @param init where the tracks are described, for segments that leave that out
 * @param takes called after each unit: waits until there is room for more
 * @throws GatewayError `unsupported_media_type` for what it cannot read
 */
export async function readContainer(
  source: Source | Uint8Array,
  init: Uint8Array | undefined,
  sink: SourceSink,
  takes: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { BufferSource, Input: FileInput, MP4, QTFF, MATROSKA, WEBM, OGG, FLAC, WAVE } = await library();
  const open = (from: Source | Uint8Array, initInput?: Input) =>
    new FileInput({
      source: from instanceof Uint8Array ? new BufferSource(from) : from,
      // Not playlists, which would send it to addresses that nobody has checked.
      formats: [MP4, QTFF, MATROSKA, WEBM, OGG, FLAC, WAVE],
      ...(initInput && { initInput }),
    });
  const initInput = init && open(init);
  const input = open(source, initInput);
  const onAbort = () => {
    input.dispose();
    initInput?.dispose();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await readTracks(input, sink, takes, signal);
  } catch (cause) {
    if (signal.aborted || cause instanceof GatewayError) throw cause;
    const why = cause instanceof Error ? cause.message.slice(0, 200) : 'it makes no sense';
    throw new GatewayError('unsupported_media_type', `The file could not be read: ${why}.`, { cause });
  } finally {
    signal.removeEventListener('abort', onAbort);
    onAbort();
  }
}

async function readTracks(
  input: Input,
  sink: SourceSink,
  takes: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const tracks = await chooseTracks(input);
  if (tracks.length === 0) {
    throw new GatewayError('unsupported_media_type', 'The file holds no audio or video that can be read here.');
  }
  const { EncodedPacketSink } = await library();
  for (const { stream } of tracks) sink.describe(stream);
  const readers = tracks.map(({ track, stream, swaps }) => ({
    ...{ stream, swaps, packets: inDecodingOrder(new EncodedPacketSink(track).packets()) },
    next: undefined as DatedPacket | undefined,
  }));
  for (const reader of readers) reader.next = (await reader.packets.next()).value ?? undefined;
  while (!signal.aborted) {
    const first = readers
      .filter(({ next }) => next !== undefined)
      .reduce<(typeof readers)[number] | undefined>(
        (best, one) => (best?.next && one.next && best.next.dtsUs <= one.next.dtsUs ? best : one),
        undefined,
      );
    if (!first?.next) return;
    const { packet, dtsUs } = first.next;
    const data = first.swaps ? swapped(packet.data) : packet.data;
    if (data.byteLength > 0) {
      const ptsUs = Math.round(packet.timestamp * 1_000_000);
      const isKey = packet.type === 'key';
      sink.deliver({ kind: 'access_unit', streamId: first.stream.id, ptsUs, dtsUs, isKey, data });
    }
    first.next = (await first.packets.next()).value ?? undefined;
    await takes();
  }
}

interface ChosenTrack {
  readonly track: InputTrack;
  readonly stream: SourceStream;
  readonly swaps: boolean;
}

async function chooseTracks(input: Input): Promise<ChosenTrack[]> {
  const chosen: ChosenTrack[] = [];
  for (const track of await input.getTracks()) {
    if (chosen.some(({ stream }) => stream.kind === track.type)) continue;
    const stream = track.isVideoTrack() ? await videoStream(track) : await audioStream(track);
    if (stream) chosen.push({ track, stream, swaps: (await track.getCodec()) === swappedCodec });
  }
  return chosen;
}

async function videoStream(track: InputTrack): Promise<SourceStream | undefined> {
  if (!track.isVideoTrack()) return undefined;
  const fileCodec = await track.getCodec();
  const codec = fileCodec ? videoCodecs[fileCodec] : undefined;
  const config = await track.getDecoderConfig();
  if (!codec || !config) return undefined;
  const description = bytesOf(config.description);
  const { codedWidth, codedHeight } = config;
  return {
    ...{ id: 0, kind: 'video', codec, framing: framingOf(codec, description), config: description },
    ...{ width: codedWidth, height: codedHeight },
  };
}

async function audioStream(track: InputTrack): Promise<SourceStream | undefined> {
  if (!track.isAudioTrack()) return undefined;
  const fileCodec = await track.getCodec();
  const codec = fileCodec ? audioCodecs[fileCodec] : undefined;
  const config = await track.getDecoderConfig();
  if (!codec || !config) return undefined;
  const { sampleRate: sampleRateHz, numberOfChannels: channels } = config;
  return {
    ...{ id: 1, kind: 'audio', codec, framing: { kind: 'bare' }, config: bytesOf(config.description) },
    ...{ sampleRateHz, channels },
  };
}

/** ISO/IEC 14496-15 §5.3.3.1.2 and §8.3.3.1.2: with a configuration record, lengths are in front of NAL units. */
function framingOf(codec: VideoCodec, config: Uint8Array | undefined): StreamFraming {
  const at = codec === 'h264' ? 4 : codec === 'h265' ? 21 : undefined;
  if (at === undefined || !config) return { kind: 'bare' };
  const lengthSize = ((config[at] ?? 3) & 3) + 1;
  return { kind: 'length_prefixed', lengthSize: lengthSize === 3 ? 4 : (lengthSize as 1 | 2 | 4) };
}

function bytesOf(description: ArrayBuffer | ArrayBufferView | undefined): Uint8Array | undefined {
  if (description === undefined) return undefined;
  if (!ArrayBuffer.isView(description)) return new Uint8Array(description);
  return new Uint8Array(description.buffer, description.byteOffset, description.byteLength);
}

function swapped(data: Uint8Array): Buffer {
  return Buffer.from(data.subarray(0, data.byteLength & ~1)).swap16();
}
