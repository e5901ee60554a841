// Owns: one sink in its job: which streams it gets, from which unit on. May import: its neighbours.
import type { AnalysisLevels, Finding } from '#core/analysis-messages.ts';
import type { EgressSinkStatus, RecodeSpec } from '#core/egress-messages.ts';
import type { EgressSound } from './audio-line.ts';
import { soundStreams } from './audio-line.ts';
import type { EgressStream, EgressUnit } from './sink.ts';
import type { MadeSink, SinkFormats } from './sinks.ts';

/** Pictures that do not come by then are not waited for any longer: sound goes alone, and they join when they come. */
const pictureWaitUs = 5_000_000;

export interface SinkSlotEvents {
  changed(status: EgressSinkStatus): void;
  analysed(findings: readonly Finding[], levels: AnalysisLevels): void;
  keyFrameWanted(): void;
  /** It takes other codecs from now on. */
  takesOthers(): void;
}

export interface SlotMedia {
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
}

export class SinkSlot {
  readonly #made: MadeSink;
  readonly #events: SinkSlotEvents;
  readonly #sinceUs: number;
  #takes: SinkFormats;
  #media: SlotMedia = { hasAudio: false, hasVideo: false };
  #video: EgressStream | undefined;
  #described = '';
  #awaitsKey = true;
  #isPaused: boolean;
  #isOver = false;
  /** Its end was told, or that it failed: nothing is told after that. */
  #isEndTold = false;

  constructor(made: MadeSink, isPaused: boolean, nowUs: number, events: SinkSlotEvents) {
    this.#made = made;
    this.#takes = made.takes;
    this.#events = events;
    this.#isPaused = isPaused;
    this.#sinceUs = nowUs;
    made.sink.events.on('changed', (state, reason, message) => this.#tell({ state, reason, message }));
    made.sink.events.on('analysed', (findings, levels) => events.analysed(findings, levels));
    made.sink.events.on('keyFrameWanted', () => events.keyFrameWanted());
    made.sink.events.on('unsupported', () => this.#fallBack());
    if (isPaused) this.#made.sink.setPaused?.(true);
  }

  get sound(): EgressSound | undefined {
    return this.#isOver ? undefined : this.#takes.audio[0];
  }

  /** What the pictures are to be made anew in for it. */
  get recode(): RecodeSpec | undefined {
    return this.#isOver ? undefined : this.#takes.recode;
  }

  get bytesOut(): number {
    return this.#made.sink.bytesOut;
  }

  /** Nothing more comes of it or goes to it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get wantsKeyFrame(): boolean {
    return this.#awaitsKey && !this.#isPaused && !this.#isOver && this.#media.hasVideo;
  }

  setMedia(media: SlotMedia): void {
    this.#media = media;
    if (!media.hasVideo) this.#video = undefined;
  }

  /** Another stream of pictures, from the next unit on. */
  setVideo(stream: EgressStream): void {
    if (this.#isOver) return;
    if (!this.#takes.video.includes(stream.codec)) {
      this.fail('unsupported_media', `It does not take ${stream.codec}.`);
      return;
    }
    this.#video = stream;
  }

  setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused || this.#isOver) return;
    this.#isPaused = isPaused;
    this.#awaitsKey ||= !this.#made.sink.finish;
    this.#made.sink.setPaused?.(isPaused);
    if (!isPaused) this.#events.keyFrameWanted();
  }

  /** @param nowUs on the machine's clock */
  write(unit: EgressUnit, nowUs: number): void {
    if (this.#isOver || (this.#isPaused && !this.#made.sink.finish)) return;
    const { hasVideo } = this.#media;
    const isWaiting = hasVideo && !this.#video && nowUs - this.#sinceUs < pictureWaitUs;
    if (isWaiting) return;
    if (hasVideo && this.#video && this.#awaitsKey) {
      if (unit.kind !== 'video' || !unit.isKey) return;
    }
    if (unit.kind === 'video') this.#awaitsKey = false;
    this.#describe();
    this.#made.sink.write(unit);
  }

  /** @param isAtOnce nothing more comes: what is on its way is not waited for */
  async close(isAtOnce = false): Promise<void> {
    if (!isAtOnce && !this.#isOver && this.#made.sink.finish) await this.#made.sink.finish();
    this.#isOver = true;
    await this.#made.sink.close();
    this.#tell({ state: 'ended', reason: 'stopped', message: 'Stopped on request.' });
  }

  #tell({ state, reason, message }: EgressSinkStatus): void {
    if (this.#isEndTold) return;
    this.#isEndTold = state === 'ended' || state === 'failed';
    this.#isOver ||= this.#isEndTold;
    this.#events.changed({ state, reason, message: message.slice(0, 1_000) });
  }

  #describe(): void {
    const { hasAudio } = this.#media;
    const [sound] = this.#takes.audio;
    const streams = [...(this.#video ? [this.#video] : []), ...(hasAudio && sound ? [soundStreams[sound]] : [])];
    const described = streams.map((stream) => JSON.stringify({ ...stream, config: [...(stream.config ?? [])] })).join();
    if (described === this.#described) return;
    this.#described = described;
    this.#made.sink.describe(streams);
  }

  #fallBack(): void {
    if (!this.#made.fallback || this.#isOver) return;
    this.#takes = this.#made.fallback;
    this.#video = undefined;
    this.#described = '';
    this.#awaitsKey = true;
    this.#events.takesOthers();
  }

  /** Its pictures cannot be made: it goes on with what there is, or not at all. */
  cannotRecode(reason: 'unsupported_media' | 'overloaded', message: string): void {
    if (this.#made.fallback) this.#fallBack();
    else this.fail(reason, message);
  }

  /** Nothing more can be made for it. */
  fail(reason: 'unsupported_media' | 'overloaded', message: string): void {
    if (this.#isOver) return;
    this.#tell({ state: 'failed', reason, message });
    void this.#made.sink.close();
  }
}
