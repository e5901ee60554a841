// Owns: one file of a recording while it grows: muxer, file, and when what is in it is brought to the disk.
import { FileMuxer, type MuxedStream, type MuxerFormat } from '../av/muxer.ts';
import { h264Nal, h264NalType, splitAnnexB, toAnnexB } from '../rtp/h264.ts';
import { GrowingFile, type WriteFailure } from './growing-file.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

/** With what waits elsewhere on its way, less than a second is lost when the worker dies. */
const flushEveryUs = 400_000;

export interface RecordPartOptions {
  readonly path: string;
  readonly format: MuxerFormat;
  readonly streams: readonly EgressStream[];
  /** What it begins with: H264 and H265 have their parameter sets in it. */
  readonly first: EgressUnit;
  readonly onFailed: (failure: WriteFailure) => void;
}

export class RecordPart {
  readonly streams: readonly EgressStream[];
  readonly parameterSets: Uint8Array | undefined;
  readonly #file: GrowingFile;
  readonly #muxer: FileMuxer;
  #flushedUs: number | undefined;
  #muxedBytes = 0;
  /** How long it stands is known with the next: a fragment of MP4 begins where the one before it ends. */
  #picture: EgressUnit | undefined;

  /** @throws AvError when the format cannot hold such streams */
  constructor({ path, format, streams, first, onFailed }: RecordPartOptions) {
    this.streams = streams;
    this.parameterSets = parameterSetsOf(first, streams);
    this.#file = new GrowingFile(path, onFailed);
    this.#muxer = new FileMuxer(
      format,
      streams.map((stream) => this.#muxed(stream)),
      (bytes) => {
        this.#muxedBytes += bytes.length;
        this.#file.append(bytes);
      },
    );
  }

  /** What the disk has. */
  get bytes(): number {
    return this.#file.bytes;
  }

  /** With what is on its way to the disk. */
  get muxedBytes(): number {
    return this.#muxedBytes;
  }

  /** @throws AvError */
  write(unit: EgressUnit): void {
    if (!this.streams.some(({ kind }) => kind === unit.kind)) return;
    this.#flushedUs ??= unit.dtsUs;
    if (unit.dtsUs - this.#flushedUs >= flushEveryUs) {
      this.#flushedUs = unit.dtsUs;
      this.#muxer.flush();
      this.#file.noteWhole();
    }
    if (unit.kind === 'video') this.#writePicture(unit);
    else this.#mux(unit);
  }

  #writePicture(next: EgressUnit | undefined): void {
    const picture = this.#picture;
    this.#picture = next;
    if (!picture) return;
    this.#mux(next ? { ...picture, durationUs: Math.max(1_000, next.dtsUs - picture.dtsUs) } : picture);
  }

  #mux(unit: EgressUnit): void {
    this.#muxer.write({ ...unit, stream: this.streams.findIndex(({ kind }) => kind === unit.kind) });
  }

  /** Ends the file as it should; a file that has failed stays as far as it came. */
  async close(): Promise<void> {
    try {
      this.#writePicture(undefined);
      this.#muxer.finish();
    } finally {
      this.#muxer[Symbol.dispose]();
      await this.#file.close();
    }
  }

  #muxed({ codec, config, ...stream }: EgressStream): MuxedStream {
    const inBand = codec === 'h264' || codec === 'h265';
    return { codec, ...stream, extradata: inBand ? this.parameterSets : (config ?? headOf(codec, stream.channels)) };
  }
}

const h265ParameterSets = [32, 33, 34];

/** @returns those in front of a key picture, as Annex B; a change of them is a change of the stream */
export function parameterSetsOf({ kind, isKey, data }: EgressUnit, streams: readonly EgressStream[]) {
  const codec = streams.find((stream) => stream.kind === kind)?.codec;
  if (!isKey || (codec !== 'h264' && codec !== 'h265')) return undefined;
  const isWanted = (nal: Uint8Array) =>
    codec === 'h264'
      ? h264NalType(nal) === h264Nal.sps || h264NalType(nal) === h264Nal.pps
      : h265ParameterSets.includes(((nal[0] ?? 0) >> 1) & 0x3f);
  const sets = splitAnnexB(data).filter(isWanted);
  return sets.length === 0 ? undefined : toAnnexB(sets);
}

/** OpusHead, RFC 7845 §5.1: containers want it where RTP has none. */
function headOf(codec: EgressStream['codec'], channels = 2): Uint8Array | undefined {
  if (codec !== 'opus') return undefined;
  const head = Buffer.alloc(19);
  head.write('OpusHead', 'latin1');
  head.writeUInt8(1, 8);
  head.writeUInt8(channels, 9);
  head.writeUInt16LE(312, 10); // CELT's look-ahead, in samples
  head.writeUInt32LE(48_000, 12);
  return head;
}
