// Owns: reading short recordings: WAV with 16-bit PCM, and Opus in Ogg (RFC 7845). Pure but for the decoder.
import { maxVoiceSamples, VoiceDecoder } from '../av/voice-codecs.ts';

const mixRateHz = 48_000;
const maxSamples = mixRateHz * 600;

/** @returns 48 kHz mono; undefined for what is neither */
export function decodeRecording(bytes: Buffer): Int16Array | undefined {
  if (bytes.length < 48) return undefined;
  const kind = bytes.toString('latin1', 0, 4);
  if (kind === 'RIFF') return decodeWav(bytes);
  return kind === 'OggS' ? decodeOggOpus(bytes) : undefined;
}

function decodeWav(bytes: Buffer): Int16Array | undefined {
  let format: { channels: number; rateHz: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString('latin1', at, at + 4);
    const size = Math.min(bytes.readUInt32LE(at + 4), bytes.length - at - 8);
    if (name === 'fmt ' && size >= 16) {
      const isPcm16 = bytes.readUInt16LE(at + 8) === 1 && bytes.readUInt16LE(at + 22) === 16;
      const channels = bytes.readUInt16LE(at + 10);
      const rateHz = bytes.readUInt32LE(at + 12);
      if (!isPcm16 || channels < 1 || channels > 8 || rateHz < 4_000 || rateHz > 192_000) return undefined;
      format = { channels, rateHz };
    } else if (name === 'data' && format) {
      return toMixRate(bytes.subarray(at + 8, at + 8 + size), format.channels, format.rateHz);
    }
    at += 8 + size + (size & 1);
  }
  return undefined;
}

/** The first channel, by straight lines between samples: good enough for speech, and for any rate. */
function toMixRate(data: Buffer, channels: number, rateHz: number): Int16Array {
  const frames = Math.floor(data.length / (2 * channels));
  const count = Math.min(maxSamples, Math.floor((frames * mixRateHz) / rateHz));
  const samples = new Int16Array(count);
  const at = (frame: number) => (frame < frames ? data.readInt16LE(frame * channels * 2) : 0);
  for (let i = 0; i < count; i++) {
    const position = (i * rateHz) / mixRateHz;
    const whole = Math.floor(position);
    const share = position - whole;
    samples[i] = at(whole) * (1 - share) + at(whole + 1) * share;
  }
  return samples;
}

function decodeOggOpus(bytes: Buffer): Int16Array | undefined {
  const packets = oggPackets(bytes);
  const [head] = packets;
  if (head?.toString('latin1', 0, 8) !== 'OpusHead' || head.length < 12) return undefined;
  const skip = head.readUInt16LE(10);
  using decoder = new VoiceDecoder('opus');
  const frame = new Int16Array(maxVoiceSamples);
  const parts: Int16Array[] = [];
  let count = 0;
  // After the head and the tags.
  for (const packet of packets.slice(2)) {
    const decoded = decoder.decode(packet, frame);
    parts.push(frame.slice(0, decoded));
    count += decoded;
    if (count > maxSamples) break;
  }
  const samples = new Int16Array(count);
  let offset = 0;
  for (const part of parts) {
    samples.set(part, offset);
    offset += part.length;
  }
  return samples.subarray(Math.min(skip, count));
}

/** Packets of the first stream, RFC 3533 §6; one that goes over pages is put together. */
function oggPackets(bytes: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  let open: Buffer[] = [];
  for (let at = 0; at + 27 <= bytes.length && bytes.toString('latin1', at, at + 4) === 'OggS'; ) {
    const segments = bytes[at + 26] as number;
    let offset = at + 27 + segments;
    if (offset > bytes.length) break;
    for (let i = 0; i < segments; i++) {
      const length = bytes[at + 27 + i] as number;
      open.push(bytes.subarray(offset, offset + length));
      offset += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(open));
      open = [];
    }
    at = offset;
  }
  return packets;
}
