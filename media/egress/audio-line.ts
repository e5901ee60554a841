// Owns: the sound of an egress: one line without gaps, whatever the room sends, in each codec that somebody wants.
// May import: media/{av,rtp,pipelines}, core's words.
import type { EgressInput } from '#core/egress-messages.ts';
import type { AudioCodec } from '#core/media-source.ts';
import { AacEncoder, aacFrameSamples } from '../av/aac-encoder.ts';
import { AudioDecoder } from '../av/audio-decoder.ts';
import { OpusEncoder } from '../av/audio-encoder.ts';
import { InputClock } from '../pipelines/input-clock.ts';
import { RtpUnpacker } from '../pipelines/rtp-unpacker.ts';
import type { CaptureClock } from '../rtp/capture-clock.ts';
import { durationOf } from '../rtp/voice-duration.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

const sampleRateHz = 48_000;
const frameSamples = 960;
/** What has not come by then is silence. */
const patienceUs = 300_000;
/** Sound within this of its place is put where the line has got to: time stamps wobble. */
const maxGapSamples = 1_200;
const maxOverlapSamples = 1_200;
const aacBitrateBps = 128_000;
const opusBitrateBps = 96_000;
/** 20 ms of nothing: CELT, full band, mono (RFC 6716 §3.1). */
const opusSilence = Uint8Array.of(0xf8, 0xff, 0xfe);
const stereo = { sampleRateHz, channels: 2 } as const;

/** OpusHead, RFC 7845 §5.1; nothing to skip, as it begins in the middle. */
const opusHead = Buffer.from([...Buffer.from('OpusHead'), 1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0]);

export const egressSounds = ['opus', 'aac'] as const;
export type EgressSound = (typeof egressSounds)[number];

export const soundStreams: Readonly<Record<EgressSound, EgressStream>> = {
  opus: { kind: 'audio', codec: 'opus', config: opusHead, sampleRateHz, channels: 2 },
  aac: { kind: 'audio', codec: 'aac', config: Uint8Array.of(0x11, 0x90), sampleRateHz, channels: 2 },
};

export type OnSound = (sound: EgressSound, unit: EgressUnit) => void;

/**
 * The line is counted in samples: what comes is put at its end, silence fills what does not come, what comes too late or
 * twice is left out. So its time stamps never jump, and AAC frames need no times of their own.
 */
export class AudioLine implements Disposable {
  readonly #originUs: number;
  readonly #onUnit: OnSound;
  readonly #wanted = new Set<EgressSound>();
  #input: EgressInput | undefined;
  #unpacker: RtpUnpacker | undefined;
  #clock: InputClock | undefined;
  #delayUs = 0;
  #decoder: AudioDecoder | undefined;
  #aac: AacEncoder | undefined;
  #aacStart = 0;
  #opus: OpusEncoder | undefined;
  /** End of the line, in samples from the start of the job. */
  #end: number | undefined;
  bytesIn = 0;
  packetsDropped = 0;
  silentFrames = 0;

  constructor(originUs: number, onUnit: OnSound) {
    this.#originUs = originUs;
    this.#onUnit = onUnit;
  }

  setInput(input: EgressInput | undefined): void {
    if (JSON.stringify(input) === JSON.stringify(this.#input)) return;
    this.#input = input;
    this.#clock = input && new InputClock(input.clockRateHz, input.timeline);
    this.#unpacker = input && this.#clock && new RtpUnpacker(sourceStreamOf(input), this.#clock);
    this.#closeDecoder();
  }

  /** To be told when what comes was captured. */
  get captureClock(): CaptureClock | undefined {
    return this.#clock?.capture;
  }

  /** @param delayMs as late as the picture that it belongs to */
  setDelay(delayMs: number): void {
    this.#delayUs = delayMs * 1_000;
  }

  /** Who wants what: an encoder lives as long as somebody does. */
  setWanted(sounds: ReadonlySet<EgressSound>): void {
    this.#wanted.clear();
    for (const sound of sounds) this.#wanted.add(sound);
    if (!sounds.has('aac')) {
      this.#aac?.[Symbol.dispose]();
      this.#aac = undefined;
    }
    if (sounds.size === 0) this.#end = undefined;
  }

  receive(packet: Buffer, nowUs: number): void {
    this.bytesIn += packet.length;
    if (this.#wanted.size === 0) return;
    this.#unpacker?.push(packet, nowUs, ({ data, ptsUs }) => {
      if (data.length > 0) this.#take(data, ptsUs + this.#delayUs);
    });
  }

  /** Call often: fills with silence what has not come. */
  fill(nowUs: number): void {
    if (this.#wanted.size === 0) return;
    const due = this.#sampleAt(nowUs - patienceUs);
    this.#end ??= due;
    while (this.#end + frameSamples <= due) this.#silence();
  }

  [Symbol.dispose](): void {
    this.#closeDecoder();
    this.#aac?.[Symbol.dispose]();
    this.#opus?.[Symbol.dispose]();
  }

  #sampleAt(clockUs: number): number {
    return Math.max(0, Math.round(((clockUs - this.#originUs) * sampleRateHz) / 1e6));
  }

  #take(data: Uint8Array, placedUs: number): void {
    const input = this.#input;
    if (!input) return;
    const start = this.#sampleAt(placedUs);
    this.#end ??= start;
    if (start - this.#end < -maxOverlapSamples) {
      this.packetsDropped += 1;
      return;
    }
    while (start - this.#end > maxGapSamples) this.#silence();
    if (input.codec === 'opus') this.#append(data, durationOf('opus', data));
    else this.#decode(data, (samples) => this.#appendSamples(samples));
  }

  #silence(): void {
    this.silentFrames += 1;
    if (this.#opus) this.#appendSamples(new Int16Array(frameSamples * 2));
    else this.#append(opusSilence, frameSamples);
  }

  /** A packet of Opus: goes out as it is, and as AAC. */
  #append(data: Uint8Array, samples: number): void {
    const at = this.#end ?? 0;
    this.#end = at + samples;
    if (this.#wanted.has('opus')) this.#emit('opus', data, at, samples);
    if (!this.#wanted.has('aac')) return;
    if (data === opusSilence) {
      this.#encodeAac(new Int16Array(samples * 2), at);
      return;
    }
    const pcm = new Int16Array(samples * 2);
    this.#decode(data, (decoded) => pcm.set(decoded.subarray(0, pcm.length)));
    this.#encodeAac(pcm, at);
  }

  /** Any other codec, decoded. */
  #appendSamples(samples: Int16Array): void {
    const at = this.#end ?? 0;
    this.#end = at + samples.length / 2;
    if (this.#wanted.has('aac')) this.#encodeAac(samples, at);
    if (!this.#wanted.has('opus')) return;
    this.#opus ??= new OpusEncoder({ channels: 2, bitrateBps: opusBitrateBps });
    this.#opus.push(samples, (at * 1e6) / sampleRateHz, (data, ptsUs) => {
      const sample = Math.max(0, Math.round((ptsUs * sampleRateHz) / 1e6));
      this.#emit('opus', data, sample, frameSamples);
    });
  }

  #decode(data: Uint8Array, onSamples: (samples: Int16Array) => void): void {
    const input = this.#input;
    if (!input) return;
    this.#decoder ??= new AudioDecoder({
      codec: input.codec as AudioCodec,
      sampleRateHz: input.codec === 'g722' ? 16_000 : input.clockRateHz,
      channels: input.channels,
      output: stereo,
    });
    this.#decoder.decode(data, 0, onSamples);
  }

  #encodeAac(samples: Int16Array, at: number): void {
    if (!this.#aac) {
      this.#aac = new AacEncoder(aacBitrateBps);
      this.#aacStart = at;
    }
    this.#aac.push(samples, (data, sample) => {
      // What a decoder warms up with lies before the beginning.
      const start = this.#aacStart + sample;
      if (start >= 0) this.#emit('aac', data, start, aacFrameSamples);
    });
  }

  #emit(sound: EgressSound, data: Uint8Array, sample: number, samples: number): void {
    const inUs = (count: number) => Math.round((count * 1e6) / sampleRateHz);
    const ptsUs = inUs(sample);
    this.#onUnit(sound, { kind: 'audio', ptsUs, dtsUs: ptsUs, durationUs: inUs(samples), isKey: true, data });
  }

  #closeDecoder(): void {
    this.#decoder?.[Symbol.dispose]();
    this.#decoder = undefined;
    this.#opus?.[Symbol.dispose]();
    this.#opus = undefined;
  }
}

function sourceStreamOf({ payloadType, codec, clockRateHz, channels }: EgressInput) {
  const rtp = { payloadType, encodingName: codec.toUpperCase(), clockRateHz, channels, formatParameters: {} };
  return { id: 0, kind: 'audio', codec: codec as AudioCodec, framing: { kind: 'rtp' }, rtp } as const;
}
