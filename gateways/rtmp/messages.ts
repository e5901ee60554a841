// Owns: what RTMP messages say: types, commands and protocol control (RTMP 1.0 §5.4, §6.2, §7). Pure.
// May import: core/errors.
import { GatewayError } from '#core/errors.ts';
import { type AmfObject, type AmfValue, decodeAmf0, encodeAmf0 } from './amf0.ts';
import type { RtmpMessage } from './chunk.ts';

export const messageType = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowAckSize: 5,
  setPeerBandwidth: 6,
  audio: 8,
  video: 9,
  dataAmf3: 15,
  commandAmf3: 17,
  dataAmf0: 18,
  commandAmf0: 20,
  aggregate: 22,
} as const;

/** User control events (§6.2.2, §7.1.7). */
export const userControl = {
  streamBegin: 0,
  streamEof: 1,
  setBufferLength: 3,
  pingRequest: 6,
  pingResponse: 7,
} as const;

/** Chunk streams that we send on; 2 is the one that control messages must use. */
export const chunkStream = { control: 2, command: 3, data: 4, audio: 5, video: 6 } as const;

export interface RtmpCommand {
  readonly name: string;
  /** 0 for what wants no answer. */
  readonly transactionId: number;
  readonly args: readonly AmfValue[];
}

/** @throws GatewayError `invalid_request` when the body is no command */
export function parseCommand(message: RtmpMessage): RtmpCommand {
  const [name, transactionId, ...args] = decodeAmf0(amf0Body(message));
  if (typeof name !== 'string') throw new GatewayError('invalid_request', 'An RTMP command without a name.');
  return { name, transactionId: typeof transactionId === 'number' ? transactionId : 0, args };
}

/** @throws GatewayError `invalid_request` when the body is not AMF0 */
export function parseData(message: RtmpMessage): readonly AmfValue[] {
  return decodeAmf0(amf0Body(message));
}

/** AMF3 messages of every client that is left are AMF0 behind one byte of 0. */
function amf0Body(message: RtmpMessage): Buffer {
  const isAmf3 = message.type === messageType.commandAmf3 || message.type === messageType.dataAmf3;
  return isAmf3 && message.payload[0] === 0 ? message.payload.subarray(1) : message.payload;
}

export function commandMessage(command: RtmpCommand, streamId = 0): RtmpMessage {
  return {
    chunkStreamId: chunkStream.command,
    type: messageType.commandAmf0,
    streamId,
    timestamp: 0,
    payload: encodeAmf0([command.name, command.transactionId, ...command.args]),
  };
}

export function dataMessage(values: readonly AmfValue[], streamId: number, timestamp = 0): RtmpMessage {
  return {
    chunkStreamId: chunkStream.data,
    type: messageType.dataAmf0,
    streamId,
    timestamp,
    payload: encodeAmf0(values),
  };
}

export interface StatusInfo {
  readonly level: 'status' | 'error';
  readonly code: string;
  readonly description: string;
}

export function statusMessage(info: StatusInfo, streamId: number): RtmpMessage {
  return commandMessage({ name: 'onStatus', transactionId: 0, args: [null, { ...info }] }, streamId);
}

/** A control message of one 32-bit number: chunk size, abort, acknowledgement, window. */
export function controlMessage(type: number, value: number): RtmpMessage {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(value >>> 0);
  return { chunkStreamId: chunkStream.control, type, streamId: 0, timestamp: 0, payload };
}

export function peerBandwidthMessage(bytes: number): RtmpMessage {
  const payload = Buffer.allocUnsafe(5);
  payload.writeUInt32BE(bytes);
  payload.writeUInt8(2, 4); // dynamic
  return { chunkStreamId: chunkStream.control, type: messageType.setPeerBandwidth, streamId: 0, timestamp: 0, payload };
}

export function userControlMessage(event: number, ...values: readonly number[]): RtmpMessage {
  const payload = Buffer.allocUnsafe(2 + 4 * values.length);
  payload.writeUInt16BE(event);
  values.forEach((value, i) => {
    payload.writeUInt32BE(value >>> 0, 2 + 4 * i);
  });
  return { chunkStreamId: chunkStream.control, type: messageType.userControl, streamId: 0, timestamp: 0, payload };
}

/** @throws GatewayError `invalid_request` when the number is not there */
export function controlValue(message: RtmpMessage, offset = 0): number {
  if (message.payload.length < offset + 4)
    throw new GatewayError('invalid_request', 'A truncated RTMP control message.');
  return message.payload.readUInt32BE(offset);
}

/** Tags inside of an aggregate message (§7.1.6), with the timestamps that they have in the stream. */
export function splitAggregate(message: RtmpMessage): RtmpMessage[] {
  const body = message.payload;
  const messages: RtmpMessage[] = [];
  let firstTimestamp: number | undefined;
  for (let at = 0; at + 11 <= body.length; ) {
    const type = body.readUInt8(at) & 0x1f;
    const length = body.readUIntBE(at + 1, 3);
    const timestamp = (body.readUIntBE(at + 4, 3) | (body.readUInt8(at + 7) << 24)) >>> 0;
    firstTimestamp ??= timestamp;
    const start = at + 11;
    if (start + length > body.length) throw new GatewayError('invalid_request', 'A truncated RTMP aggregate message.');
    messages.push({
      ...message,
      type,
      timestamp: (message.timestamp + timestamp - firstTimestamp) >>> 0,
      payload: body.subarray(start, start + length),
    });
    at = start + length + 4; // a back pointer follows each tag
  }
  return messages;
}

/** What follows is Enhanced RTMP v2, "Enhancing NetConnection connect Command". */
const canDecode = 0x01;
const reconnect = 0x01;
const multitrack = 0x02;
const modEx = 0x04;
const timestampNanoOffset = 0x08;

const videoFourCcs = ['avc1', 'hvc1', 'av01', 'vp09', 'vp08'] as const;
const audioFourCcs = ['mp4a', 'Opus', '.mp3', 'fLaC', 'ac-3', 'ec-3'] as const;

/** What our server can take, for the answer to `connect`. */
export function serverCapabilities(): AmfObject {
  const info = (fourCcs: readonly string[]) => Object.fromEntries(fourCcs.map((fourCc) => [fourCc, canDecode]));
  return {
    fourCcList: [...videoFourCcs, ...audioFourCcs],
    videoFourCcInfoMap: info(videoFourCcs),
    audioFourCcInfoMap: info(audioFourCcs),
    capsEx: reconnect | multitrack | modEx | timestampNanoOffset,
  };
}

/** What our push may send, for the connect command; as OBS says it. */
export function publishCapabilities(): AmfObject {
  return { fourCcList: ['hvc1', 'av01', 'vp09', 'vp08', 'Opus'], capsEx: 0 };
}
