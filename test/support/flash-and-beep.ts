// Owns: a source whose pictures flash whenever it beeps, pushed by ffmpeg, and how far both are apart in a file.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const maxBuffer = 512 * 1024 * 1024;
const periodS = 2;
const lengthS = 0.2;
const gridHz = 100;
const soundHz = 8_000;
/** Pictures are looked at in so many cells. */
const columns = 32;
const rows = 18;
const minRise = 120;

/**
 * Flashes and beeps every other second, for a fifth of one.
 * @param url RTMP, with its key
 * @param options `isSteady`: is seen and heard all the time instead
 */
export function pushFlashes(
  url: string,
  { toneHz = 1_000, size = '320x180', isSteady = false, codecArguments = '' } = {},
): ChildProcess {
  const isOn = isSteady ? 'gte(t,0)' : `lt(mod(t,${periodS}),${lengthS})`;
  const video = `color=c=black:s=${size}:r=30,drawbox=color=${isSteady ? 'blue' : 'white'}:t=fill:enable='${isOn}'`;
  const audio = `sine=f=${toneHz}:r=48000,volume='if(${isOn},1,0)':eval=frame`;
  const encode =
    codecArguments ||
    '-c:v libx264 -preset ultrafast -tune zerolatency -g 30 -pix_fmt yuv420p -b:v 400k -c:a aac -b:a 96k';
  const inputs = ['-re', '-f', 'lavfi', '-i', video, '-re', '-f', 'lavfi', '-i', audio];
  const args = ['-loglevel', 'error', '-nostdin', ...inputs, ...encode.split(' '), '-f', 'flv', url];
  return spawn('ffmpeg', args, { stdio: 'ignore' });
}

export interface FileFacts {
  readonly durationS: number;
  readonly codecs: readonly string[];
  /** What ffmpeg complains of when it decodes all of it. */
  readonly complaints: string;
}

export async function probeFile(path: string): Promise<FileFacts> {
  const args = ['-v', 'error', '-show_entries', 'format=duration:stream=codec_name', '-of', 'json', path];
  const { stdout } = await run('ffprobe', args);
  const { streams, format } = JSON.parse(stdout) as {
    streams: { codec_name: string }[];
    format: { duration: string };
  };
  const { stderr } = await run(
    'ffmpeg',
    ['-v', 'error', '-nostdin', '-i', path, '-vsync', 'vfr', '-enc_time_base', '1:90000', '-f', 'null', '-'],
    { maxBuffer },
  );
  return {
    durationS: Number(format.duration),
    codecs: streams.map(({ codec_name }) => codec_name).sort(),
    complaints: stderr.trim(),
  };
}

/** Of the middle of the picture that is shown half-way: what came late on a busy machine is there by then. */
export async function middleColor(path: string): Promise<{ red: number; green: number; blue: number }> {
  const middle = ['-vf', 'crop=iw/8:ih/8,scale=1:1', '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'];
  const { durationS } = await probeFile(path);
  const from = ['-v', 'error', '-nostdin', '-ss', String(durationS / 2), '-i', path];
  const { stdout } = await run('ffmpeg', [...from, ...middle], { encoding: 'buffer' });
  const [red = Number.NaN, green = Number.NaN, blue = Number.NaN] = stdout;
  return { red, green, blue };
}

/** Between packets of a kind that follow each other, seconds. */
export async function packetGapsS(path: string, kind: 'v' | 'a'): Promise<number[]> {
  const entries = ['-select_streams', `${kind}:0`, '-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
  const { stdout } = await run('ffprobe', ['-v', 'error', ...entries, path], { maxBuffer });
  const times = stdout.split('\n').map(Number.parseFloat).filter(Number.isFinite);
  return times.slice(1).map((time, index) => time - (times[index] ?? 0));
}

/** When flashes and beeps begin, in seconds from the start of the file. Other sounds and pictures do not count. */
export async function findFlashes(
  path: string,
  { toneHz = 1_000 } = {},
): Promise<{ readonly flashes: number[]; readonly beeps: number[] }> {
  const video = [
    '-vf',
    `fps=${gridHz}:start_time=0,scale=${columns}:${rows}:flags=area,format=gray`,
    '-f',
    'rawvideo',
    '-',
  ];
  const tone = `aresample=async=1:first_pts=0,aformat=channel_layouts=mono,bandpass=f=${toneHz}:width_type=h:w=200`;
  const audio = ['-af', tone, '-ac', '1', '-ar', String(soundHz), '-f', 's16le', '-'];
  const decode = async (args: string[]) =>
    (await run('ffmpeg', ['-v', 'error', '-nostdin', '-i', path, ...args], { encoding: 'buffer', maxBuffer })).stdout;
  return { flashes: flashesOf(await decode(video)), beeps: beepsOf(await decode(audio)) };
}

/** How far the beep is behind the flash, milliseconds, for each beep that has one. */
export function offsetsMs({ flashes, beeps }: { flashes: readonly number[]; beeps: readonly number[] }): number[] {
  return beeps.flatMap((beep) => {
    const [flash] = flashes.toSorted((a, b) => Math.abs(a - beep) - Math.abs(b - beep));
    if (flash === undefined || Math.abs(beep - flash) > periodS / 4) return [];
    return [Math.round((beep - flash) * 1_000)];
  });
}

/** Somewhere in the picture it becomes white at once. */
function flashesOf(pictures: Buffer): number[] {
  const size = columns * rows;
  return onsets(Math.floor(pictures.length / size), (n) => {
    let most = 0;
    for (let at = 0; at < size; at++) {
      const before = pictures[Math.max(0, n - 5) * size + at] ?? 0;
      most = Math.max(most, (pictures[n * size + at] ?? 0) - before);
    }
    return most > minRise;
  });
}

/** From half of the loudest on. */
function beepsOf(sound: Buffer): number[] {
  const step = soundHz / gridHz;
  const loudness = Array.from({ length: Math.floor(sound.length / 2 / step) }, (_, n) => {
    let peak = 0;
    for (let i = 0; i < step; i++) peak = Math.max(peak, Math.abs(sound.readInt16LE((n * step + i) * 2)));
    return peak;
  });
  const limit = loudness.reduce((most, value) => Math.max(most, value), 0) / 2;
  return onsets(loudness.length, (n) => limit > 0 && (loudness[n] ?? 0) > limit);
}

/** Where it begins to be; those of half a second count once. */
function onsets(count: number, is: (n: number) => boolean): number[] {
  const found: number[] = [];
  for (let n = 0; n < count; n++) {
    const sinceLastS = n / gridHz - (found.at(-1) ?? Number.NEGATIVE_INFINITY);
    if (is(n) && sinceLastS > 0.5) found.push(n / gridHz);
  }
  return found;
}
