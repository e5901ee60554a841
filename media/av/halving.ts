// Owns: halving pictures by media/native/halve.c, where it is compiled; swscale does it otherwise, at ten times the price.
import { nativeAddon } from '../native/addons.ts';

interface HalveAddon {
  halve(from: Uint8Array, fromStride: number, to: Uint8Array, toStride: number, width: number, height: number): number;
}

const addon = nativeAddon<HalveAddon>('halve');

export interface Planes {
  readonly planes: readonly Uint8Array[];
  readonly strides: readonly number[];
}

/** Whether there is a cheaper way than swscale's. */
export const canHalve = addon !== undefined;

/**
 * I420, from the beginning of each plane.
 * @param width even, of what is made, as is the height
 * @returns false where it was not done: not compiled here, or the planes hold less than that
 */
export function halve(from: Planes, to: Planes, width: number, height: number): boolean {
  if (!addon) return false;
  for (let index = 0; index < 3; index++) {
    const [source, target] = [from.planes[index], to.planes[index]];
    const [sourceStride = 0, targetStride = 0] = [from.strides[index], to.strides[index]];
    const shift = index === 0 ? 0 : 1;
    if (!source || !target) return false;
    if (addon.halve(source, sourceStride, target, targetStride, width >> shift, height >> shift) < 0) return false;
  }
  return true;
}
