// Owns: the picture that a view is painted on: fills, scaled pictures, tiles. swscale and the planes check nothing: every
// rectangle is checked here.
import { AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, SWS_FAST_BILINEAR } from 'node-av/constants';
import type { HeldPicture } from './held-picture.ts';
import { AvError, assertOk, av, NativeOwner } from './library.ts';
import { isPictureSide, Picture } from './picture.ts';
import { canPlace, place, turn } from './planes.ts';
import type { Box } from './video-hint.ts';

export interface Yuv {
  readonly y: number;
  readonly u: number;
  readonly v: number;
}

/** Something drawn once and laid over the canvas often: `canvas * keep / 256 + add`, chroma at half size. */
export interface Tile {
  /** Even, as is the height. */
  readonly width: number;
  readonly height: number;
  readonly keep: Uint16Array;
  readonly addY: Uint8Array;
  readonly keepChroma: Uint16Array;
  readonly addU: Uint8Array;
  readonly addV: Uint8Array;
}

/** Degrees clockwise by which a picture must be turned to stand upright, as CVO says. */
export type Rotation = 0 | 90 | 180 | 270;

/** What lies still for as long as it is painted from. */
type Paintable = Picture | HeldPicture;

export class Canvas implements Disposable {
  readonly picture: Picture;
  readonly width: number;
  readonly height: number;

  constructor(width: number, height: number) {
    if (width % 2 || height % 2) throw new AvError('canvas', 0, `${width}x${height} is not even`);
    this.picture = Picture.blank(width, height);
    this.width = width;
    this.height = height;
  }

  /** Before painting: an encoder may hold what was painted before. */
  open(): void {
    this.picture.makeWritable();
  }

  fill(box: Box, color: Yuv): void {
    this.assertInside(box);
    const { planes, strides } = this.picture;
    [color.y, color.u, color.v].forEach((value, index) => {
      const plane = planes[index];
      const stride = strides[index] ?? 0;
      if (!plane) return;
      const { x, y, width, height } = index === 0 ? box : halved(box);
      for (let row = y; row < y + height; row++) plane.fill(value, row * stride + x, row * stride + x + width);
    });
  }

  /** Lays a tile over it; what reaches beyond `clip` is cut off. */
  blend(tile: Tile, x: number, y: number, clip: Box): void {
    this.assertInside(clip);
    const { planes, strides } = this.picture;
    const [planeY, planeU, planeV] = planes;
    if (!planeY || !planeU || !planeV) return;
    const width = Math.min(tile.width, clip.x + clip.width - x);
    const height = Math.min(tile.height, clip.y + clip.height - y);
    if (x < clip.x || y < clip.y || width <= 0 || height <= 0) return;
    blendPlane(planeY, strides[0] ?? 0, x, y, width, height, tile.width, tile.keep, tile.addY);
    const [halfX, halfY, halfWidth, halfHeight] = [x >> 1, y >> 1, width >> 1, height >> 1];
    const step = tile.width >> 1;
    blendPlane(planeU, strides[1] ?? 0, halfX, halfY, halfWidth, halfHeight, step, tile.keepChroma, tile.addU);
    blendPlane(planeV, strides[2] ?? 0, halfX, halfY, halfWidth, halfHeight, step, tile.keepChroma, tile.addV);
  }

  assertInside({ x, y, width, height }: Box): void {
    const isWhole = [x, y, width, height].every((value) => Number.isInteger(value) && value >= 0 && value % 2 === 0);
    if (!isWhole || x + width > this.width || y + height > this.height) {
      throw new AvError('canvas', 0, `${width}x${height} at ${x},${y} is not on ${this.width}x${this.height}`);
    }
  }

  [Symbol.dispose](): void {
    this.picture[Symbol.dispose]();
  }
}

function halved({ x, y, width, height }: Box): Box {
  return { x: x >> 1, y: y >> 1, width: width >> 1, height: height >> 1 };
}

function blendPlane(
  plane: Buffer,
  stride: number,
  x: number,
  y: number,
  width: number,
  height: number,
  tileWidth: number,
  keep: Uint16Array,
  add: Uint8Array,
): void {
  for (let row = 0; row < height; row++) {
    let at = (y + row) * stride + x;
    let from = row * tileWidth;
    for (let column = 0; column < width; column++, at++, from++) {
      const kept = keep[from] as number;
      if (kept !== 256) plane[at] = (((plane[at] as number) * kept) >> 8) + (add[from] as number);
    }
  }
}

/** Brings a part of a picture, turned if need be, into a rectangle of a canvas. One for each cell. */
export class CellScaler extends NativeOwner {
  #context: av.SoftwareScaleContext | undefined;
  #for = '';
  #turned: Picture | undefined;
  /** Half of what is painted, a quarter of it, and so on. */
  readonly #halves: Picture[] = [];

  paint(picture: Paintable, source: Box, rotation: Rotation, canvas: Canvas, target: Box): void {
    this.exclusively(() => {
      canvas.assertInside(target);
      if (target.width % 16 && target.x + target.width !== canvas.width) {
        throw new AvError('canvas', 0, `swscale would paint beyond a width of ${target.width}`);
      }
      if (rotation === 0) {
        this.#scale(picture, source, canvas.picture, target);
        return;
      }
      this.#paintTurned(picture, source, rotation, canvas, target);
    });
  }

  #paintTurned(picture: Paintable, source: Box, rotation: Exclude<Rotation, 0>, canvas: Canvas, target: Box): void {
    const isUpright = rotation === 180;
    const width = isUpright ? target.width : target.height;
    const height = isUpright ? target.height : target.width;
    if (this.#turned?.width !== width || this.#turned.height !== height) {
      this.#turned?.[Symbol.dispose]();
      this.#turned = Picture.blank(width, height);
    }
    const turned = this.#turned;
    this.#scale(picture, source, turned, { x: 0, y: 0, width, height });
    if (turn(turned, rotation, canvas.picture, target)) return;
    const to = planesAt(canvas.picture, target);
    turned.planes.forEach((plane, index) => {
      const shift = index === 0 ? 0 : 1;
      const size = { width: target.width >> shift, height: target.height >> shift };
      const toPlane = to[index];
      const toStride = canvas.picture.strides[index] ?? 0;
      if (toPlane) turnPlane(plane, turned.strides[index] ?? 0, toPlane, toStride, size, rotation);
    });
  }

  #scale(picture: Paintable, source: Box, to: Picture, target: Box, depth = 0): void {
    const isPlain = isI420(picture);
    // In other formats chroma lies elsewhere: the whole picture then, a little out of shape.
    const part = isPlain ? inside(source, picture) : { x: 0, y: 0, width: picture.width, height: picture.height };
    if (isPlain && this.#place(picture, part, to, target, depth)) return;
    const from = isPlain ? planesAt(picture, part) : [...picture.planes];
    const context = this.#contextFor(picture, part, target);
    const { height } = part;
    assertOk(
      context.scaleSync(from, [...picture.strides], 0, height, planesAt(to, target), [...to.strides]),
      'painting',
    );
  }

  /**
   * What is as large as its target is copied; what is more than twice as large is halved first: cheaper, and nothing between is left
   * out. @returns whether it was done
   */
  #place(picture: Paintable, part: Box, to: Picture, target: Box, depth: number): boolean {
    const { format } = picture;
    const [isWider, isHigher] = [part.width >= 2 * target.width, part.height >= 2 * target.height];
    const isSame = part.width === target.width && part.height === target.height;
    const isTwice = part.width === 2 * target.width && part.height === 2 * target.height;
    if (isSame || isTwice) return format === AV_PIX_FMT_YUV420P && place(picture, part, to, target);
    if (!canPlace || !isWider || !isHigher) return false;
    const half = { x: 0, y: 0, width: (part.width >> 2) * 2, height: (part.height >> 2) * 2 };
    const known = this.#halves[depth];
    const isFit = known?.width === half.width && known.height === half.height && known.format === format;
    if (!isFit) known?.[Symbol.dispose]();
    const halved = isFit ? known : Picture.blank(half.width, half.height, format);
    this.#halves[depth] = halved;
    const whole = { x: part.x, y: part.y, width: 2 * half.width, height: 2 * half.height };
    if (!place(picture, whole, halved, half)) return false;
    this.#scale(halved, half, to, target, depth + 1);
    return true;
  }

  #contextFor(picture: Paintable, part: Box, to: { width: number; height: number }): av.SoftwareScaleContext {
    const key = `${part.width}x${part.height}:${picture.format}:${to.width}x${to.height}`;
    if (this.#context && key === this.#for) return this.#context;
    if (!isPictureSide(part.width) || !isPictureSide(part.height)) {
      throw new AvError('painting', 0, `cannot paint ${part.width}x${part.height}`);
    }
    this.#context?.freeContext();
    const context = new av.SoftwareScaleContext();
    this.#context = context;
    this.#for = key;
    // The J formats have full range, as many cameras do; a view has the usual one.
    const { format } = picture;
    context.getContext(part.width, part.height, format, to.width, to.height, AV_PIX_FMT_YUV420P, SWS_FAST_BILINEAR);
    return context;
  }

  protected override free(): void {
    this.#context?.freeContext();
    this.#turned?.[Symbol.dispose]();
    for (const half of this.#halves) half[Symbol.dispose]();
  }
}

/** The J formats are the same bytes in full range. */
function isI420({ format }: Paintable): boolean {
  return format === AV_PIX_FMT_YUV420P || format === AV_PIX_FMT_YUVJ420P;
}

/** What a damaged or lying size asks for is cut to the picture. */
function inside({ x, y, width, height }: Box, picture: Paintable): Box {
  const left = Math.min(x & ~1, Math.max(0, picture.width - 2));
  const top = Math.min(y & ~1, Math.max(0, picture.height - 2));
  return {
    x: left,
    y: top,
    width: Math.min(width, picture.width - left),
    height: Math.min(height, picture.height - top),
  };
}

/** Views on I420 planes that begin at the corner of a rectangle. */
function planesAt(picture: Paintable, { x, y }: { readonly x: number; readonly y: number }): Buffer[] {
  const { planes, strides } = picture;
  return planes.slice(0, 3).map((plane, index) => {
    const shift = index === 0 ? 0 : 1;
    return plane.subarray((y >> shift) * (strides[index] ?? 0) + (x >> shift));
  });
}

function turnPlane(
  from: Buffer,
  fromStride: number,
  to: Buffer,
  toStride: number,
  { width, height }: { readonly width: number; readonly height: number },
  rotation: Rotation,
): void {
  for (let y = 0; y < height; y++) {
    const row = y * toStride;
    for (let x = 0; x < width; x++) {
      let at: number;
      if (rotation === 90) at = (width - 1 - x) * fromStride + y;
      else if (rotation === 270) at = x * fromStride + (height - 1 - y);
      else at = (height - 1 - y) * fromStride + (width - 1 - x);
      to[row + x] = from[at] as number;
    }
  }
}
