// Owns: one voice that may be heard in the mix.
import { mixSamples, silentDbov, type VoiceReceiver } from '../legs/voice-receiver.ts';
import type { Candidate } from './speaker-choice.ts';

/** 5 ms: whoever comes or goes in the middle of a word does so without a click. */
const rampSamples = 240;

export class Source implements Candidate {
  readonly receiver: VoiceReceiver;
  score = silentDbov;
  isChosen = false;
  holdSteps = 0;
  levelDbov = silentDbov;
  gain = 1;
  #wasChosen = false;
  #frame: Float32Array | undefined;
  #renderedAt = -1;
  #hasSound = false;

  constructor(receiver: VoiceReceiver) {
    this.receiver = receiver;
  }

  /** @param isEligible whether it may be heard at all */
  step(nowMs: number, isEligible: boolean, scanPeriod: number): void {
    this.receiver.step(nowMs, this.isChosen, scanPeriod);
    this.levelDbov = isEligible ? this.receiver.levelDbov : silentDbov;
  }

  /** The 20 ms of this beat, decoded the first time they are asked for; undefined for silence. */
  frame(beat: number): Float32Array | undefined {
    if (this.#renderedAt !== beat) {
      this.#renderedAt = beat;
      this.#frame ??= new Float32Array(mixSamples);
      this.#hasSound = this.receiver.render(this.#frame);
    }
    return this.#hasSound ? this.#frame : undefined;
  }

  /** Adds its part, softly where it begins or ends. @returns what was added; undefined when that was nothing */
  addTo(sum: Float32Array, part: Float32Array, beat: number): Float32Array | undefined {
    const isBeginning = this.isChosen && !this.#wasChosen;
    const isEnding = !this.isChosen && this.#wasChosen;
    this.#wasChosen = this.isChosen;
    if (!this.isChosen && !isEnding) return undefined;
    const frame = this.frame(beat);
    if (!frame) return undefined;
    const { gain } = this;
    for (let i = 0; i < mixSamples; i++) part[i] = (frame[i] as number) * gain;
    if (isBeginning) for (let i = 0; i < rampSamples; i++) part[i] = ((part[i] as number) * i) / rampSamples;
    if (isEnding) {
      for (let i = 0; i < rampSamples; i++) part[i] = ((part[i] as number) * (rampSamples - i)) / rampSamples;
      part.fill(0, rampSamples);
    }
    for (let i = 0; i < mixSamples; i++) sum[i] = (sum[i] as number) + (part[i] as number);
    return part;
  }

  get wasHeard(): boolean {
    return this.#wasChosen;
  }

  /** At the end of a beat: what nobody asked for is forgotten. */
  endBeat(beat: number): void {
    if (this.#renderedAt !== beat) this.receiver.drop();
  }
}
