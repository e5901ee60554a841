// Owns: what a foreign player has recorded of a numbered source, as ffmpeg decodes it: numbers and tone.
import { encodeClip } from './ffmpeg-clip.ts';
import { usualLevel } from './tone.ts';

const [width, height] = [320, 180];

/** Of every picture in the file, in order; read at the size that its source has, whatever it has become. */
export async function recordedNumbers(file: string): Promise<number[]> {
  const scaled = ['-vsync', 'passthrough', '-vf', `scale=${width}:${height}:flags=area,format=gray`];
  const pixels = await encodeClip('-i', file, '-map', '0:v', ...scaled, '-f', 'rawvideo');
  return Array.from({ length: Math.floor(pixels.length / (width * height)) }, (_, at) =>
    numberIn(pixels.subarray(at * width * height, (at + 1) * width * height)),
  );
}

/** As `numberedPicture` writes it: eight blocks along the top. */
function numberIn(luma: Uint8Array): number {
  const row = (height >> 3) * width;
  const block = width >> 3;
  const isWhite = (bit: number) => (luma[row + bit * block + (block >> 1)] ?? 0) > 125;
  const bits = Array.from({ length: 8 }, (_, bit) => (isWhite(bit) ? 1 << bit : 0));
  return bits.reduce((sum, one) => sum + one, 0);
}

/** How many steps forward there are from picture to picture, and how many back (a counter of 8 bits). */
export function stepsOf(numbers: readonly number[]): { readonly forward: number; readonly back: number } {
  const steps = numbers.slice(1).map((number, at) => (number - (numbers[at] ?? 0)) & 255);
  // A view repeats a picture, or leaves some out, where its ticks and those of the source do not fall together.
  const forward = steps.filter((step) => step > 0 && step < 128).length;
  return { forward, back: steps.filter((step) => step >= 128).length };
}

/** Level of a tone in most of the last second of the sound, dBov. */
export async function recordedTone(file: string, toneHz: number): Promise<number> {
  const sound = await encodeClip('-i', file, '-map', '0:a', '-ac', '1', '-ar', '48000', '-f', 's16le');
  const samples = new Int16Array(sound.buffer, sound.byteOffset, sound.length >> 1);
  return usualLevel(samples.subarray(-48_000), toneHz, 48_000);
}
