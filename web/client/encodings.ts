// Owns: how video is encoded for the room: layers, bitrates, codec. Pure.
import type { PublicationInfo } from '#signalling/protocol.ts';

export type VideoCodec = 'vp8' | 'vp9' | 'h264' | 'av1';
type Source = PublicationInfo['source'];

/** The part of RTCRtpEncodingParameters that is set here, lowest layer first. */
export interface VideoEncoding {
  readonly scaleResolutionDownBy?: number;
  /** bit/s. */
  readonly maxBitrate: number;
  /** Frames per second. */
  readonly maxFramerate?: number;
  readonly scalabilityMode?: string;
}

export interface VideoEncodingOptions {
  readonly source: Source;
  readonly codec: VideoCodec;
  /** Height of what is captured, pixels. */
  readonly heightPx: number;
  readonly hasSimulcast: boolean;
}

/** bit/s for camera video of that height; about what a call's picture needs at 30 frames per second in VP8. */
function cameraBitrateBps(heightPx: number): number {
  if (heightPx >= 1080) return 3_000_000;
  if (heightPx >= 720) return 1_700_000;
  if (heightPx >= 480) return 900_000;
  if (heightPx >= 360) return 600_000;
  if (heightPx >= 240) return 300_000;
  return 150_000;
}

const screenBitrateBps = 2_500_000;

/**
 * VP8 and H264 carry their layers in several streams (simulcast), VP9 in one (SVC), AV1 only temporal ones: mediasoup
 * 3.27 takes no simulcast of it, and sends no dependency descriptors, without which browsers decode no spatial layers.
 * A screen keeps its resolution and its temporal layers; its second, half-size stream is for thumbnails and phones.
 */
export function videoEncodings(options: VideoEncodingOptions): VideoEncoding[] {
  const { source, codec, heightPx, hasSimulcast } = options;
  const isScreen = source === 'screen';
  const fullBps = isScreen ? screenBitrateBps : cameraBitrateBps(heightPx);
  if (codec === 'vp9' || codec === 'av1') {
    // Better codecs need about three quarters of the bits for the same picture.
    const maxBitrate = Math.round(fullBps * 0.75);
    const hasLayers = codec === 'vp9' && hasSimulcast && !isScreen;
    return [{ maxBitrate, scalabilityMode: hasLayers ? 'L3T3_KEY' : 'L1T3' }];
  }
  if (!hasSimulcast) return [{ maxBitrate: fullBps }];
  if (isScreen) {
    return [
      { scaleResolutionDownBy: 2, maxBitrate: 350_000, maxFramerate: 10, scalabilityMode: 'L1T3' },
      { scaleResolutionDownBy: 1, maxBitrate: fullBps, scalabilityMode: 'L1T3' },
    ];
  }
  return [4, 2, 1].map((scale) => ({
    scaleResolutionDownBy: scale,
    maxBitrate: cameraBitrateBps(heightPx / scale),
    scalabilityMode: 'L1T3',
  }));
}

/**
 * The lowest layer that still fills a tile, each layer being half as high as the next.
 * @param layerCount spatial layers of the publication
 * @param tilePx height of the tile in device pixels
 * @param fullPx height of the top layer, pixels
 * @returns 0 for the lowest
 */
export function spatialLayerFor(layerCount: number, tilePx: number, fullPx = 720): number {
  // A tile may be a quarter higher than its picture before anybody sees the difference.
  const neededPx = tilePx * 0.8;
  for (let layer = 0; layer < layerCount - 1; layer++) {
    if (fullPx / 2 ** (layerCount - 1 - layer) >= neededPx) return layer;
  }
  return Math.max(0, layerCount - 1);
}

/** Spatial layers in `L3T3_KEY` and its like (W3C webrtc-svc §5); 1 when there is no mode. */
export function spatialLayersOf(scalabilityMode: string | undefined): number {
  const match = /^[LS]([1-9])T[1-9]/.exec(scalabilityMode ?? '');
  return match ? Number(match[1]) : 1;
}

/** Which of the router's codecs a name means. */
export function matchesCodec(mimeType: string, codec: VideoCodec): boolean {
  return mimeType.toLowerCase() === `video/${codec}`;
}
