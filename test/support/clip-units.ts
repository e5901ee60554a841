// Owns: what ffmpeg encodes, taken apart again into units as an egress job hands them over.
import { BufferSource, EncodedPacketSink, Input, MATROSKA, MP4 } from 'mediabunny';
import type { EgressCodec, EgressStream, EgressUnit } from '#media/egress/sink.ts';
import { splitLengthPrefixed, toAnnexB } from '#media/rtp/h264.ts';

export interface ClipUnits {
  readonly streams: readonly EgressStream[];
  /** In the order of their times. */
  readonly units: readonly EgressUnit[];
}

const codecNames: Readonly<Record<string, EgressCodec>> = {
  ...{ avc: 'h264', hevc: 'h265', vp9: 'vp9', av1: 'av1', aac: 'aac', opus: 'opus' },
};

/** @param clip MP4 or Matroska */
export async function readClip(clip: Uint8Array): Promise<ClipUnits> {
  const input = new Input({ source: new BufferSource(clip), formats: [MP4, MATROSKA] });
  const streams: EgressStream[] = [];
  const units: EgressUnit[] = [];
  for (const track of await input.getTracks()) {
    const codec = codecNames[(await track.getCodec()) ?? ''];
    if (!codec) continue;
    const config = await describe(track, codec);
    streams.push(config);
    const sink = new EncodedPacketSink(track as never);
    let dtsUs = Number.NEGATIVE_INFINITY;
    let durationUs = 0;
    for (let packet = await sink.getFirstPacket(); packet; packet = await sink.getNextPacket(packet)) {
      const ptsUs = Math.round(packet.timestamp * 1e6);
      // Matroska does not say it at the end of a cluster.
      durationUs = Math.round(packet.duration * 1e6) || durationUs;
      // In decoding order: without B-frames both are the same.
      dtsUs = Math.max(dtsUs + 1, ptsUs);
      const nals = codec === 'h264' || codec === 'h265' ? splitLengthPrefixed(packet.data, 4) : undefined;
      const data = nals ? toAnnexB(nals) : packet.data;
      units.push({ kind: config.kind, ptsUs, dtsUs, durationUs, isKey: packet.type === 'key', data });
    }
  }
  return { streams, units: units.toSorted((a, b) => a.dtsUs - b.dtsUs) };
}

type Track = Awaited<ReturnType<Input['getTracks']>>[number];

async function describe(track: Track, codec: EgressCodec): Promise<EgressStream> {
  if (track.isVideoTrack()) {
    const config = await track.getDecoderConfig();
    // VP9 and AV1 bring their configuration in their key pictures.
    const isInBand = codec === 'vp9' || codec === 'av1';
    return {
      ...{ kind: 'video', codec, width: config?.codedWidth, height: config?.codedHeight },
      ...(!isInBand && { config: bytesOf(config?.description) }),
    };
  }
  if (!track.isAudioTrack()) throw new Error('neither picture nor sound');
  const config = await track.getDecoderConfig();
  return {
    ...{ kind: 'audio', codec, config: bytesOf(config?.description) },
    ...{ sampleRateHz: config?.sampleRate, channels: config?.numberOfChannels },
  };
}

function bytesOf(source: ArrayBufferView | ArrayBufferLike | undefined): Uint8Array | undefined {
  if (source === undefined) return undefined;
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
}
