// Owns: one beat of a room's mix: who speaks is decoded once, everybody else gets the same packets.
import type { CallLeg } from '../legs/call-leg.ts';
import { mixSamples } from '../legs/voice-receiver.ts';
import type { MixInput } from './mix-input.ts';
import { MixSound } from './mix-sound.ts';
import type { Player } from './player.ts';
import { Source } from './source.ts';
import { chooseSpeakers } from './speaker-choice.ts';

/** The room under a prompt, as a factor: 12 dB. */
const lowered = 0.25;
/** Encoders of one listener's own are kept for so many beats after they were needed: 10 s. */
const ownSoundBeats = 500;
/** More voices than this that say nothing of their level are not all decoded in each beat to know it. */
const fullScanVoices = 8;
const scanPeriod = 3;
/** So many legs are looked after in each beat: each of them every half second or so. */
const watchShare = 25;

export interface Listener {
  readonly leg: CallLeg;
  readonly source: Source;
  player: Player | undefined;
  music: Player | undefined;
  own: MixSound | undefined;
  ownUsedAt: number;
  part: Float32Array | undefined;
  /** In this beat; undefined where it does not listen. */
  heard: MixSound | undefined;
}

export interface MixerOptions {
  readonly loudest: number;
  /** A player has come to its end by itself. */
  readonly onPlayed: (leg: CallLeg, playId: number) => void;
}

export class Mixer {
  readonly listeners = new Map<number, Listener>();
  readonly #options: MixerOptions;
  readonly #inputs = new Map<number, { readonly input: MixInput; readonly source: Source }>();
  #sources: Source[] = [];
  readonly #sum = new Float32Array(mixSamples);
  readonly #own = new Float32Array(mixSamples);
  readonly #spare = new Float32Array(mixSamples);
  readonly #silence = new MixSound();
  /** What everybody hears who does not speak. */
  readonly shared = new MixSound();
  readonly #listenerOf = new Map<Source, Listener>();
  #watched: Listener[] = [];
  #watchAt = 0;
  #beat = 0;
  #unknownVoices = 0;
  decodedVoices = 0;

  constructor(options: MixerOptions) {
    this.#options = options;
  }

  get beat(): number {
    return this.#beat;
  }

  addLeg(leg: CallLeg): Listener {
    const listener: Listener = {
      leg,
      source: new Source(leg.receiver),
      player: undefined,
      music: undefined,
      own: undefined,
      ownUsedAt: 0,
      part: undefined,
      heard: undefined,
    };
    this.listeners.set(leg.id, listener);
    this.#listSources();
    return listener;
  }

  removeLeg(id: number): void {
    this.listeners.get(id)?.own?.close();
    this.listeners.delete(id);
    this.#listSources();
  }

  addInput(input: MixInput): void {
    this.removeInput(input.info.inputId);
    this.#inputs.set(input.info.inputId, { input, source: new Source(input.receiver) });
    this.#listSources();
  }

  removeInput(id: number): MixInput | undefined {
    const known = this.#inputs.get(id);
    this.#inputs.delete(id);
    this.#listSources();
    known?.input.close();
    return known?.input;
  }

  get inputs(): readonly MixInput[] {
    return [...this.#inputs.values()].map(({ input }) => input);
  }

  /** @param skipped beats that were left out before */
  run(nowMs: number, skipped: number): void {
    this.#beat += 1;
    this.#listen(nowMs);
    this.#speak();
    for (const listener of this.listeners.values()) this.#serve(listener, skipped);
    this.#watch(nowMs);
  }

  /** After everything that may want a voice of this beat. */
  endBeat(): void {
    for (const source of this.#sources) source.endBeat(this.#beat);
  }

  close(): void {
    for (const id of [...this.listeners.keys()]) this.removeLeg(id);
    for (const id of [...this.#inputs.keys()]) this.removeInput(id);
    this.shared.close();
    this.#silence.close();
  }

  #listen(nowMs: number): void {
    const period = this.#unknownVoices > fullScanVoices ? scanPeriod : 1;
    let unknown = 0;
    for (const { leg, source } of this.listeners.values()) {
      source.step(nowMs, leg.speaks, period);
      const { codec, isActive } = source.receiver;
      if (isActive && (codec === 'opus' || codec === 'g722')) unknown += 1;
    }
    for (const { source } of this.#inputs.values()) source.step(nowMs, true, period);
    this.#unknownVoices = unknown;
  }

  #speak(): void {
    const chosen = chooseSpeakers(this.#sources, this.#options.loudest);
    const sum = this.#sum.fill(0);
    let voices = 0;
    for (const source of this.#sources) {
      if (!source.isChosen && !source.wasHeard) continue;
      const listener = this.#listenerOf.get(source);
      let part: Float32Array = this.#spare;
      if (listener) {
        listener.part ??= new Float32Array(mixSamples);
        part = listener.part;
        source.gain = 10 ** (listener.leg.standing.gainDb / 20);
      }
      const added = source.addTo(sum, part, this.#beat);
      if (added) voices += 1;
      else if (listener) part.fill(0);
    }
    this.decodedVoices = voices;
    this.shared.set(voices > 0 || chosen.length > 0 ? sum : undefined);
    this.#silence.set(undefined);
  }

  #serve(listener: Listener, skipped: number): void {
    const { leg, source } = listener;
    if (skipped > 0) leg.output.pass(skipped);
    listener.heard = undefined;
    if (!leg.listens) {
      leg.output.pass();
      return;
    }
    const { hearsRoom } = leg;
    const isHeard = source.wasHeard || source.isChosen;
    const hasPlayer = listener.player !== undefined || listener.music !== undefined;
    if (!hasPlayer && !(hearsRoom && isHeard)) {
      listener.heard = hearsRoom ? this.shared : this.#silence;
      leg.output.step(listener.heard);
      this.#releaseOwn(listener);
      return;
    }
    listener.heard = this.#ownSound(listener, hearsRoom, isHeard);
    leg.output.step(listener.heard);
  }

  /** The room without the listener, and whatever is played to it. */
  #ownSound(listener: Listener, hearsRoom: boolean, isHeard: boolean): MixSound {
    const own = this.#own;
    const room = hearsRoom ? (listener.player ? lowered : 1) : 0;
    const { part } = listener;
    const mine = isHeard && part ? part : undefined;
    for (let i = 0; i < mixSamples; i++) {
      own[i] = room * ((this.#sum[i] as number) - (mine ? (mine[i] as number) : 0));
    }
    if (listener.player && !listener.player.addTo(own)) {
      const { playId } = listener.player;
      listener.player = undefined;
      this.#options.onPlayed(listener.leg, playId);
    }
    if (!listener.player) listener.music?.addTo(own);
    let sound = listener.own;
    if (!sound) {
      sound = new MixSound();
      if (hearsRoom) sound.continueFrom(this.shared);
      listener.own = sound;
    }
    listener.ownUsedAt = this.#beat;
    sound.set(own);
    return sound;
  }

  #releaseOwn(listener: Listener): void {
    if (!listener.own || this.#beat - listener.ownUsedAt < ownSoundBeats) return;
    listener.own.close();
    listener.own = undefined;
  }

  #watch(nowMs: number): void {
    const all = this.#watched;
    const count = Math.ceil(all.length / watchShare);
    for (let i = 0; i < count; i++) {
      this.#watchAt = (this.#watchAt + 1) % all.length;
      all[this.#watchAt]?.leg.watch(nowMs);
    }
  }

  #listSources(): void {
    this.#watched = [...this.listeners.values()];
    this.#sources = [...this.#watched, ...this.#inputs.values()].map(({ source }) => source);
    this.#listenerOf.clear();
    for (const listener of this.#watched) this.#listenerOf.set(listener.source, listener);
  }
}
