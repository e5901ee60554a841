// Owns: pictures and tones that tests and benchmarks can recognise again.
import { Picture } from './picture.ts';

/**
 * A picture whose 8 top blocks spell `number` in black and white, over a moving grey ramp.
 * @param number 0..255
 */
export function numberedPicture(width: number, height: number, number: number): Picture {
  const picture = Picture.blank(width, height);
  const [luma, blue, red] = picture.planes;
  const [lumaStride = 0, chromaStride = 0] = picture.strides;
  if (!luma || !blue || !red) throw new Error('a picture without planes');
  const block = width >> 3;
  for (let y = 0; y < height; y++) {
    const row = y * lumaStride;
    if (y < height >> 2) {
      for (let bit = 0; bit < 8; bit++)
        luma.fill((number >> bit) & 1 ? 235 : 16, row + bit * block, row + (bit + 1) * block);
      luma.fill(16, row + 8 * block, row + width);
    } else {
      for (let x = 0; x < width; x++) luma[row + x] = 64 + ((x + y + number * 3) & 127);
    }
  }
  for (let y = 0; y < height >> 1; y++) {
    blue.fill(128, y * chromaStride, y * chromaStride + (width >> 1));
    red.fill(128, y * chromaStride, y * chromaStride + (width >> 1));
  }
  return picture;
}

/** @returns the number of a picture made by `numberedPicture`, of whatever size it has become */
export function readNumber(picture: Picture): number {
  const [luma] = picture.planes;
  const [stride = 0] = picture.strides;
  if (!luma) return -1;
  const row = (picture.height >> 3) * stride;
  const block = picture.width >> 3;
  let number = 0;
  for (let bit = 0; bit < 8; bit++) {
    if ((luma[row + bit * block + (block >> 1)] ?? 0) > 125) number |= 1 << bit;
  }
  return number;
}

/** s16 interleaved sine at half of full scale. */
export function tone(options: {
  frequencyHz: number;
  sampleRateHz: number;
  channels: number;
  samples: number;
  firstSample?: number;
}): Int16Array {
  const { frequencyHz, sampleRateHz, channels, samples, firstSample = 0 } = options;
  const pcm = new Int16Array(samples * channels);
  for (let i = 0; i < samples; i++) {
    const value = Math.round(16_000 * Math.sin((2 * Math.PI * frequencyHz * (firstSample + i)) / sampleRateHz));
    pcm.fill(value, i * channels, (i + 1) * channels);
  }
  return pcm;
}

/** Frequency by rising zero crossings of the first channel. */
export function measureFrequency(pcm: Int16Array, channels: number, sampleRateHz: number): number {
  let crossings = 0;
  let first = -1;
  let last = -1;
  for (let i = 1; i * channels < pcm.length; i++) {
    if ((pcm[(i - 1) * channels] ?? 0) < 0 && (pcm[i * channels] ?? 0) >= 0) {
      crossings += 1;
      if (first < 0) first = i;
      last = i;
    }
  }
  return crossings > 1 ? ((crossings - 1) * sampleRateHz) / (last - first) : 0;
}
