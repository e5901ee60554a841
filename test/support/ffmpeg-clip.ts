// Owns: short recordings that ffmpeg makes, and what ffprobe says of them: the second opinion of tests that read containers.
import { spawn } from 'node:child_process';

/** One packet as FFmpeg's demuxer sees it. */
export interface ProbedPacket {
  readonly codec_type: 'audio' | 'video' | 'data';
  readonly pts_time?: string;
  readonly dts_time?: string;
  readonly size: string;
  readonly flags: string;
}

/** @param args what comes after the global options; the output is `pipe:1` @returns what ffmpeg wrote */
export function encodeClip(...args: string[]): Promise<Buffer> {
  return run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args, 'pipe:1']);
}

/** @param args with the files to be written */
export async function encodeFiles(...args: string[]): Promise<void> {
  await run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args]);
}

/** @returns packets in the order of the file */
export async function probePackets(clip: Uint8Array): Promise<ProbedPacket[]> {
  const options = ['-v', 'error', '-show_packets', '-show_entries', 'packet=codec_type,pts_time,dts_time,size,flags'];
  const text = await run('ffprobe', [...options, '-of', 'json', '-i', 'pipe:0'], clip);
  return (JSON.parse(text.toString()) as { packets: ProbedPacket[] }).packets;
}

/** Takes one stream out of a recording as it is, in another wrapping. */
export function remuxClip(clip: Uint8Array, ...args: string[]): Promise<Buffer> {
  return run('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-i', 'pipe:0', ...args, '-c', 'copy', 'pipe:1'], clip);
}

async function run(program: string, args: readonly string[], input?: Uint8Array): Promise<Buffer> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  let errors = '';
  child.stdout.on('data', (data: Buffer) => output.push(data));
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  child.stdin.on('error', () => undefined); // it may have read enough
  child.stdin.end(input);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  const code = await promise;
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${errors}`);
  return Buffer.concat(output);
}
