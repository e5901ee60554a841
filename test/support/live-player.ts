// Owns: what ffmpeg sees and hears of a CameraPeer and a VoicePeer, at whatever address they are to be had.
import { spawn } from 'node:child_process';
import { usualLevel } from './tone.ts';

export interface Watched {
  /** Of the pictures, in the order shown. */
  readonly numbers: readonly number[];
  /** Pictures that were shown before an earlier one. */
  readonly disorders: number;
  /** From the first number to the last. */
  readonly covered: number;
  readonly color: 'red' | 'green' | 'blue' | 'grey' | undefined;
  /** Of 440 Hz, in most windows of 20 ms. */
  readonly toneDbov: number;
}

const width = 64;
const height = 36;
const pictureBytes = width * height * 3;
const sampleRateHz = 48_000;

/** @param kinds what is expected to be there */
export async function watchByFfmpeg(
  url: string,
  seconds: number,
  kinds = { video: true, audio: true },
): Promise<Watched> {
  const video = [
    '-map',
    '0:v',
    '-t',
    `${seconds}`,
    '-s',
    `${width}x${height}`,
    '-pix_fmt',
    'rgb24',
    '-fps_mode',
    'passthrough',
    '-f',
    'rawvideo',
    'pipe:3',
  ];
  const audio = ['-map', '0:a', '-t', `${seconds}`, '-ac', '1', '-ar', `${sampleRateHz}`, '-f', 's16le', 'pipe:4'];
  const outputs = [...(kinds.video ? video : []), ...(kinds.audio ? audio : [])];
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', '-i', url, ...outputs], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  const collect = (index: number) => {
    const pieces: Buffer[] = [];
    child.stdio[index]?.on('data', (piece: Buffer) => pieces.push(piece));
    return pieces;
  };
  const [errors, pictures, sound] = [collect(2), collect(3), collect(4)];
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  const code = await promise;
  if (code !== 0)
    throw new Error(
      `ffmpeg ended with ${code}: ${Buffer.concat(errors)
        .toString()
        .replaceAll(/token=\S+/g, '')}`,
    );
  return { ...readPictures(Buffer.concat(pictures)), toneDbov: toneLevelOf(Buffer.concat(sound)) };
}

function readPictures(bytes: Buffer): Omit<Watched, 'toneDbov'> {
  const numbers: number[] = [];
  let color: Watched['color'];
  for (let at = 0; at + pictureBytes <= bytes.length; at += pictureBytes) {
    const pixel = (x: number, y: number) => bytes.subarray(at + (y * width + x) * 3, at + (y * width + x) * 3 + 3);
    let number = 0;
    for (let bit = 0; bit < 8; bit++) if ((pixel(8 * bit + 4, 4)[1] ?? 0) > 125) number |= 1 << bit;
    numbers.push(number);
    color = nameColor(pixel(32, 27));
  }
  const steps = numbers.slice(1).map((number, index) => (number - (numbers[index] ?? 0)) & 255);
  return {
    ...{ numbers, color },
    disorders: steps.filter((step) => step > 128).length,
    covered: steps.filter((step) => step <= 128).reduce((sum, step) => sum + step, 0),
  };
}

function nameColor([red = 0, green = 0, blue = 0]: Uint8Array): Watched['color'] {
  const most = Math.max(red, green, blue);
  if (most - Math.min(red, green, blue) < 40) return 'grey';
  return most === red ? 'red' : most === green ? 'green' : 'blue';
}

/** Without the first half second, in which a decoder may still begin. */
function toneLevelOf(bytes: Buffer): number {
  const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~1)));
  return usualLevel(samples.subarray(sampleRateHz / 2), 440, sampleRateHz);
}
