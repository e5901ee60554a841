// Owns: an image as a canvas that it covers. May import: media/av.
import { Canvas, CellScaler, type Yuv } from '../av/canvas.ts';
import { decodeImage } from '../av/still-image.ts';
import { fitInto } from './fit.ts';
import type { CanvasSize } from './layout.ts';

/**
 * @param ground behind what of it can be seen through
 * @param isWanted asked before it is read, and before it is painted
 * @returns one for the caller to dispose of; undefined where it cannot be read, or is not wanted any more
 */
export async function coveredCanvas(
  image: Uint8Array,
  { width, height }: CanvasSize,
  ground: Yuv,
  isWanted: () => boolean,
): Promise<Canvas | undefined> {
  const whole = { x: 0, y: 0, width, height };
  // Made when its turn has come: a large one is memory, and many may wait.
  let canvas = undefined as Canvas | undefined;
  let isPainted = false;
  try {
    isPainted = await decodeImage(
      image,
      (picture) => {
        canvas = new Canvas(width, height);
        canvas.fill(whole, ground);
        using scaler = new CellScaler();
        const { source, target } = fitInto(picture.width, picture.height, whole, 'crop');
        scaler.paint(picture, source, 0, canvas, target);
      },
      isWanted,
    );
    return isPainted ? canvas : undefined;
  } finally {
    if (!isPainted) canvas?.[Symbol.dispose]();
  }
}
