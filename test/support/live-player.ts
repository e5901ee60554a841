// Owns: what ffmpeg sees and hears of a CameraPeer and a VoicePeer, at whatever address they are to be had.
import { spawn } from 'node:child_process';
import { usualLevel } from './tone.ts';

export interface Watched {
  /** Of the pictures, in the order shown. */
  readonly numbers: readonly number[];
  /** Pictures that were shown before an earlier one. */
  readonly disorders: number;
  readonly color: 'red' | 'green' | 'blue' | 'grey' | undefined;
  /** Of 440 Hz, in most windows of the last second; -90 before there is so much. */
  readonly toneDbov: number;
  /** So much sound there was. */
  readonly heardS: number;
}

const width = 64;
const height = 36;
const pictureBytes = width * height * 3;
const sampleRateHz = 48_000;
const lookIntervalMs = 200;

/**
 * Watches until it has seen and heard what is expected, however long a busy machine takes for it.
 * @returns what there was by then, or by the end of the time
 */
export async function watchByFfmpeg(
  url: string,
  isEnough: (watched: Watched) => boolean,
  { timeoutMs = 60_000, input = [] }: { timeoutMs?: number; input?: readonly string[] } = {},
): Promise<Watched> {
  // Of several encodings the first, which is the largest.
  const video = `-map 0:v:0 -s ${width}x${height} -pix_fmt rgb24 -fps_mode passthrough -f rawvideo pipe:3`.split(' ');
  const audio = `-map 0:a -ac 1 -ar ${sampleRateHz} -f s16le pipe:4`.split(' ');
  const args = ['-hide_banner', '-loglevel', 'error', '-nostdin', ...input, '-i', url, ...video, ...audio];
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
  const watcher = new Watcher();
  let errors = '';
  child.stdio[2]?.on('data', (text: Buffer) => {
    errors = `${errors}${text}`.slice(-4_000);
  });
  child.stdio[3]?.on('data', (piece: Buffer) => watcher.see(piece));
  child.stdio[4]?.on('data', (piece: Buffer) => watcher.hear(piece));
  const { promise: ended, resolve } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  const look = setInterval(() => {
    if (isEnough(watcher.watched)) child.kill('SIGKILL');
  }, lookIntervalMs);
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const code = await ended;
  clearInterval(look);
  clearTimeout(timer);
  if (code !== null && !isEnough(watcher.watched)) {
    throw new Error(`ffmpeg ended with ${code}: ${errors.replaceAll(/token=\S+/g, '')}`);
  }
  return watcher.watched;
}

class Watcher {
  readonly #numbers: number[] = [];
  #color: Watched['color'];
  #picture = Buffer.alloc(0);
  #sound = Buffer.alloc(0);
  #heardBytes = 0;

  get watched(): Watched {
    const steps = this.#numbers.slice(1).map((number, index) => (number - (this.#numbers[index] ?? 0)) & 255);
    return {
      ...{ numbers: this.#numbers, color: this.#color, toneDbov: this.#toneDbov() },
      disorders: steps.filter((step) => step > 128).length,
      heardS: this.#heardBytes / 2 / sampleRateHz,
    };
  }

  see(piece: Buffer): void {
    this.#picture = Buffer.concat([this.#picture, piece]);
    while (this.#picture.length >= pictureBytes) {
      this.#read(this.#picture.subarray(0, pictureBytes));
      this.#picture = this.#picture.subarray(pictureBytes);
    }
  }

  hear(piece: Buffer): void {
    this.#heardBytes += piece.length;
    const all = Buffer.concat([this.#sound, piece]);
    // Whole samples, as they were cut off.
    const kept = Math.min(all.length, sampleRateHz * 2 + ((this.#heardBytes & 1) === 1 ? 1 : 0));
    this.#sound = all.subarray(all.length - kept);
  }

  #read(picture: Buffer): void {
    const pixel = (x: number, y: number) => picture.subarray((y * width + x) * 3, (y * width + x) * 3 + 3);
    let number = 0;
    for (let bit = 0; bit < 8; bit++) if ((pixel(8 * bit + 4, 4)[1] ?? 0) > 125) number |= 1 << bit;
    this.#numbers.push(number);
    this.#color = nameColor(pixel(32, 27));
  }

  #toneDbov(): number {
    if (this.#sound.length < sampleRateHz * 2) return -90;
    const bytes = this.#sound.subarray(0, sampleRateHz * 2);
    const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return usualLevel(samples, 440, sampleRateHz);
  }
}

function nameColor([red = 0, green = 0, blue = 0]: Uint8Array): Watched['color'] {
  const most = Math.max(red, green, blue);
  if (most - Math.min(red, green, blue) < 40) return 'grey';
  return most === red ? 'red' : most === green ? 'green' : 'blue';
}
