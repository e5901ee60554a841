// Owns: the bodies of FLV audio and video tags, which RTMP messages carry: legacy (FLV 10.1 annex E) and Enhanced RTMP
// v2 (fourcc, multitrack, ModEx). Pure. May import: core/{errors,media-source}.
import { GatewayError } from '#core/errors.ts';
import type { AudioCodec, VideoCodec } from '#core/media-source.ts';

export type FlvVideoCodec = Extract<VideoCodec, 'h264' | 'h265' | 'av1' | 'vp8' | 'vp9' | 'h263' | 'vp6'>;
export type FlvAudioCodec = Exclude<AudioCodec, 'g722' | 'g726' | 'l16'>;

export interface FlvVideoTag {
  readonly kind: 'video';
  readonly trackId: number;
  readonly codec: FlvVideoCodec;
  readonly type: 'config' | 'frame' | 'end';
  readonly isKey: boolean;
  /** Signed 24 bits: presentation minus decoding time. */
  readonly compositionMs: number;
  /** Below the millisecond of the timestamp, by ModEx. */
  readonly offsetNs: number;
  /** Of H264 and H265: avcC or hvcC, and NAL units behind their lengths. */
  readonly payload: Buffer;
}

export interface FlvAudioTag {
  readonly kind: 'audio';
  readonly trackId: number;
  readonly codec: FlvAudioCodec;
  readonly type: 'config' | 'frame' | 'end';
  /** From the legacy header; with fourcc, and for AAC and Opus anyway, the configuration says it. */
  readonly sampleRateHz: number | undefined;
  readonly channels: number | undefined;
  readonly offsetNs: number;
  readonly payload: Buffer;
}

const videoByFourCc: Readonly<Record<string, FlvVideoCodec>> = {
  avc1: 'h264',
  hvc1: 'h265',
  av01: 'av1',
  vp09: 'vp9',
  vp08: 'vp8',
};
const audioByFourCc: Readonly<Record<string, FlvAudioCodec>> = {
  mp4a: 'aac',
  '.mp3': 'mp3',
  Opus: 'opus',
  fLaC: 'flac',
  'ac-3': 'ac3',
  'ec-3': 'eac3',
};
/** E.4.3.1; 12 is not in it, but it is what HEVC encoders used before the enhanced form. */
const videoByCodecId: Readonly<Record<number, FlvVideoCodec>> = { 2: 'h263', 4: 'vp6', 7: 'h264', 12: 'h265' };
/** E.4.2.1. */
const audioBySoundFormat: Readonly<Record<number, FlvAudioCodec>> = {
  2: 'mp3',
  4: 'nellymoser',
  5: 'nellymoser',
  6: 'nellymoser',
  7: 'pcma',
  8: 'pcmu',
  10: 'aac',
  11: 'speex',
  14: 'mp3',
};
const soundRatesHz = [5_512, 11_025, 22_050, 44_100] as const;

const videoPacket = {
  sequenceStart: 0,
  codedFrames: 1,
  sequenceEnd: 2,
  codedFramesX: 3,
  metadata: 4,
  multitrack: 6,
  modEx: 7,
} as const;
const audioPacket = {
  sequenceStart: 0,
  codedFrames: 1,
  sequenceEnd: 2,
  channelConfig: 4,
  multitrack: 5,
  modEx: 7,
} as const;
const multitrackType = { oneTrack: 0, manyTracks: 1, manyTracksManyCodecs: 2 } as const;
const timestampOffsetNano = 0;

/**
 * @returns what the body holds: one tag, several of a multitrack body, none of what is no picture (seek commands,
 *   colour metadata, unknown packet types)
 * @throws GatewayError `invalid_request` for a truncated body, `unsupported_media_type` for a codec nobody knows
 */
export function parseVideoTag(body: Buffer): FlvVideoTag[] {
  const cursor = new Cursor(body);
  const head = cursor.uint8();
  if ((head & 0x80) !== 0) return parseEnhancedVideo(head, cursor);
  const frameType = head >> 4;
  if (frameType === 5) return []; // a seek command of the server, not a picture
  const codec = videoByCodecId[head & 0x0f];
  if (!codec) throw unknownCodec('video', String(head & 0x0f));
  const isKey = frameType === 1 || frameType === 4;
  const common = { kind: 'video', trackId: 0, codec, offsetNs: 0 } as const;
  if (codec !== 'h264' && codec !== 'h265') {
    return [{ ...common, type: 'frame', isKey, compositionMs: 0, payload: cursor.rest() }];
  }
  const packetType = cursor.uint8();
  const compositionMs = cursor.int24();
  if (packetType > 2) return [];
  const type = (['config', 'frame', 'end'] as const)[packetType] as FlvVideoTag['type'];
  return [{ ...common, type, isKey, compositionMs, payload: cursor.rest() }];
}

/** As `parseVideoTag`, for audio. */
export function parseAudioTag(body: Buffer): FlvAudioTag[] {
  const cursor = new Cursor(body);
  const head = cursor.uint8();
  const soundFormat = head >> 4;
  if (soundFormat === 9) return parseEnhancedAudio(head, cursor);
  const codec = audioBySoundFormat[soundFormat]; // linear PCM is not among them: no encoder sends it
  if (!codec) throw unknownCodec('audio', String(soundFormat));
  const type = codec === 'aac' && cursor.uint8() === 0 ? 'config' : 'frame';
  const sampleRateHz = codec === 'aac' ? undefined : legacySampleRateHz(soundFormat, codec, head);
  const isMono = (head & 0x01) === 0 || codec === 'nellymoser' || codec === 'speex';
  // AAC always says stereo there; only its configuration is to be believed (E.4.2.1).
  const channels = codec === 'aac' ? undefined : isMono ? 1 : 2;
  return [{ kind: 'audio', trackId: 0, codec, type, sampleRateHz, channels, offsetNs: 0, payload: cursor.rest() }];
}

function legacySampleRateHz(soundFormat: number, codec: FlvAudioCodec, head: number): number {
  if (soundFormat === 4 || codec === 'speex') return 16_000;
  if (soundFormat === 5 || soundFormat === 14 || codec === 'pcma' || codec === 'pcmu') return 8_000;
  return soundRatesHz[(head >> 2) & 0x03] as number;
}

function parseEnhancedVideo(head: number, cursor: Cursor): FlvVideoTag[] {
  const frameType = (head >> 4) & 0x07;
  const { packetType, offsetNs } = skipModEx(head & 0x0f, videoPacket.modEx, cursor);
  if (packetType !== videoPacket.metadata && frameType === 5) return [];
  const isKey = frameType === 1 || frameType === 4;
  return splitTracks(packetType, videoPacket.multitrack, cursor).flatMap(
    ({ packetType, fourCc, trackId, body }): FlvVideoTag[] => {
      const codec = videoByFourCc[fourCc];
      if (!codec) throw unknownCodec('video', fourCc);
      const common = { kind: 'video', trackId, codec, isKey, offsetNs, compositionMs: 0 } as const;
      switch (packetType) {
        case videoPacket.sequenceStart:
          return [{ ...common, type: 'config', payload: body.rest() }];
        case videoPacket.codedFrames: {
          const compositionMs = codec === 'h264' || codec === 'h265' ? body.int24() : 0;
          return [{ ...common, type: 'frame', compositionMs, payload: body.rest() }];
        }
        case videoPacket.codedFramesX:
          return [{ ...common, type: 'frame', payload: body.rest() }];
        case videoPacket.sequenceEnd:
          return [{ ...common, type: 'end', payload: body.rest() }];
        default:
          return []; // colour metadata, MPEG-2 TS sequence start
      }
    },
  );
}

function parseEnhancedAudio(head: number, cursor: Cursor): FlvAudioTag[] {
  const { packetType, offsetNs } = skipModEx(head & 0x0f, audioPacket.modEx, cursor);
  return splitTracks(packetType, audioPacket.multitrack, cursor).flatMap(
    ({ packetType, fourCc, trackId, body }): FlvAudioTag[] => {
      const codec = audioByFourCc[fourCc];
      if (!codec) throw unknownCodec('audio', fourCc);
      const type = {
        [audioPacket.sequenceStart]: 'config',
        [audioPacket.codedFrames]: 'frame',
        [audioPacket.sequenceEnd]: 'end',
      }[packetType] as FlvAudioTag['type'] | undefined;
      if (!type) return []; // channel layout: the configuration has it as well
      const payload = body.rest();
      return [{ kind: 'audio', trackId, codec, type, sampleRateHz: undefined, channels: undefined, offsetNs, payload }];
    },
  );
}

/** ModEx packets stand before the real packet type and say something about it; what we do not know is passed over. */
function skipModEx(packetType: number, modEx: number, cursor: Cursor): { packetType: number; offsetNs: number } {
  let offsetNs = 0;
  let type = packetType;
  while (type === modEx) {
    let length = cursor.uint8() + 1;
    if (length === 256) length = cursor.uint16() + 1;
    const data = cursor.take(length);
    const next = cursor.uint8();
    if (next >> 4 === timestampOffsetNano && data.length >= 3) offsetNs = Math.min(data.readUIntBE(0, 3), 999_999);
    type = next & 0x0f;
  }
  return { packetType: type, offsetNs };
}

interface TrackBody {
  readonly packetType: number;
  readonly fourCc: string;
  readonly trackId: number;
  readonly body: Cursor;
}

function splitTracks(packetType: number, multitrack: number, cursor: Cursor): TrackBody[] {
  if (packetType !== multitrack) return [{ packetType, fourCc: cursor.fourCc(), trackId: 0, body: cursor }];
  const head = cursor.uint8();
  const kind = head >> 4;
  const inner = head & 0x0f;
  if (kind > multitrackType.manyTracksManyCodecs || inner === multitrack) return [];
  const sharedFourCc = kind === multitrackType.manyTracksManyCodecs ? undefined : cursor.fourCc();
  const tracks: TrackBody[] = [];
  while (!cursor.isAtEnd) {
    const fourCc = sharedFourCc ?? cursor.fourCc();
    const trackId = cursor.uint8();
    const bytes = kind === multitrackType.oneTrack ? cursor.rest() : cursor.take(cursor.uint24());
    tracks.push({ packetType: inner, fourCc, trackId, body: new Cursor(bytes) });
  }
  return tracks;
}

class Cursor {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  uint8(): number {
    return this.take(1).readUInt8();
  }

  uint16(): number {
    return this.take(2).readUInt16BE();
  }

  uint24(): number {
    return this.take(3).readUIntBE(0, 3);
  }

  int24(): number {
    return this.take(3).readIntBE(0, 3);
  }

  fourCc(): string {
    return this.take(4).toString('latin1');
  }

  take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new GatewayError('invalid_request', 'A truncated FLV tag.');
    const taken = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return taken;
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#offset);
  }
}

function unknownCodec(kind: string, id: string): GatewayError {
  const shown = JSON.stringify(id.slice(0, 8));
  return new GatewayError('unsupported_media_type', `The FLV ${kind} codec ${shown} is not one that we know.`);
}

const fourCcOfVideo = invert(videoByFourCc);
const fourCcOfAudio = invert(audioByFourCc);

function invert<V extends string>(table: Readonly<Record<string, V>>): ReadonlyMap<V, string> {
  return new Map(Object.entries(table).map(([fourCc, codec]) => [codec, fourCc]));
}

/** The fourcc by which Enhanced RTMP knows a codec; undefined for legacy ones. */
export function fourCcOf(codec: VideoCodec | AudioCodec): string | undefined {
  return fourCcOfVideo.get(codec as FlvVideoCodec) ?? fourCcOfAudio.get(codec as FlvAudioCodec);
}

/**
 * The body for one video tag: H264 in the legacy form that every server knows, the rest enhanced.
 * @throws GatewayError `unsupported_media_type` for a codec that has no such form
 */
export function buildVideoTag(
  tag: Pick<FlvVideoTag, 'codec' | 'type' | 'isKey' | 'compositionMs' | 'payload'>,
): Buffer[] {
  const frameType = tag.isKey || tag.type !== 'frame' ? 1 : 2;
  if (tag.codec === 'h264') {
    const head = Buffer.allocUnsafe(5);
    head.writeUInt8((frameType << 4) | 7);
    head.writeUInt8({ config: 0, frame: 1, end: 2 }[tag.type], 1);
    head.writeIntBE(tag.type === 'frame' ? tag.compositionMs : 0, 2, 3);
    return [head, tag.payload];
  }
  const fourCc = fourCcOfVideo.get(tag.codec);
  if (!fourCc) throw unknownCodec('video', tag.codec);
  const hasComposition = tag.type === 'frame' && tag.codec === 'h265' && tag.compositionMs !== 0;
  const frame = hasComposition
    ? videoPacket.codedFrames
    : tag.codec === 'h265'
      ? videoPacket.codedFramesX
      : videoPacket.codedFrames;
  const packetType = { config: videoPacket.sequenceStart, frame, end: videoPacket.sequenceEnd }[tag.type];
  const head = Buffer.allocUnsafe(hasComposition ? 8 : 5);
  head.writeUInt8(0x80 | (frameType << 4) | packetType);
  head.write(fourCc, 1, 'latin1');
  if (hasComposition) head.writeIntBE(tag.compositionMs, 5, 3);
  return [head, tag.payload];
}

/** The body for one audio tag: AAC and MP3 in the legacy form, Opus and the rest enhanced. */
export function buildAudioTag(tag: Pick<FlvAudioTag, 'codec' | 'type' | 'payload'>): Buffer[] {
  // AAC always says 44.1 kHz stereo there; receivers read the configuration (E.4.2.1).
  if (tag.codec === 'aac') return [Buffer.of(0xaf, tag.type === 'config' ? 0 : 1), tag.payload];
  if (tag.codec === 'mp3') return [Buffer.of(0x2f), tag.payload];
  if (tag.codec === 'pcma' || tag.codec === 'pcmu') return [Buffer.of(tag.codec === 'pcma' ? 0x72 : 0x82), tag.payload];
  const fourCc = fourCcOfAudio.get(tag.codec);
  if (!fourCc) throw unknownCodec('audio', tag.codec);
  const packetType = {
    config: audioPacket.sequenceStart,
    frame: audioPacket.codedFrames,
    end: audioPacket.sequenceEnd,
  }[tag.type];
  return [Buffer.concat([Buffer.of(0x90 | packetType), Buffer.from(fourCc, 'latin1')]), tag.payload];
}
