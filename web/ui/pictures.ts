// Owns: image files that somebody chooses, made as small as the server takes them. May import: nothing.

/** Pixels of a side of an avatar; it is shown no larger than some hundred. */
const avatarSide = 256;
/** Of a background: no larger than most views. */
const largest = { width: 1_920, height: 1_080 };
/** In base64; the body of a request has a megabyte unless the server is told otherwise. */
const maxText = 900_000;

/** @returns a square JPEG in base64, cut out of the middle @throws what a browser says of a file that is no picture */
export async function squareOf(file: Blob): Promise<string> {
  const bitmap = await createImageBitmap(file);
  const canvas = Object.assign(document.createElement('canvas'), { width: avatarSide, height: avatarSide });
  const side = Math.min(bitmap.width, bitmap.height);
  const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  canvas.getContext('2d')?.drawImage(bitmap, left, top, side, side, 0, 0, avatarSide, avatarSide);
  bitmap.close();
  return jpegOf(canvas, 0.9);
}

/** @returns a JPEG in base64, whole, no larger than need be @throws what a browser says of a file that is no picture */
export async function backgroundOf(file: Blob): Promise<string> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, Math.max(largest.width / bitmap.width, largest.height / bitmap.height));
  const size = { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) };
  const canvas = Object.assign(document.createElement('canvas'), size);
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, size.width, size.height);
  bitmap.close();
  for (const quality of [0.9, 0.75, 0.6, 0.4]) {
    const text = jpegOf(canvas, quality);
    if (text.length <= maxText) return text;
  }
  throw new Error('That picture is too large.');
}

function jpegOf(canvas: HTMLCanvasElement, quality: number): string {
  return canvas.toDataURL('image/jpeg', quality).replace(/^[^,]*,/, '');
}
