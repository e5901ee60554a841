// Owns: what one leg says and hears as a stream of two channels, for a recording of the call.
import type { TapSound } from '#core/mix-messages.ts';
import { OpusEncoder } from '../av/audio-encoder.ts';
import { mixSamples } from '../legs/voice-receiver.ts';
import type { RtpSender } from '../rtp/sender.ts';

const bitrateBps = 64_000;

export class LegTap {
  readonly sound: TapSound;
  readonly #sender: RtpSender;
  readonly #encoder = new OpusEncoder({ channels: 2, bitrateBps });
  readonly #samples = new Int16Array(mixSamples * 2);
  #start: { readonly clockUs: number; readonly dueMs: number } | undefined;

  constructor(sender: RtpSender, sound: TapSound) {
    this.#sender = sender;
    this.sound = sound;
  }

  /**
   * One beat, stamped with when it was due.
   * @param says of the leg, any amplitude; undefined is silence
   * @param hears s16 as it was sent to it; undefined is silence
   */
  step(dueMs: number, clockUs: number, says: Float32Array | undefined, hears: Int16Array | undefined): void {
    this.#start ??= { clockUs, dueMs };
    const samples = this.#samples;
    for (let i = 0; i < mixSamples; i++) {
      const left = says ? (says[i] as number) : 0;
      const right = hears ? (hears[i] as number) : 0;
      samples[2 * i] = clipped(this.sound === 'mixed' ? left + right : left);
      samples[2 * i + 1] = clipped(this.sound === 'mixed' ? left + right : right);
    }
    const ptsUs = this.#start.clockUs + Math.round((dueMs - this.#start.dueMs) * 1_000);
    this.#encoder.push(samples, ptsUs, (data, atUs) => this.#sender.sendFrame([data], atUs, { marker: false }));
  }

  close(): void {
    this.#encoder[Symbol.dispose]();
  }
}

const clipped = (sample: number): number => Math.max(-32_768, Math.min(32_767, sample));
