// Owns: a source whose pictures flash whenever it beeps, pushed by ffmpeg, and how far both are apart in a file.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const maxBuffer = 512 * 1024 * 1024;
const periodS = 2;
const lengthS = 0.2;
const gridHz = 100;
const soundHz = 8_000;

/** Flashes and beeps every other second, for a fifth of one. @param url RTMP, with its key */
export function pushFlashes(url: string, { toneHz = 1_000, size = '320x180' } = {}): ChildProcess {
  const isOn = `lt(mod(t,${periodS}),${lengthS})`;
  const video = `color=c=black:s=${size}:r=30,drawbox=color=white:t=fill:enable='${isOn}'`;
  const audio = `sine=f=${toneHz}:r=48000,volume='if(${isOn},1,0)':eval=frame`;
  const encode = '-c:v libx264 -preset ultrafast -tune zerolatency -g 30 -pix_fmt yuv420p -b:v 400k -c:a aac -b:a 96k';
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

/** When flashes and beeps begin, in seconds from the start of the file. */
export async function findFlashes(path: string): Promise<{ readonly flashes: number[]; readonly beeps: number[] }> {
  const video = ['-vf', `fps=${gridHz}:start_time=0,scale=1:1:flags=area,format=gray`, '-f', 'rawvideo', '-'];
  const audio = ['-af', 'aresample=async=1:first_pts=0', '-ac', '1', '-ar', String(soundHz), '-f', 's16le', '-'];
  const decode = async (args: string[]) =>
    (await run('ffmpeg', ['-v', 'error', '-nostdin', '-i', path, ...args], { encoding: 'buffer', maxBuffer })).stdout;
  const light = [...(await decode(video))];
  const sound = await decode(audio);
  const step = soundHz / gridHz;
  const loudness = Array.from({ length: Math.floor(sound.length / 2 / step) }, (_, n) => {
    let peak = 0;
    for (let i = 0; i < step; i++) peak = Math.max(peak, Math.abs(sound.readInt16LE((n * step + i) * 2)));
    return peak;
  });
  return { flashes: risesOf(light), beeps: risesOf(loudness) };
}

/** How far the beep is behind the flash, milliseconds, for each flash that has one. */
export function offsetsMs({ flashes, beeps }: { flashes: readonly number[]; beeps: readonly number[] }): number[] {
  return flashes.flatMap((flash) => {
    const near = beeps.filter((beep) => Math.abs(beep - flash) < periodS / 4);
    return near.slice(0, 1).map((beep) => Math.round((beep - flash) * 1_000));
  });
}

/** Sudden rises, whatever else is to be seen or heard; those of half a second count once. */
function risesOf(values: readonly number[]): number[] {
  const limit = values.reduce((most, value) => Math.max(most, value), 0) / 6;
  const rises: number[] = [];
  values.forEach((value, n) => {
    const rise = value - (values[Math.max(0, n - 5)] ?? 0);
    const sinceLastS = n / gridHz - (rises.at(-1) ?? Number.NEGATIVE_INFINITY);
    if (rise > limit && sinceLastS > 0.5) rises.push(n / gridHz);
  });
  return rises;
}
