// Owns: one leg's voice as a stream of its own in the room: passed on where it is Opus already, made Opus otherwise.
import type { LegCodec } from '#core/leg-media.ts';
import { VoiceEncoder } from '../av/voice-codecs.ts';
import { mixSamples } from '../legs/voice-receiver.ts';
import type { RtpSender } from '../rtp/sender.ts';
import { clockNowUs, timestampDistance } from '../rtp/sequence.ts';
import type { Source } from './source.ts';
import { speechDbov } from './speaker-choice.ts';

const opusBitrateBps = 32_000;
/** 20 ms of silence, full band, mono: what every Opus encoder makes of zeros. */
const silentFrame = Uint8Array.of(0xf8, 0xff, 0xfe);
const hangoverBeats = 25;
/** Passed on packets follow the sender's clock; when that strays from ours they are placed anew. */
const maxStrayUs = 300_000;

export class LegVoice {
  readonly #sender: RtpSender;
  readonly #memory = new Uint8Array(1_275);
  readonly #samples = new Int16Array(mixSamples);
  #encoder: VoiceEncoder | undefined;
  #speechUntil = 0;
  #placed: { readonly timestamp: number; readonly clockUs: number } | undefined;
  #levelDbov = -127;
  #passedAt = -1;
  #beat = 0;
  #originUs = 0;
  #originBeat = 0;

  constructor(sender: RtpSender) {
    this.#sender = sender;
  }

  /** A packet of the leg as it came. */
  pass(codec: LegCodec, timestamp: number, payload: Uint8Array, isWanted: boolean): void {
    if (codec !== 'opus') return;
    this.#passedAt = this.#beat;
    if (!isWanted && this.#beat > this.#speechUntil) return;
    const nowUs = clockNowUs();
    let clockUs = nowUs;
    if (this.#placed) {
      clockUs = this.#placed.clockUs + (timestampDistance(timestamp, this.#placed.timestamp) * 1_000) / 48;
      if (Math.abs(clockUs - nowUs) > maxStrayUs) this.#placed = undefined;
    }
    if (!this.#placed) {
      clockUs = nowUs;
      this.#placed = { timestamp, clockUs };
    }
    this.#sender.sendFrame([payload], clockUs, { marker: false, levelDbov: this.#levelDbov });
  }

  /**
   * One beat.
   * @param isWanted somebody receives it: silence is sent as well
   */
  step(source: Source, beat: number, isHeard: boolean, isWanted: boolean): void {
    this.#beat = beat;
    this.#levelDbov = isHeard ? source.levelDbov : -127;
    if (this.#levelDbov > speechDbov) this.#speechUntil = beat + hangoverBeats;
    const isSpeaking = isHeard && beat <= this.#speechUntil;
    if (source.receiver.codec === 'opus') {
      // Muted, or silent on purpose: the browsers' decoders are told so.
      const isPassed = isHeard && beat - this.#passedAt < hangoverBeats;
      if (isWanted && !isPassed) this.#send(silentFrame);
      return;
    }
    if (isSpeaking) this.#encode(source, beat);
    else if (isWanted) this.#send(silentFrame);
  }

  close(): void {
    this.#encoder?.[Symbol.dispose]();
    this.#encoder = undefined;
  }

  #encode(source: Source, beat: number): void {
    const frame = source.frame(beat);
    if (!frame) {
      this.#send(silentFrame);
      return;
    }
    for (let i = 0; i < mixSamples; i++) {
      this.#samples[i] = Math.max(-32_768, Math.min(32_767, frame[i] as number));
    }
    this.#encoder ??= new VoiceEncoder({ codec: 'opus', frameMs: 20, bitrateBps: opusBitrateBps });
    const length = this.#encoder.encode(this.#samples, this.#memory);
    this.#send(this.#memory.subarray(0, length));
  }

  /** Numbered by beats, so that the sound is as even as the clock. */
  #send(payload: Uint8Array): void {
    this.#placed = undefined;
    this.#sender.sendFrame([payload], this.#beatUs(), { marker: false, levelDbov: this.#levelDbov });
  }

  #beatUs(): number {
    const nowUs = clockNowUs();
    const dueUs = this.#originUs + (this.#beat - this.#originBeat) * 20_000;
    if (Math.abs(dueUs - nowUs) <= maxStrayUs && this.#originUs > 0) return dueUs;
    this.#originUs = nowUs;
    this.#originBeat = this.#beat;
    return nowUs;
  }
}
