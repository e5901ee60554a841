// Owns: an egress as a job: media of a room out of its SFU side, to any number of sinks. May import: media/egress, the
// job's context.
import type { EgressCommand, EgressEvent, EgressJobSpec, EgressMedia, EgressSinkSpec } from '#core/egress-messages.ts';
import { AudioLine, type EgressSound } from '../egress/audio-line.ts';
import type { EgressUnit } from '../egress/sink.ts';
import { SinkSlot } from '../egress/sink-slot.ts';
import { makeSink, type SinkTools } from '../egress/sinks.ts';
import { VideoLine } from '../egress/video-line.ts';
import type { JobContext, Pipeline, PipelineProgress } from '../job-context.ts';
import { clockNowUs } from '../rtp/sequence.ts';

const fillIntervalMs = 60;
const measureIntervalMs = 1_000;

export interface EgressPipelineOptions {
  readonly context: JobContext;
  readonly spec: EgressJobSpec;
  readonly tools: SinkTools;
}

export class EgressPipeline implements Pipeline {
  readonly #context: JobContext;
  readonly #tools: SinkTools;
  readonly #slots = new Map<number, SinkSlot>();
  readonly #video: VideoLine;
  readonly #audio: AudioLine;
  readonly #media: { audio?: EgressMedia | undefined; video?: EgressMedia | undefined } = {};
  #timers: NodeJS.Timeout[] = [];
  #isLive = false;
  #isClosed = false;

  constructor({ context, spec, tools }: EgressPipelineOptions) {
    this.#context = context;
    this.#tools = tools;
    const originUs = spec.originUs ?? clockNowUs();
    this.#video = new VideoLine(originUs, {
      described: (stream) => {
        for (const slot of this.#slots.values()) slot.setVideo(stream);
      },
      unit: (unit) => this.#write(unit),
      keyFrameWanted: () => this.#tell({ type: 'egressKeyFrameWanted' }),
    });
    this.#audio = new AudioLine(originUs, (sound, unit) => this.#write(unit, sound));
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
        this.#drop(command.sinkId);
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
    for (const slot of this.#slots.values()) void slot.close();
    this.#slots.clear();
    this.#audio[Symbol.dispose]();
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
      changed: (status) => this.#tell({ type: 'egressSinkChanged', sinkId, ...status }),
      keyFrameWanted: () => this.#video.requestKeyFrame(),
    });
    this.#slots.set(sinkId, slot);
    this.#review();
    this.#video.requestKeyFrame();
  }

  #drop(sinkId: number): void {
    const slot = this.#slots.get(sinkId);
    this.#slots.delete(sinkId);
    this.#review();
    void slot?.close();
  }

  /** What is there may be another, and who wants it. */
  #review(): void {
    const media = { hasAudio: this.#media.audio !== undefined, hasVideo: this.#media.video !== undefined };
    const sounds = new Set<EgressSound>();
    for (const slot of this.#slots.values()) {
      slot.setMedia(media);
      if (media.hasVideo && this.#video.stream) slot.setVideo(this.#video.stream);
      if (media.hasAudio && slot.sound) sounds.add(slot.sound);
    }
    this.#audio.setWanted(sounds);
  }

  #write(unit: EgressUnit, sound?: EgressSound): void {
    const nowUs = clockNowUs();
    for (const slot of this.#slots.values()) {
      if (unit.kind === 'video' || slot.sound === sound) slot.write(unit, nowUs);
    }
    if (this.#isLive || (this.#media.video && unit.kind === 'audio')) return;
    this.#isLive = true;
    this.#context.report('live', 'media_flowing', 'Media flows.');
  }

  #tick(): void {
    const nowUs = clockNowUs();
    this.#audio.fill(nowUs);
    if ([...this.#slots.values()].some((slot) => slot.wantsKeyFrame)) this.#video.requestKeyFrame();
    this.#video.reviewKeyFrame(nowUs);
  }

  #measure(): void {
    const { stream } = this.#video;
    const streams = stream && this.#media.video ? [stream] : [];
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
