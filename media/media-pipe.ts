// Owns: how units of a source in the control process travel to a media worker: over a pipe of their own, in frames of bytes.
// Media does not queue behind commands there, and no validator looks at each unit. It is not cheaper where units come one by
// one: waking both processes costs 200-300 us a unit on either way. Shared by both ends. May import: its neighbours, core types.
import { deserialize, serialize } from 'node:v8';
import type { SourceUnit } from '#core/media-source.ts';
import { FrameReader } from './frame-reader.ts';
import { type MessageOf, type ToWorkerMessage, toWorkerMessage } from './protocol.ts';

/** File descriptor of the pipe in the worker. */
export const mediaPipeFd = 4;

/** What goes this way, so that all of it stays in order. */
export type MediaMessage = MessageOf<ToWorkerMessage, 'describeStream' | 'deliverUnit' | 'sourceEnded'>;

/*
 * A frame: length of what follows (4), kind (1), and either a message as V8 writes it, or a unit:
 * flags (1), length of the job's id (1), the id, stream (4), pts (8), dts (8), data.
 */
const frameKind = { message: 1, unit: 2 } as const;
const unitFlags = { isKey: 1, isReplay: 2 } as const;
const unitKinds = ['access_unit', 'rtp', 'rtcp'] as const;
const lengthBytes = 4;
const timesBytes = 4 + 8 + 8;

/** @returns pieces to be written one after another; the last may be the unit's own data, which is not copied */
export function encodeMediaMessage(message: MediaMessage): readonly Uint8Array[] {
  if (message.type === 'deliverUnit') return encodeUnit(message);
  const body = serialize(message);
  const head = Buffer.allocUnsafe(lengthBytes + 1);
  head.writeUInt32BE(1 + body.length, 0);
  head[lengthBytes] = frameKind.message;
  return [head, body];
}

function encodeUnit({ jobId, unit, isReplay }: MessageOf<MediaMessage, 'deliverUnit'>): readonly Uint8Array[] {
  const idBytes = Buffer.byteLength(jobId, 'latin1');
  const head = Buffer.allocUnsafe(lengthBytes + 3 + idBytes + timesBytes);
  const isAccessUnit = unit.kind === 'access_unit';
  head.writeUInt32BE(head.length - lengthBytes + unit.data.byteLength, 0);
  head[lengthBytes] = frameKind.unit;
  head[lengthBytes + 1] =
    (isAccessUnit && unit.isKey ? unitFlags.isKey : 0) |
    (isReplay ? unitFlags.isReplay : 0) |
    (unitKinds.indexOf(unit.kind) << 4);
  head[lengthBytes + 2] = idBytes;
  let at = lengthBytes + 3;
  at += head.write(jobId, at, 'latin1');
  at = head.writeUInt32BE(unit.streamId, at);
  at = head.writeDoubleBE(isAccessUnit ? unit.ptsUs : 0, at);
  head.writeDoubleBE(isAccessUnit ? unit.dtsUs : 0, at);
  return [head, unit.data];
}

export class MediaPipeReader {
  readonly #frames = new FrameReader();

  /** @throws Error for what the other end never sends */
  push(piece: Buffer, onMessage: (message: MediaMessage) => void): void {
    this.#frames.push(piece, (frame) => onMessage(decodeFrame(frame)));
  }
}

function decodeFrame(frame: Buffer): MediaMessage {
  if (frame[0] === frameKind.unit) return decodeUnit(frame);
  const message = toWorkerMessage.parse(deserialize(frame.subarray(1)));
  if (message.type === 'describeStream' || message.type === 'sourceEnded') return message;
  throw new Error(`${message.type} came over the media pipe`);
}

/** By hand: a validator would cost more than the unit. Whatever the bytes are, it has the right shape. */
function decodeUnit(frame: Buffer): MediaMessage {
  const [, flags = 0, idBytes = 0] = frame;
  const at = 3 + idBytes;
  if (frame.length < at + timesBytes) throw new Error('a media frame that is cut off');
  const jobId = frame.toString('latin1', 3, at);
  const streamId = frame.readUInt32BE(at);
  const data = frame.subarray(at + timesBytes);
  const kind = unitKinds[flags >> 4] ?? 'access_unit';
  const unit: SourceUnit =
    kind === 'access_unit'
      ? {
          ...{ kind, streamId, data, isKey: (flags & unitFlags.isKey) !== 0 },
          ...{ ptsUs: frame.readDoubleBE(at + 4), dtsUs: frame.readDoubleBE(at + 12) },
        }
      : { kind, streamId, data };
  return { type: 'deliverUnit', jobId, unit, isReplay: (flags & unitFlags.isReplay) !== 0 };
}
