// Owns: bringing I420 into other I420 of the same size or half of it, or turned, by media/native/planes.c, where that is compiled and finds
// FFmpeg's frames in node-av's; swscale does it otherwise, halving at ten times the price.
import { nativeAddon } from '../native/addons.ts';
import type { av } from './library.ts';
import { Picture } from './picture.ts';
import type { Box } from './video-hint.ts';

type NativeFrame = ReturnType<av.Frame['getNative']>;

interface PlanesAddon {
  find(frame: NativeFrame, luma: Uint8Array, numbers: Int32Array): number;
  place(from: NativeFrame, to: NativeFrame, numbers: Int32Array): number;
  turn(from: NativeFrame, to: NativeFrame, numbers: Int32Array): number;
}

/** For each call: what it says is read before it returns. */
const numbers = new Int32Array(7);
const addon = open();

/** Whether there is a cheaper way than swscale's. */
export const canPlace = addon !== undefined;

/**
 * @param source where it lies in `from`; all is even
 * @param target where it goes in `to`: of the size of the source, or of half of it in both directions
 * @returns false where it was not done: no such way here, not I420, of another size, or not inside of them
 */
export function place(from: { readonly native: av.Frame }, source: Box, to: Picture, target: Box): boolean {
  const isHalf = source.width === 2 * target.width && source.height === 2 * target.height;
  const isSame = source.width === target.width && source.height === target.height;
  if (!addon || !(isHalf || isSame)) return false;
  numbers[0] = source.x;
  numbers[1] = source.y;
  numbers[2] = target.x;
  numbers[3] = target.y;
  numbers[4] = target.width;
  numbers[5] = target.height;
  numbers[6] = isHalf ? 1 : 0;
  return addon.place(from.native.getNative(), to.native.getNative(), numbers) === 0;
}

/**
 * @param from all of it, clockwise by so many degrees
 * @param target where it goes in `to`: of its size when it is turned; all is even
 * @returns false where it was not done: no such way here, not I420, of another size, or not inside
 */
export function turn(from: Picture, degrees: 90 | 180 | 270, to: Picture, target: Box): boolean {
  if (!addon) return false;
  numbers[0] = target.x;
  numbers[1] = target.y;
  numbers[2] = target.width;
  numbers[3] = target.height;
  numbers[4] = degrees;
  return addon.turn(from.native.getNative(), to.native.getNative(), numbers) === 0;
}

/** @returns undefined where it is not compiled, or knows nothing of the frames of this node-av */
function open(): PlanesAddon | undefined {
  const opened = nativeAddon<PlanesAddon>('planes');
  using known = Picture.blank(48, 34);
  const [luma] = known.planes;
  const facts = Int32Array.of(known.strides[0] ?? 0, known.width, known.height, known.format);
  return opened && luma && opened.find(known.native.getNative(), luma, facts) === 0 ? opened : undefined;
}
