// Owns: playing files of the media folder: none outside of it is ever opened. May import: core, its neighbours.
import { constants, type FileHandle, open, realpath } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { GatewayError } from '#core/errors.ts';
import type { MediaSource } from '#core/media-source.ts';
import { type ForeignDemuxers, openDemuxer } from './byte-stream.ts';
import { readContainer, sourceOf } from './container.ts';
import { headBytes, mediaKindOf } from './media-kind.ts';
import { PulledMedia, type Stage } from './pulled-media.ts';
import { playLooped } from './recording.ts';

export interface FilePullOptions {
  /** `file:///show/intro.mp4`, within the folder. */
  readonly url: string;
  readonly folder: string;
  readonly startTimeoutMs?: number | undefined;
  readonly stallTimeoutMs?: number | undefined;
  /** What has an end begins again there. */
  readonly isLooped?: boolean | undefined;
}

const aheadUs = 2_000_000;
const readBytes = 64 * 1024;
const maxReadBytes = 64 * 1024 * 1024;

/** One attempt. @throws GatewayError `invalid_request` for the URL */
export function pullFile(options: FilePullOptions, foreign: ForeignDemuxers): MediaSource {
  const path = pathOf(options.url);
  return new PulledMedia(options, (stage) => play(path, options, foreign, stage));
}

async function play(path: string, options: FilePullOptions, foreign: ForeignDemuxers, stage: Stage): Promise<void> {
  const file = await openWithin(options.folder, path);
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(headBytes);
    const { bytesRead } = await file.read(head, 0, headBytes, 0);
    const kind = mediaKindOf(head.subarray(0, bytesRead)) ?? (/\.mp3$/i.test(path) ? 'mpeg_audio' : undefined);
    if (kind === undefined || kind === 'hls') {
      throw new GatewayError('unsupported_media_type', 'The file is neither MPEG-TS, FLV, MP4, Matroska nor audio.');
    }
    await playLooped(stage, options.isLooped ?? false, async (sink) => {
      const room = () => stage.paced.room(aheadUs);
      if (kind === 'container') {
        const source = await sourceOf({ size, read: (start, end) => readAt(file, start, end), isRemote: false });
        return readContainer(source, undefined, sink, room, stage.signal);
      }
      const demuxer = openDemuxer(kind, sink, foreign);
      for (let at = 0; at < size && !stage.signal.aborted; at += readBytes) {
        demuxer.push(await readAt(file, at, Math.min(size, at + readBytes)));
        await room();
      }
      demuxer.flush();
    });
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, start: number, end: number): Promise<Buffer> {
  if (end - start > maxReadBytes) throw new GatewayError('too_large', 'The file has an index of more than 64 MB.');
  const data = Buffer.alloc(end - start);
  const { bytesRead } = await file.read(data, 0, data.length, start);
  if (bytesRead < data.length) throw new GatewayError('unsupported_media_type', 'The file became shorter.');
  return data;
}

/**
 * @returns the file, which certainly lies in the folder: links out of it are not followed
 * @throws GatewayError `not_found` for whatever else; it does not say what there is outside
 */
async function openWithin(folder: string, path: string): Promise<FileHandle> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw new GatewayError('not_found', 'The media folder of this server is not there.', { cause });
  });
  const isInside = (real: string) => real.startsWith(root.endsWith(sep) ? root : root + sep);
  const missing = (cause?: unknown) => new GatewayError('not_found', `There is no file ${path} here.`, { cause });
  const wanted = isAbsolute(path) && isInside(path) ? path : join(root, path);
  const real = await realpath(wanted).catch((cause: unknown) => {
    throw missing(cause);
  });
  if (!isInside(real)) throw missing();
  // A pipe would wait for a writer.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((cause) => {
    throw missing(cause);
  });
  try {
    // A folder on the way may have become a link since: what was opened is looked at, not its name.
    const opened = await realpath(`/proc/self/fd/${file.fd}`).catch(() => real);
    if (!isInside(opened) || !(await file.stat()).isFile()) throw missing();
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** @throws GatewayError `invalid_request` */
export function pathOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'file:' || (parsed.host !== '' && parsed.host !== 'localhost')) {
    throw new GatewayError('invalid_request', 'A file of the media folder looks like file:///show/intro.mp4');
  }
  try {
    const path = decodeURIComponent(parsed.pathname);
    if (!path.includes('\0')) return path;
  } catch {
    // Falls through: a lone % is no escape.
  }
  throw new GatewayError('invalid_request', 'The path of the file is none.');
}
