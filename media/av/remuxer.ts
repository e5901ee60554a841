// Owns: rewriting a recorded file for good: index in front, duration in the header. Only in a process of its own: it blocks
// on the disk.
import { AVIO_FLAG_WRITE, AVMEDIA_TYPE_AUDIO } from 'node-av/constants';
import { AvError, assertOk, av } from './library.ts';
import { codecIds, type MuxerFormat } from './muxer.ts';

export interface FileFacts {
  readonly durationMs: number;
  readonly streams: readonly {
    readonly kind: 'audio' | 'video';
    readonly codec: string;
    readonly width?: number | undefined;
    readonly height?: number | undefined;
  }[];
}

const options: Readonly<Record<MuxerFormat, Readonly<Record<string, string>>>> = {
  mp4: { movflags: '+faststart' },
  matroska: { cues_to_front: '1' },
  webm: { cues_to_front: '1' },
  ogg: {},
};

/**
 * Copies all that can be read, to where a damaged end begins.
 * @returns undefined when there is nothing in it that can be played
 * @throws AvError with the code of the disk (ENOSPC) when the output cannot be written
 */
export function remux(inputPath: string, outputPath: string, format: MuxerFormat): FileFacts | undefined {
  const input = openInput(inputPath);
  if (!input) return undefined;
  try {
    return copy(input, outputPath, format);
  } finally {
    input.closeInputSync();
  }
}

/** @returns undefined for what no demuxer knows, as a file without a byte of media */
export function openInput(path: string): av.FormatContext | undefined {
  const input = new av.FormatContext();
  if (input.openInputSync(`file:${path}`, null, null) < 0) return undefined;
  if (input.findStreamInfoSync(null) >= 0 && input.streams.length > 0) return input;
  input.closeInputSync();
  return undefined;
}

function copy(input: av.FormatContext, path: string, format: MuxerFormat): FileFacts | undefined {
  const output = new av.FormatContext();
  const io = new av.IOContext();
  const url = `file:${path}`;
  assertOk(output.allocOutputContext2(null, format, url), 'opening the muxer');
  try {
    for (const { codecpar } of input.streams) {
      const stream = output.newStream(null);
      assertOk(codecpar.copy(stream.codecpar), 'copying what a stream is');
      stream.codecpar.codecTag = 0;
    }
    assertOk(io.open2Sync(url, AVIO_FLAG_WRITE), 'opening the file');
    output.pb = io;
    using dictionary = av.Dictionary.fromObject({ ...options[format] });
    assertOk(output.writeHeaderSync(dictionary), 'writing the header');
    const endS = copyPackets(input, output);
    assertOk(output.writeTrailerSync(), 'ending the file');
    const code = io.closepSync();
    output.pb = null;
    assertOk(code, 'closing the file');
    return endS === undefined ? undefined : { durationMs: Math.round(endS * 1_000), streams: factsOf(input) };
  } finally {
    // Taken out first: the context would free it a second time.
    output.pb = null;
    output.freeContext();
  }
}

/** @returns the end of the last packet, in seconds; undefined when there was none */
function copyPackets(input: av.FormatContext, output: av.FormatContext): number | undefined {
  const packet = new av.Packet();
  packet.alloc();
  let endS: number | undefined;
  const lastDts = new Map<number, bigint>();
  try {
    while (input.readFrameSync(packet) >= 0) {
      const from = input.streams[packet.streamIndex]?.timeBase;
      const to = output.streams[packet.streamIndex]?.timeBase;
      if (!from || !to) throw new AvError('copying media', 0, 'a stream came up that was not there');
      packet.rescaleTs(from, to);
      // Where two fragments meet, what the end of the first was reckoned to be may lie on the beginning of the second.
      const earliest = (lastDts.get(packet.streamIndex) ?? packet.dts - 1n) + 1n;
      if (packet.dts < earliest) packet.dts = earliest;
      if (packet.pts < packet.dts) packet.pts = packet.dts;
      lastDts.set(packet.streamIndex, packet.dts);
      endS = Math.max(endS ?? 0, (Number(packet.pts + packet.duration) * to.num) / to.den);
      const code = output.interleavedWriteFrameSync(packet);
      packet.unref();
      assertOk(code, 'writing media');
    }
  } finally {
    packet.free();
  }
  return endS;
}

function factsOf(input: av.FormatContext): FileFacts['streams'] {
  return input.streams.map(({ codecpar }) => {
    const [codec = 'unknown'] = Object.entries(codecIds).find(([, id]) => id === codecpar.codecId) ?? [];
    if (codecpar.codecType === AVMEDIA_TYPE_AUDIO) return { kind: 'audio', codec };
    return { kind: 'video', codec, width: codecpar.width, height: codecpar.height };
  });
}
