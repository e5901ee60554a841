// Owns: one stream of the room's SFU side on its way into the mix.
import type { MixInput as MixInputInfo } from '#core/mix-messages.ts';
import { clockRateOf, ownCodec, unknownLevel, VoiceReceiver } from '../legs/voice-receiver.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { VoiceDelayMeter } from './voice-delay-meter.ts';

const oneByteProfile = 0xbede;
/** Of libopus, which makes the mix, and what most senders send. */
const opusLookAheadMs = 6.5;

export class MixInput {
  readonly info: MixInputInfo;
  readonly receiver = new VoiceReceiver();
  readonly delay: VoiceDelayMeter;

  constructor(info: MixInputInfo) {
    this.info = { ...info, codec: ownCodec(info.codec) };
    const { codec, timeline } = this.info;
    const codecDelayMs = codec === 'opus' ? opusLookAheadMs * 2 : opusLookAheadMs;
    this.delay = new VoiceDelayMeter({ clockRateHz: clockRateOf(codec), timeline, codecDelayMs });
  }

  receive(packet: Buffer, nowMs: number): void {
    const { codec, payloadType, levelExtensionId } = this.info;
    if (packet.length <= 12 || ((packet[1] as number) & 0x7f) !== payloadType) return;
    const first = packet[0] as number;
    let offset = 12 + (first & 0x0f) * 4;
    let levelDbov: number = unknownLevel;
    if (first & 0x10) {
      if (offset + 4 > packet.length) return;
      const end = offset + 4 + packet.readUInt16BE(offset + 2) * 4;
      if (end > packet.length) return;
      if (levelExtensionId !== undefined && packet.readUInt16BE(offset) === oneByteProfile) {
        levelDbov = readLevel(packet.subarray(offset + 4, end), levelExtensionId);
      }
      offset = end;
    }
    const padding = first & 0x20 ? (packet[packet.length - 1] as number) : 0;
    const length = packet.length - padding - offset;
    if (length <= 0) return;
    const seq = packet.readUInt16BE(2);
    const timestamp = packet.readUInt32BE(4);
    this.delay.note(timestamp, clockNowUs());
    this.receiver.receive('audio', codec, payloadType, seq, timestamp, packet, offset, length, levelDbov, nowMs);
  }

  /** After each step. */
  measure(beatUs: number): void {
    const { heardTimestamp } = this.receiver;
    if (heardTimestamp !== undefined) this.delay.measure(heardTimestamp, beatUs);
  }

  close(): void {
    this.receiver.close();
  }
}

/** RFC 6464 in the one-byte form of RFC 8285 §4.2. @returns dBov, or `unknownLevel` */
function readLevel(elements: Uint8Array, id: number): number {
  for (let at = 0; at < elements.length; ) {
    const head = elements[at] as number;
    // 0 is padding, 15 ends the list.
    if (head === 0) {
      at += 1;
      continue;
    }
    if (head >> 4 === 15) break;
    const length = (head & 0x0f) + 1;
    const value = elements[at + 1];
    if (head >> 4 === id && value !== undefined) return -(value & 0x7f);
    at += 1 + length;
  }
  return unknownLevel;
}
