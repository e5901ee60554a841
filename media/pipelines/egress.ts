// Owns: an egress as a job: media of a room out of its SFU side, to any number of sinks. May import: media/egress, the
// job's context.
import type { EgressCommand, EgressEvent, EgressJobSpec, EgressMedia, EgressSinkSpec } from '#core/egress-messages.ts';
import { AudioLine, type EgressSound } from '../egress/audio-line.ts';
import { Recoders, recodeKey } from '../egress/recoders.ts';
import type { EgressStream, EgressUnit } from '../egress/sink.ts';
import { SinkSlot } from '../egress/sink-slot.ts';
import { makeSink, type SinkTools } from '../egress/sinks.ts';
import { VideoLine } from '../egress/video-line.ts';
import type { JobContext, Pipeline, PipelineProgress } from '../job-context.ts';
import { clockNowUs } from '../rtp/sequence.ts';

const fillIntervalMs = 60;
const measureIntervalMs = 1_000;
/** CPU of an egress that encodes no pictures, as src/jobs/placement.ts reckons it. */
const baseCostMsPerS = 25;

export interface EgressPipelineOptions {
  readonly context: JobContext;
  readonly spec: EgressJobSpec;
  readonly tools: Omit<SinkTools, 'nowUs'>;
}

export class EgressPipeline implements Pipeline {
  readonly #context: JobContext;
  readonly #tools: SinkTools;
  readonly #slots = new Map<number, SinkSlot>();
  readonly #video: VideoLine;
  readonly #audio: AudioLine;
  readonly #recoders: Recoders;
  readonly #media: { audio?: EgressMedia | undefined; video?: EgressMedia | undefined } = {};
  #timers: NodeJS.Timeout[] = [];
  #isLive = false;
  #isClosed = false;

  constructor({ context, spec, tools }: EgressPipelineOptions) {
    this.#context = context;
    const originUs = spec.originUs ?? clockNowUs();
    this.#tools = { ...tools, nowUs: () => clockNowUs() - originUs };
    this.#video = new VideoLine(originUs, {
      described: (stream) => {
        this.#recoders.describe(stream);
        for (const slot of this.#plain) slot.setVideo(stream);
      },
      unit: (unit) => {
        this.#writeTo(this.#plain, unit);
        this.#recoders.write(unit);
      },
      keyFrameWanted: () => this.#tell({ type: 'egressKeyFrameWanted' }),
    });
    this.#audio = new AudioLine(originUs, (sound, unit) => {
      this.#writeTo(
        [...this.#slots.values()].filter((slot) => slot.sound === sound),
        unit,
      );
    });
    this.#recoders = new Recoders({
      described: (key, stream) => {
        for (const slot of this.#recoded(key)) slot.setVideo(stream);
      },
      unit: (key, unit) => this.#writeTo(this.#recoded(key), unit),
      failed: (key, message, isOverloaded) => {
        for (const slot of this.#recoded(key)) {
          slot.cannotRecode(isOverloaded ? 'overloaded' : 'unsupported_media', message);
        }
      },
      askCost: (costMsPerS) => context.askCost(baseCostMsPerS + costMsPerS),
    });
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#context.account(() => this.#tick()), fillIntervalMs),
      setInterval(() => this.#measure(), measureIntervalMs),
    ];
  }

  get progress(): PipelineProgress {
    const { bytesIn, framesIn, framesDropped, keyFrames } = this.#video;
    return {
      bytesIn: bytesIn + this.#audio.bytesIn,
      ...{ framesIn, framesDropped, keyFrames, avOffsetMs: undefined, bitrateInBps: 0, memoryBytes: 0 },
    };
  }

  /** Its sinks have gone on with silence and the last picture; it is live again when the room sends. */
  relinked(): void {
    this.#isLive = false;
  }

  command(command: EgressCommand): void {
    switch (command.type) {
      case 'setEgressMedia':
        this.#setMedia('audio', command.audio);
        this.#setMedia('video', command.video);
        this.#review();
        return;
      case 'putEgressSink':
        this.#put(command.sinkId, command.sink, command.isPaused);
        return;
      case 'dropEgressSink':
        void this.#drop(command.sinkId);
        return;
      case 'pauseEgressSink':
        this.#slots.get(command.sinkId)?.setPaused(command.isPaused);
        return;
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#setMedia('audio', undefined);
    this.#setMedia('video', undefined);
    for (const slot of this.#slots.values()) void slot.close(true);
    this.#slots.clear();
    this.#audio[Symbol.dispose]();
    this.#recoders[Symbol.dispose]();
  }

  #setMedia(kind: 'audio' | 'video', media: EgressMedia | undefined): void {
    const past = this.#media[kind]?.input;
    const { input } = media ?? {};
    this.#media[kind] = media;
    if (past && past.ssrc !== input?.ssrc) this.#context.unlisten(past.ssrc);
    const line = kind === 'audio' ? this.#audio : this.#video;
    line.setInput(input);
    line.setDelay(media?.delayMs ?? 0);
    if (!input) return;
    const receive = (packet: Buffer) => this.#context.account(() => line.receive(packet, clockNowUs()));
    this.#context.listen(input.ssrc, receive, line.captureClock);
  }

  #put(sinkId: number, spec: EgressSinkSpec, isPaused: boolean): void {
    if (this.#slots.has(sinkId)) return;
    const slot = new SinkSlot(makeSink(spec, this.#tools), isPaused, clockNowUs(), {
      changed: (status) => {
        this.#tell({ type: 'egressSinkChanged', sinkId, ...status });
        // Not now: it may be its own unit that ended it.
        if (status.state === 'ended' || status.state === 'failed') setImmediate(() => this.#forget(sinkId, slot));
      },
      analysed: (findings, levels) => this.#tell({ type: 'egressAnalysed', sinkId, findings, levels }),
      keyFrameWanted: () => this.#requestKeyFrameFor(slot),
      takesOthers: () => {
        this.#review();
        this.#video.requestKeyFrame();
      },
    });
    this.#slots.set(sinkId, slot);
    this.#review();
    this.#video.requestKeyFrame();
  }

  async #drop(sinkId: number): Promise<void> {
    const slot = this.#slots.get(sinkId);
    const closed = slot?.close();
    // A recorder is given what is still on its way.
    if (slot && !slot.isOver) await closed;
    if (this.#isClosed) return;
    this.#slots.delete(sinkId);
    this.#review();
  }

  /** Of one that has ended by itself nothing is kept for as long as the job lasts. */
  #forget(sinkId: number, slot: SinkSlot): void {
    if (this.#slots.get(sinkId) === slot) void this.#drop(sinkId);
  }

  /** What is there may be another, and who wants it. */
  #review(): void {
    const media = { hasAudio: this.#media.audio !== undefined, hasVideo: this.#media.video !== undefined };
    const sounds = new Set<EgressSound>();
    for (const slot of this.#slots.values()) {
      slot.setMedia(media);
      const stream = slot.recode ? this.#recoders.stream(recodeKey(slot.recode)) : this.#video.stream;
      if (media.hasVideo && stream) slot.setVideo(stream);
      if (media.hasAudio && slot.sound) sounds.add(slot.sound);
    }
    this.#audio.setWanted(sounds);
    this.#recoders.setWanted([...this.#slots.values()].flatMap(({ recode }) => recode ?? []));
  }

  get #plain(): readonly SinkSlot[] {
    return [...this.#slots.values()].filter(({ recode }) => !recode);
  }

  #recoded(key: string): readonly SinkSlot[] {
    return [...this.#slots.values()].filter(({ recode }) => recode && recodeKey(recode) === key);
  }

  #requestKeyFrameFor({ recode }: SinkSlot): void {
    if (recode) this.#recoders.requestKeyFrame(recodeKey(recode));
    else this.#video.requestKeyFrame();
  }

  #writeTo(slots: readonly SinkSlot[], unit: EgressUnit): void {
    const nowUs = clockNowUs();
    for (const slot of slots) slot.write(unit, nowUs);
    if (this.#isLive || (this.#media.video && unit.kind === 'audio')) return;
    this.#isLive = true;
    this.#context.report('live', 'media_flowing', 'Media flows.');
  }

  #tick(): void {
    const nowUs = clockNowUs();
    this.#audio.fill(nowUs);
    for (const slot of this.#slots.values()) if (slot.wantsKeyFrame) this.#requestKeyFrameFor(slot);
    this.#video.reviewKeyFrame(nowUs);
  }

  #measure(): void {
    const made = [...this.#slots.values()].flatMap(({ recode }) => (recode ? [recodeKey(recode)] : []));
    const all = [this.#video.stream, ...[...new Set(made)].map((key) => this.#recoders.stream(key))];
    const streams: EgressStream[] = this.#media.video ? all.filter((one) => one !== undefined) : [];
    this.#tell({
      type: 'egressMeasured',
      sinks: [...this.#slots].map(([sinkId, { bytesOut }]) => ({ sinkId, bytesOut })),
      streams: streams.map(({ kind, codec, width, height }) => ({ kind, codec, width, height })),
    });
  }

  #tell(event: EgressEvent): void {
    if (!this.#isClosed) this.#context.send({ type: 'egressEvent', jobId: this.#context.id, event: event as never });
  }
}
