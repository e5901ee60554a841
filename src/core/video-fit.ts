// Owns: which size, rate and bitrate of a view a video phone gets. Pure. May import: core only.
import { defaultBitrateBps } from './default-bitrate.ts';
import type { VideoLegFormat, VideoLimits } from './video-leg-media.ts';
import { codecFactors, type ViewRequest, type ViewVideo } from './view-settings.ts';

/** Parts of the view's height that are tried, the largest first. */
const parts = [1, 3 / 4, 2 / 3, 1 / 2, 3 / 8, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 8];
/** Fewer pictures a second are worse than smaller ones. */
const fewestFramesHz = 15;
/** A picture that gets less than this of its usual bitrate is made smaller instead. */
const leastShare = 0.5;
/** Less than the view's encoders take, or a phone could show. */
const leastBitrateBps = 32_000;
/** Leaves room for IP, UDP, SRTP and header extensions on any path that carries 1280 bytes, as other packets do. */
const singleUnitBytes = 1_180;

/** @returns what is asked of the view's encoders: equal phones get equal ones, and share them */
export function viewRequestFor(
  video: ViewVideo,
  { codec, packetizationMode }: Pick<VideoLegFormat, 'codec' | 'packetizationMode'>,
  limits: VideoLimits,
): ViewRequest {
  const common = {
    codec,
    profile: 'baseline' as const,
    ...(packetizationMode === 0 && { sliceMaxBytes: singleUnitBytes }),
  };
  let smallest: ViewRequest = common;
  for (const part of parts) {
    const size = sizeOf(video, part);
    const blocks = Math.ceil(size.width / 16) * Math.ceil(size.height / 16);
    const possibleHz = Math.floor(limits.maxMacroblocksPerS / blocks);
    const framerateHz = Math.max(1, Math.min(video.framerateHz, limits.maxFramerateHz ?? 60, possibleHz));
    const usualBps = defaultBitrateBps(size.width, size.height, framerateHz) * codecFactors[codec] * video.motionFactor;
    const bitrateBps = Math.max(leastBitrateBps, Math.round(Math.min(usualBps, limits.maxBitrateBps)));
    smallest = { ...common, ...size, framerateHz, bitrateBps };
    const isFitting =
      blocks <= limits.maxMacroblocks &&
      size.width <= (limits.maxWidth ?? Number.POSITIVE_INFINITY) &&
      size.height <= (limits.maxHeight ?? Number.POSITIVE_INFINITY) &&
      framerateHz >= Math.min(fewestFramesHz, video.framerateHz, limits.maxFramerateHz ?? 60) &&
      bitrateBps >= usualBps * leastShare;
    if (isFitting) return smallest;
  }
  return smallest;
}

function sizeOf({ width, height }: ViewVideo, part: number): { width: number; height: number } {
  const even = (side: number) => Math.max(16, Math.round((side * part) / 2) * 2);
  return { width: even(width), height: even(height) };
}
