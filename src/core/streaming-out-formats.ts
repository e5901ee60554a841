// Owns: what a streaming-out asks of the room's media, and of the encoder that makes it anew in another codec. Pure. May import:
// core only.
import { defaultBitrateBps } from './default-bitrate.ts';
import type { RecodeSpec } from './egress-messages.ts';
import type { EgressWishes } from './egress-source.ts';
import type { StreamingOutSettings, StreamingOutVideo } from './streaming-out.ts';
import { codecFactors, commonView, encoderRequestFor, type ViewVideo } from './view-settings.ts';

/** What is made anew in another codec is H264 before, with so much more to spend that it is not seen twice. */
const recodedBitrateFactor = 1.5;

export function wishesOf({
  hasAudio,
  hasVideo,
  video: { codec = 'h264', ...video },
}: StreamingOutSettings): EgressWishes {
  const { bitrateBps } = video;
  const isRecoded = codec !== 'h264' && bitrateBps !== undefined;
  const request = isRecoded ? { ...video, bitrateBps: Math.round(bitrateBps * recodedBitrateFactor) } : video;
  return { audio: hasAudio, video: hasVideo ? 'encoded' : 'off', request: { codec: 'h264', ...request } };
}

/** @param source what the pictures are when nothing is asked for. @returns undefined where H264 goes out */
export function recodeSpecOf(wanted: StreamingOutVideo, source: ViewVideo): RecodeSpec | undefined {
  const { codec = 'h264' } = wanted;
  if (codec === 'h264') return undefined;
  const { width, height, framerateHz } = encoderRequestFor(
    { ...commonView, video: source },
    { ...wanted, codec: 'h264' },
  );
  const usualBps = defaultBitrateBps(width, height, framerateHz) * codecFactors[codec];
  return { codec, framerateHz, bitrateBps: Math.round(wanted.bitrateBps ?? usualBps) };
}
