// Owns: telling an encoder what of a picture is as it was in the last one (AVVideoHint, libavutil/video_hint.h): x264 passes over
// such macroblocks without looking at them, unless it could show them better than it did.
import { AV_FRAME_DATA_VIDEO_HINT, AV_VIDEO_HINT_TYPE_CHANGED } from 'node-av/constants';
import type { av } from './library.ts';

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** `size_t nb_rects, rect_offset, rect_size; enum type`, padded. */
const headerBytes = 32;
/** `uint32_t x, y, width, height`. */
const rectangleBytes = 16;

/** @param changed all else is as in the picture that the encoder got before this one */
export function withVideoHint<T>(frame: av.Frame, changed: readonly Box[], use: () => T): T {
  const hint = frame.newSideData(AV_FRAME_DATA_VIDEO_HINT, headerBytes + changed.length * rectangleBytes);
  hint.fill(0);
  hint.writeBigUInt64LE(BigInt(changed.length), 0);
  hint.writeBigUInt64LE(BigInt(headerBytes), 8);
  hint.writeBigUInt64LE(BigInt(rectangleBytes), 16);
  hint.writeInt32LE(AV_VIDEO_HINT_TYPE_CHANGED, 24);
  changed.forEach(({ x, y, width, height }, index) => {
    const at = headerBytes + index * rectangleBytes;
    for (const [field, value] of [x, y, width, height].entries()) hint.writeUInt32LE(value, at + field * 4);
  });
  try {
    return use();
  } finally {
    frame.removeSideData(AV_FRAME_DATA_VIDEO_HINT);
  }
}
