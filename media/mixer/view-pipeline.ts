// Owns: a view of one room as a job: takes commands, tells what happens, composes and encodes at its rate.
import { performance } from 'node:perf_hooks';
import type {
  EncoderRequest,
  ViewCommand,
  ViewEvent,
  ViewInput as ViewInputInfo,
  ViewJobSpec,
} from '#core/view-messages.ts';
import type { JobContext, Pipeline, PipelineProgress } from '../job-context.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { Compositor } from './compositor.ts';
import { type EncodedTap, EncoderRegistry, type TapHandle } from './encoder-registry.ts';
import { EncoderTracks } from './encoder-tracks.ts';
import { fontMissingFor } from './fonts.ts';
import { initialTempo, missedShare, nextTempo, type TempoState, tempoSteps } from './tempo.ts';
import { ViewClock } from './view-clock.ts';
import { overspentWords } from './view-input.ts';

const reviewIntervalMs = 1_000;
/** With nothing new to see, viewers get so many pictures a second, so that players do not take it for dead. */
const idleFramerateHz = 10;

export class ViewPipeline implements Pipeline {
  readonly #context: JobContext;
  #spec: ViewJobSpec;
  readonly #compositor: Compositor;
  readonly #encoders = new EncoderRegistry();
  readonly #clock: ViewClock;
  readonly #tracks: EncoderTracks;
  #tempo: TempoState = initialTempo;
  #reviewTimer: NodeJS.Timeout | undefined;
  #utilization = performance.eventLoopUtilization();
  #tickMs = 0;
  #worstTickMs = 0;
  #ticksBefore = 0;
  #skippedBefore = 0;
  #lastEncodedUs = 0;
  #keyFrames = 0;
  #isClosed = false;

  constructor({ context, spec }: { context: JobContext; spec: ViewJobSpec }) {
    this.#context = context;
    this.#spec = spec;
    this.#compositor = new Compositor({
      width: spec.width,
      height: spec.height,
      look: plainLook,
      onArranged: (order, places) => this.#tell({ type: 'viewArranged', order, places }),
    });
    this.#clock = new ViewClock(spec.framerateHz, this.#run);
    this.#tracks = new EncoderTracks({
      ...{ context, encoders: this.#encoders, baseCostMsPerS: () => this.#paintingCostMsPerS },
      tell: (event) => this.#tell(event),
    });
  }

  start(): void {
    this.#clock.start();
    this.#reviewTimer = setInterval(() => this.#review(), reviewIntervalMs);
    this.#context.report('live', 'media_flowing', 'Composing.');
  }

  get progress(): PipelineProgress {
    let [bytesIn, framesIn, framesDropped] = [0, 0, 0];
    for (const { counts } of this.#compositor.inputs.values()) {
      bytesIn += counts.bytesIn;
      framesIn += counts.framesIn;
      framesDropped += counts.framesBroken;
    }
    const { width, height } = this.#spec;
    // Reference pictures of each decoder and encoder, about.
    const pictures = 2 + this.#compositor.inputs.size * 3 + this.#encoders.size * 6;
    return {
      ...{ bytesIn, framesIn, framesDropped, keyFrames: this.#keyFrames },
      ...{ avOffsetMs: undefined, bitrateInBps: 0, memoryBytes: width * height * 1.5 * pictures },
    };
  }

  command(command: ViewCommand): void {
    const { stage } = this.#compositor;
    switch (command.type) {
      case 'lookView':
        this.#compositor.setLook(command.look, command.keepsImage);
        return;
      case 'resizeView':
        this.#resize(command);
        return;
      case 'putViewInput':
        this.#put(command.input);
        return;
      case 'delayViewInput':
        this.#compositor.inputs.get(command.inputId)?.setDelay(command.delayMs);
        return;
      case 'faceViewInput':
        this.#compositor.inputs.get(command.inputId)?.face.set(command.image);
        return;
      case 'dropViewInput':
        this.#drop(command.inputId);
        return;
      case 'orderView':
        stage.reorder(command.inputIds);
        break;
      case 'swapView':
        stage.swap(...command.inputIds);
        break;
      case 'leadView':
        stage.setPrimary(command.inputId);
        break;
      case 'pinView':
        stage.pin(command.inputId);
        break;
      case 'speakView':
        stage.speak(command.inputId, performance.now());
        break;
      case 'openViewEncoder':
      case 'changeViewEncoder':
      case 'setViewBitrate':
      case 'pauseViewEncoder':
      case 'closeViewEncoder':
        this.#tracks.command(command);
        return;
    }
    this.#compositor.arrangeSoon();
  }

  /**
   * What the view's encoder makes, for another job of this process, without RTP between; an equal request shares it.
   * @throws AvError when this build has no such encoder
   */
  tap(request: EncoderRequest, tap: EncodedTap): TapHandle {
    return this.#encoders.tap(request, tap);
  }

  close(): void {
    this.#isClosed = true;
    this.#clock.stop();
    clearInterval(this.#reviewTimer);
    for (const { info } of this.#compositor.inputs.values()) if (info.stream) this.#context.unlisten(info.stream.ssrc);
    this.#tracks.close();
    this.#encoders[Symbol.dispose]();
    this.#compositor[Symbol.dispose]();
  }

  relinked(): void {
    for (const { info } of this.#compositor.inputs.values()) this.#listen(info);
    this.#context.report('live', 'media_flowing', 'Composing.');
  }

  readonly #run = (clockUs: number, tickUs: number) => {
    const startMs = performance.now();
    this.#context.account(() => {
      // The picture nearest to this moment.
      for (const input of this.#compositor.inputs.values()) input.advance(clockUs + tickUs / 2);
      const compositor = this.#compositor;
      const isChanged = compositor.paint(startMs);
      const isIdle = !isChanged && clockUs - this.#lastEncodedUs < 1e6 / idleFramerateHz - tickUs / 2;
      if (isIdle && !this.#encoders.wantsKeyFrame) return;
      this.#lastEncodedUs = clockUs;
      this.#encoders.encode(compositor.canvas.picture, clockUs, tickUs, compositor.changed);
    });
    const tookMs = performance.now() - startMs;
    this.#tickMs += tookMs;
    this.#worstTickMs = Math.max(this.#worstTickMs, tookMs);
  };

  #put(info: ViewInputInfo): void {
    const { inputId } = info;
    this.#reviewFont(info.name);
    const past = this.#compositor.inputs.get(inputId)?.info.stream;
    if (past && past.ssrc !== info.stream?.ssrc) this.#context.unlisten(past.ssrc);
    this.#compositor.put(info, {
      keyFrameWanted: () => this.#tell({ type: 'viewKeyFrameWanted', inputId }),
      sized: (width, height) => this.#tell({ type: 'viewInputSized', inputId, width, height }),
      overspent: (width, height) => {
        const fields = { width, height, name: info.name };
        this.#context.send({ type: 'log', level: 'warn', fields, message: overspentWords });
      },
    });
    this.#listen(info);
  }

  /** Said once for each: a picture goes out without its name, or with boxes in its place. */
  #reviewFont(name: string): void {
    const debian = fontMissingFor(name);
    if (debian === undefined || fontsMissed.has(debian)) return;
    fontsMissed.add(debian);
    const fields = { package: debian, advice: `apt-get install ${debian}, then restart` };
    this.#context.send({ type: 'log', level: 'warn', fields, message: 'no font for names in views' });
  }

  #listen({ inputId, stream }: ViewInputInfo): void {
    if (!stream) return;
    const input = () => this.#compositor.inputs.get(inputId);
    const receive = (packet: Buffer) => {
      if (this.#context.isBehind) input()?.passOver();
      else this.#context.account(() => input()?.receive(packet, clockNowUs()));
    };
    this.#context.listen(stream.ssrc, receive, input()?.captureClock);
  }

  #drop(inputId: number): void {
    const input = this.#compositor.drop(inputId);
    if (input?.info.stream) this.#context.unlisten(input.info.stream.ssrc);
  }

  #resize({ width, height, framerateHz }: Extract<ViewCommand, { type: 'resizeView' }>): void {
    this.#spec = { ...this.#spec, width, height, framerateHz };
    this.#compositor.resize(width, height);
    this.#clock.framerateHz = framerateHz * (tempoSteps[this.#tempo.step] ?? 1);
  }

  /** Painting goes by area and rate, decoding by the inputs that are seen. */
  get #paintingCostMsPerS(): number {
    const { width, height, framerateHz } = this.#spec;
    const canvas = 25 * ((width * height) / (1_280 * 720)) * (framerateHz / 30);
    return canvas + this.#compositor.inputs.size * 12;
  }

  /** Once a second: tells how it goes, and lets the rate give way when there is too much to do. */
  #review(): void {
    const ticks = this.#clock.ticks - this.#ticksBefore;
    const skipped = this.#clock.skipped - this.#skippedBefore;
    this.#ticksBefore = this.#clock.ticks;
    this.#skippedBefore = this.#clock.skipped;
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    this.#utilization = performance.eventLoopUtilization();
    const encoders = this.#encoders.stats;
    this.#keyFrames = encoders.reduce((sum, { keyFrames }) => sum + keyFrames, 0);
    this.#tell({
      type: 'viewMeasured',
      stats: {
        framerateHz: ticks,
        targetFramerateHz: this.#clock.framerateHz,
        msPerTick: ticks > 0 ? this.#tickMs / ticks : 0,
        worstTickMs: this.#worstTickMs,
        ticksSkipped: this.#clock.skipped,
        inputsSeen: this.#compositor.seenCount,
        inputsWaiting: this.#compositor.inputs.size - this.#compositor.seenCount,
        encoders,
      },
    });
    this.#tickMs = 0;
    this.#worstTickMs = 0;
    this.#tempo = nextTempo(this.#tempo, { utilization, skippedShare: missedShare(ticks, skipped, utilization) });
    this.#clock.framerateHz = this.#spec.framerateHz * (tempoSteps[this.#tempo.step] ?? 1);
  }

  #tell(event: ViewEvent): void {
    if (!this.#isClosed) this.#context.send({ type: 'viewEvent', jobId: this.#context.id, event });
  }
}

/** Of this process: what was said need not be said for every view. */
const fontsMissed = new Set<string>();

/** Until it is told how to look. */
const plainLook = {
  layout: { base: 'fluid', gridSize: 4, custom: [], fitPolicy: 'letterbox' },
  maxInputs: 16,
  isVoicePrimary: false,
  backgroundColor: '#000000',
  hasLabels: false,
  hasSpeakerBorder: false,
} as const;
