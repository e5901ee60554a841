// Owns: whether a stream can go into a room as it is, and if not, why. Pure.
import type { IngressJobSpec, StreamVerdict } from '#core/job.ts';
import type { AudioCodec, SourceStream, VideoCodec } from '#core/media-source.ts';

/** What is known of a stream's bitstream so far; undefined is not known (yet). */
export interface BitstreamFacts {
  /** H.264 profile_idc. */
  readonly profileIdc?: number | undefined;
  readonly chromaFormat?: number | undefined;
  readonly bitDepth?: number | undefined;
  readonly isInterlaced?: boolean | undefined;
  /** From the parameter set, or seen in slices or time stamps. */
  readonly hasBFrames?: boolean | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** Observed time between key frames. */
  readonly keyFrameIntervalMs?: number | undefined;
  readonly sizeChanges?: number | undefined;
  readonly hasInBandParameterSets?: boolean | undefined;
}

/**
 * Codecs that a room takes as RTP payloads, by whether access units can be packetised here too. AV1 is not among them:
 * without the dependency descriptor, which cameras and RTMP do not have, the SFU never sees a key frame in it.
 */
const forwardableVideo: ReadonlySet<VideoCodec> = new Set(['h264', 'vp8', 'vp9']);
const packetisableVideo: ReadonlySet<VideoCodec> = new Set(['h264', 'vp8']);
const forwardableAudio: ReadonlySet<AudioCodec> = new Set(['opus', 'pcmu', 'pcma', 'g722']);

/** H.264 profile_idc that every browser decodes. */
const playableProfiles: Readonly<Record<number, string>> = { 66: 'Baseline', 77: 'Main', 100: 'High' };

const longGopMs = 4_000;

/** @param wish what the job asks of the stream's kind and codec */
export function judge(stream: SourceStream, facts: BitstreamFacts, spec: IngressJobSpec): StreamVerdict {
  const base = { streamId: stream.id, kind: stream.kind, from: stream.codec };
  if (spec[stream.kind] === 'off') {
    return { ...base, to: undefined, action: 'drop', reasons: [`${stream.kind} is not wanted`] };
  }
  return stream.kind === 'video' ? judgeVideo(stream, facts, spec, base) : judgeAudio(stream, base);
}

type VerdictBase = Pick<StreamVerdict, 'streamId' | 'kind' | 'from'>;

function judgeVideo(
  stream: SourceStream,
  facts: BitstreamFacts,
  spec: IngressJobSpec,
  base: VerdictBase,
): StreamVerdict {
  const codec = stream.codec as VideoCodec;
  const obstacles = [...codecObstacles(codec, stream, spec), ...(codec === 'h264' ? h264Obstacles(facts) : [])];
  const remarks = remarksOn(facts, obstacles.length > 0);
  if (obstacles.length > 0) {
    const to = spec.videoCodec === 'vp8' ? 'vp8' : 'h264';
    return { ...base, to, action: 'transcode', reasons: [...obstacles, ...remarks] };
  }
  return { ...base, to: codec, action: 'forward', reasons: [whyForwarded(codec, facts), ...remarks] };
}

function codecObstacles(codec: VideoCodec, stream: SourceStream, spec: IngressJobSpec): string[] {
  if (spec.videoCodec !== 'auto' && spec.videoCodec !== codec) return [`${spec.videoCodec} was asked for`];
  if (!forwardableVideo.has(codec)) return [`browsers do not take ${codec} by WebRTC`];
  if (stream.framing.kind !== 'rtp' && !packetisableVideo.has(codec)) {
    return [`${codec} is forwarded only from RTP sources`];
  }
  return [];
}

function h264Obstacles(facts: BitstreamFacts): string[] {
  const obstacles: string[] = [];
  if (facts.hasBFrames) obstacles.push('B-frames: WebRTC has no way to say in which order to show them');
  if (facts.chromaFormat !== undefined && facts.chromaFormat !== 1) {
    obstacles.push(`chroma ${['4:0:0', '4:2:0', '4:2:2', '4:4:4'][facts.chromaFormat] ?? '?'}; browsers take 4:2:0`);
  }
  if (facts.bitDepth !== undefined && facts.bitDepth !== 8) obstacles.push(`${facts.bitDepth} bit; browsers take 8`);
  if (facts.isInterlaced) obstacles.push('interlaced');
  if (facts.profileIdc !== undefined && !playableProfiles[facts.profileIdc]) {
    obstacles.push(`H264 profile ${facts.profileIdc}; browsers take Baseline, Main and High`);
  }
  return obstacles;
}

function whyForwarded(codec: VideoCodec, facts: BitstreamFacts): string {
  if (codec !== 'h264') return `${codec} as it is`;
  const profile = facts.profileIdc === undefined ? 'H264' : `H264 ${playableProfiles[facts.profileIdc] ?? ''}`.trim();
  const sets = facts.hasInBandParameterSets === false ? ', parameter sets put before each key frame' : '';
  return `${profile} without B-frames as it is${sets}`;
}

/** True, but no obstacle. */
function remarksOn(facts: BitstreamFacts, isTranscoded: boolean): string[] {
  const remarks: string[] = [];
  const { keyFrameIntervalMs, sizeChanges } = facts;
  if (!isTranscoded && keyFrameIntervalMs !== undefined && keyFrameIntervalMs > longGopMs) {
    const seconds = (keyFrameIntervalMs / 1_000).toFixed(1);
    remarks.push(`a key frame only every ${seconds} s: who joins may wait for it; set 1-2 s at the source`);
  }
  if (sizeChanges) remarks.push(`picture size changed ${sizeChanges} times`);
  return remarks;
}

function judgeAudio(stream: SourceStream, base: VerdictBase): StreamVerdict {
  const codec = stream.codec as AudioCodec;
  if (!forwardableAudio.has(codec)) {
    return { ...base, to: 'opus', action: 'transcode', reasons: [`browsers do not take ${codec} by WebRTC`] };
  }
  const rateHz = stream.rtp?.clockRateHz ?? stream.sampleRateHz;
  if ((codec === 'pcmu' || codec === 'pcma') && (rateHz !== 8_000 || (stream.channels ?? 1) !== 1)) {
    return {
      ...base,
      to: 'opus',
      action: 'transcode',
      reasons: [`${codec} at ${rateHz} Hz; WebRTC has it at 8000, mono`],
    };
  }
  return { ...base, to: codec, action: 'forward', reasons: [`${codec} as it is`] };
}
