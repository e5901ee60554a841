// Owns: MPEG-TS, however it came (SRT, UDP, HTTP, HLS): a byte stream in, streams and access units of core out. Takes
// hostile bytes: bounded, and it never throws. May import: core, its neighbours.
import type { SourceSink, SourceStream, VideoCodec } from '#core/media-source.ts';
import { type AudioFormat, type AudioFrame, AudioFramer } from './audio-frames.ts';
import { type TsPacket, TsPacketReader } from './packet-reader.ts';
import { PesAssembler, type PesPacket } from './pes.ts';
import { type ElementaryStream, parsePat, parsePmt, SectionAssembler } from './sections.ts';
import { type StreamSyntax, syntaxOf } from './stream-types.ts';
import { TsTimeline, ticksBetweenUs } from './timeline.ts';
import { splitVideo } from './video-units.ts';

const patPid = 0;
/** Frames of a PES packet that holds more than one follow each other so closely, until the stream shows its rate. */
const defaultFrameUs = 40_000;

export interface TsFacts {
  readonly packets: number;
  /** Bytes that belonged to no packet. */
  readonly strayBytes: number;
  /** PES packets that lost a part on the way, and tables with a wrong checksum. */
  readonly damaged: number;
  /** Packets that are encrypted: nothing can be made of them. */
  readonly scrambled: number;
  /** Program elements that were found and are none that can be read, as stream types. */
  readonly unknownTypes: readonly number[];
}

/** One elementary stream that is read. */
interface Reader {
  readonly pid: number;
  readonly syntax: StreamSyntax;
  readonly pes: PesAssembler;
  /** Undefined for video. */
  readonly framer: AudioFramer | undefined;
  described: SourceStream | undefined;
  lastDtsUs: number | undefined;
  frameUs: number;
}

/**
 * Reads the first video and the first audio stream of the first program that has any, as a player would. Their ids are
 * 0 and 1, and stay when the program is changed or the source comes back.
 */
export class TsDemuxer {
  readonly #sink: SourceSink;
  readonly #packets = new TsPacketReader();
  readonly #sections = new Map<number, SectionAssembler>();
  readonly #timeline = new TsTimeline();
  #mapPids: readonly number[] = [];
  /** Whose program is read. */
  #mapPid: number | undefined;
  #readers: Reader[] = [];
  #unknownTypes: readonly number[] = [];
  #scrambled = 0;
  #damagedBefore = 0;

  constructor(sink: SourceSink) {
    this.#sink = sink;
    this.#sections.set(patPid, new SectionAssembler());
  }

  get facts(): TsFacts {
    const { packets, strayBytes } = this.#packets;
    const parts = [...this.#sections.values(), ...this.#readers.map(({ pes }) => pes)];
    const damaged = parts.reduce((sum, part) => sum + part.damaged, this.#damagedBefore);
    return { packets, strayBytes, damaged, scrambled: this.#scrambled, unknownTypes: this.#unknownTypes };
  }

  /** @param data any piece of the stream; not kept beyond the end of the PES packets that lie in it */
  push(data: Uint8Array): void {
    this.#packets.push(data, (packet) => this.#packet(packet));
  }

  /**
   * Hands out what waits for a next packet to end it: at the end of the stream or of a segment, after which continuity
   * counters may begin anew.
   */
  flush(): void {
    this.#packets.flush((packet) => this.#packet(packet));
    for (const reader of this.#readers) {
      reader.pes.flush((pes) => this.#pes(reader, pes));
      reader.pes.reset();
    }
    for (const assembler of this.#sections.values()) assembler.reset();
  }

  /** What follows belongs to another recording: it goes on where this one ends, with program tables of its own. */
  discontinuity(): void {
    this.flush();
    this.#packets.reset();
    this.#timeline.splice();
    for (const { framer } of this.#readers) framer?.reset();
  }

  #packet(packet: TsPacket): void {
    const { pid } = packet;
    const reader = this.#readers.find((one) => one.pid === pid);
    if (reader) {
      if (packet.isScrambled) this.#scrambled += 1;
      else reader.pes.push(packet, (pes) => this.#pes(reader, pes));
      return;
    }
    this.#sections.get(pid)?.push(packet, (section) => {
      if (pid === patPid) this.#programs(section);
      else this.#program(pid, section);
    });
  }

  #programs(section: Buffer): void {
    const pids = parsePat(section);
    if (!pids || (pids.length === this.#mapPids.length && pids.every((pid, index) => pid === this.#mapPids[index]))) {
      return;
    }
    for (const pid of this.#mapPids) this.#sections.delete(pid);
    for (const pid of pids) if (pid !== patPid) this.#sections.set(pid, new SectionAssembler());
    this.#mapPids = pids;
    this.#mapPid = undefined;
  }

  #program(mapPid: number, section: Buffer): void {
    const map = parsePmt(section);
    if (!map || (this.#mapPid !== undefined && this.#mapPid !== mapPid)) return;
    const readable = map.streams.flatMap((stream) => {
      const syntax = syntaxOf(stream);
      return syntax ? [{ stream, syntax }] : [];
    });
    this.#unknownTypes = map.streams.filter((one) => !syntaxOf(one)).map(({ streamType }) => streamType);
    if (readable.length === 0) return;
    this.#mapPid = mapPid;
    const chosen = (['video', 'audio'] as const).flatMap((kind) => {
      return readable.find(({ syntax }) => syntax.kind === kind) ?? [];
    });
    if (isSameChoice(this.#readers, chosen)) return;
    for (const reader of this.#readers) this.#close(reader);
    this.#readers = chosen.map(({ stream, syntax }) => newReader(stream.pid, syntax));
  }

  #close(reader: Reader): void {
    reader.pes.flush((pes) => this.#pes(reader, pes));
    this.#damagedBefore += reader.pes.damaged;
  }

  #pes(reader: Reader, pes: PesPacket): void {
    const { pts, dts } = pes;
    const dtsUs = dts === undefined ? undefined : this.#timeline.place(dts);
    const ptsUs =
      pts === undefined || dts === undefined || dtsUs === undefined ? dtsUs : dtsUs + ticksBetweenUs(dts, pts);
    if (reader.framer) reader.framer.push(pes.data, ptsUs, (frame) => this.#sound(reader, frame));
    else this.#pictures(reader, pes.data, dtsUs, ptsUs);
  }

  #sound(reader: Reader, { format, data, ptsUs }: AudioFrame): void {
    if (!isDescribed(reader.described, format)) {
      reader.described = { id: 1, kind: 'audio', framing: { kind: 'bare' }, ...format };
      this.#sink.describe(reader.described);
    }
    const atUs = Math.round(ptsUs);
    this.#sink.deliver({ kind: 'access_unit', streamId: 1, ptsUs: atUs, dtsUs: atUs, isKey: true, data });
  }

  #pictures(reader: Reader, bytes: Buffer, dtsUs: number | undefined, ptsUs: number | undefined): void {
    const codec = reader.syntax.kind === 'video' ? reader.syntax.codec : undefined;
    const firstUs = dtsUs ?? (reader.lastDtsUs === undefined ? undefined : reader.lastDtsUs + reader.frameUs);
    if (!codec || firstUs === undefined || bytes.length === 0) return;
    this.#noteRate(reader, firstUs);
    this.#describeVideo(reader, codec);
    const delayUs = (ptsUs ?? firstUs) - firstUs;
    for (const [index, { data, isKey }] of splitVideo(codec, bytes).entries()) {
      const atUs = firstUs + index * reader.frameUs;
      reader.lastDtsUs = atUs;
      this.#sink.deliver({ kind: 'access_unit', streamId: 0, ptsUs: atUs + delayUs, dtsUs: atUs, isKey, data });
    }
  }

  #noteRate(reader: Reader, dtsUs: number): void {
    const passedUs = dtsUs - (reader.lastDtsUs ?? dtsUs);
    if (passedUs > 5_000 && passedUs < 200_000) reader.frameUs = passedUs;
  }

  #describeVideo(reader: Reader, codec: VideoCodec): void {
    if (reader.described) return;
    reader.described = { id: 0, kind: 'video', codec, framing: { kind: 'bare' } };
    this.#sink.describe(reader.described);
  }
}

function newReader(pid: number, syntax: StreamSyntax): Reader {
  const framer = syntax.kind === 'audio' ? new AudioFramer(syntax.syntax, syntax.channels) : undefined;
  const pes = new PesAssembler();
  return { pid, syntax, pes, framer, described: undefined, lastDtsUs: undefined, frameUs: defaultFrameUs };
}

function isSameChoice(
  readers: readonly Reader[],
  chosen: readonly { readonly stream: ElementaryStream; readonly syntax: StreamSyntax }[],
): boolean {
  return (
    readers.length === chosen.length &&
    chosen.every(({ stream, syntax }, index) => {
      const reader = readers[index];
      return reader?.pid === stream.pid && JSON.stringify(reader.syntax) === JSON.stringify(syntax);
    })
  );
}

function isDescribed(described: SourceStream | undefined, format: AudioFormat): boolean {
  return (
    described !== undefined &&
    described.codec === format.codec &&
    described.sampleRateHz === format.sampleRateHz &&
    described.channels === format.channels &&
    Buffer.compare(described.config ?? Buffer.alloc(0), format.config ?? Buffer.alloc(0)) === 0
  );
}
