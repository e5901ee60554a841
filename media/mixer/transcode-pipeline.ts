// Owns: one stream of a room in other formats as a job: decoded once, encoded once for each distinct wish.
import { performance } from 'node:perf_hooks';
import type { ViewCommand, ViewEvent, ViewInput as ViewInputInfo } from '#core/view-messages.ts';
import { Canvas, CellScaler } from '../av/canvas.ts';
import type { HeldPicture } from '../av/held-picture.ts';
import type { Picture } from '../av/picture.ts';
import type { JobContext, Pipeline, PipelineProgress } from '../job-context.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { EncoderRegistry } from './encoder-registry.ts';
import { EncoderTracks } from './encoder-tracks.ts';
import { PictureRate } from './picture-rate.ts';
import { overspentWords, ViewInput } from './view-input.ts';

const reviewIntervalMs = 1_000;
/** A source that stands still is shown again so often to who has just come. */
const repeatIntervalMs = 200;
/** Decoding 720p30. */
const decodingCostMsPerS = 20;

export class TranscodePipeline implements Pipeline {
  readonly #context: JobContext;
  readonly #encoders = new EncoderRegistry();
  readonly #tracks: EncoderTracks;
  readonly #scaler = new CellScaler();
  #input: ViewInput | undefined;
  /** The last picture upright, where its camera is turned. */
  #upright: Canvas | undefined;
  /** Which of its pictures are encoded: all, unless that is too much. */
  readonly #rate = new PictureRate();
  #serial = -1;
  #lastUs = 0;
  /** What came last was passed over: it is shown once nothing follows. */
  #isOwed = false;
  #timers: NodeJS.Timeout[] = [];
  #pictures = 0;
  #workMs = 0;
  #worstMs = 0;
  #keyFrames = 0;
  #isClosed = false;

  constructor({ context }: { context: JobContext }) {
    this.#context = context;
    this.#tracks = new EncoderTracks({
      ...{ context, encoders: this.#encoders, baseCostMsPerS: () => decodingCostMsPerS },
      tell: (event) => this.#tell(event),
    });
  }

  start(): void {
    this.#timers = [
      setInterval(() => this.#review(), reviewIntervalMs),
      setInterval(() => this.#repeat(), repeatIntervalMs),
    ];
    this.#context.report('live', 'media_flowing', 'Transcoding.');
  }

  get progress(): PipelineProgress {
    const { bytesIn, framesIn, framesBroken } = this.#input?.counts ?? { bytesIn: 0, framesIn: 0, framesBroken: 0 };
    const { width = 0, height = 0 } = this.#input?.latest ?? {};
    return {
      ...{ bytesIn, framesIn, framesDropped: framesBroken, keyFrames: this.#keyFrames },
      ...{ avOffsetMs: undefined, bitrateInBps: 0 },
      memoryBytes: width * height * 1.5 * (5 + this.#encoders.size * 6),
    };
  }

  command(command: ViewCommand): void {
    switch (command.type) {
      case 'putViewInput':
        this.#put(command.input);
        return;
      case 'openViewEncoder':
      case 'changeViewEncoder':
      case 'setViewBitrate':
      case 'pauseViewEncoder':
      case 'closeViewEncoder':
        this.#tracks.command(command);
        return;
      default:
        // What is said of a view's looks means nothing here.
        return;
    }
  }

  relinked(): void {
    if (this.#input) this.#listen(this.#input.info);
    this.#context.report('live', 'media_flowing', 'Transcoding.');
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    const ssrc = this.#input?.info.stream?.ssrc;
    if (ssrc !== undefined) this.#context.unlisten(ssrc);
    this.#tracks.close();
    this.#encoders[Symbol.dispose]();
    this.#scaler[Symbol.dispose]();
    this.#upright?.[Symbol.dispose]();
    this.#input?.[Symbol.dispose]();
  }

  #put(info: ViewInputInfo): void {
    const past = this.#input?.info.stream;
    if (past && past.ssrc !== info.stream?.ssrc) this.#context.unlisten(past.ssrc);
    if (this.#input) this.#input.update(info);
    else {
      const { inputId } = info;
      this.#input = new ViewInput(info, {
        keyFrameWanted: () => this.#tell({ type: 'viewKeyFrameWanted', inputId }),
        sized: () => undefined,
        overspent: (width, height) => {
          this.#context.send({ type: 'log', level: 'warn', fields: { width, height }, message: overspentWords });
        },
      });
    }
    this.#listen(info);
  }

  #listen({ stream }: ViewInputInfo): void {
    if (!stream) return;
    this.#context.listen(stream.ssrc, (packet) => {
      if (this.#context.isBehind) this.#input?.passOver();
      else this.#context.account(() => this.#receive(packet));
    });
  }

  #receive(packet: Buffer): void {
    const input = this.#input;
    if (!input) return;
    input.receive(packet, clockNowUs());
    const { latest, serial } = input;
    if (!latest || serial === this.#serial) return;
    this.#serial = serial;
    this.#isOwed = !this.#rate.takes(clockNowUs());
    if (!this.#isOwed) this.#encode(this.#turned(latest));
  }

  /** The size that is told is that of the picture as it is shown. */
  #turned(picture: HeldPicture): Picture {
    const rotation = this.#input?.rotation ?? 0;
    const isTurned = rotation === 90 || rotation === 270;
    const [width, height] = isTurned ? [picture.height, picture.width] : [picture.width, picture.height];
    this.#noteSize(width, height);
    if (rotation === 0) return picture.copy;
    const even = (side: number) => Math.max(2, side - (side % 2));
    const target = { x: 0, y: 0, width: even(width), height: even(height) };
    if (this.#upright?.width !== target.width || this.#upright.height !== target.height) {
      this.#upright?.[Symbol.dispose]();
      this.#upright = new Canvas(target.width, target.height);
    }
    this.#upright.open();
    const whole = { x: 0, y: 0, width: picture.width, height: picture.height };
    this.#scaler.paint(picture, whole, rotation, this.#upright, target);
    return this.#upright.picture;
  }

  #size = '';

  #noteSize(width: number, height: number): void {
    const size = `${width}x${height}`;
    if (size === this.#size) return;
    this.#size = size;
    this.#tell({ type: 'viewInputSized', inputId: this.#input?.id ?? 1, width, height });
  }

  #encode(picture: Picture): void {
    const startMs = performance.now();
    const nowUs = clockNowUs();
    const tickUs = Math.min(100_000, Math.max(8_000, nowUs - this.#lastUs));
    this.#lastUs = nowUs;
    this.#encoders.encode(picture, nowUs, tickUs);
    const tookMs = performance.now() - startMs;
    this.#isOwed = false;
    this.#rate.noteWork(clockNowUs(), tookMs * 1_000);
    this.#pictures += 1;
    this.#workMs += tookMs;
    this.#worstMs = Math.max(this.#worstMs, tookMs);
  }

  #repeat(): void {
    const { latest } = this.#input ?? {};
    const isAsked = this.#encoders.wantsKeyFrame || this.#isOwed;
    if (!latest || !isAsked || clockNowUs() - this.#lastUs < repeatIntervalMs * 1_000) return;
    this.#context.account(() => this.#encode(this.#turned(latest)));
  }

  #review(): void {
    const encoders = this.#encoders.stats;
    this.#keyFrames = encoders.reduce((sum, { keyFrames }) => sum + keyFrames, 0);
    this.#tell({
      type: 'viewMeasured',
      stats: {
        ...{ framerateHz: this.#pictures, targetFramerateHz: this.#rate.review(), ticksSkipped: this.#rate.skipped },
        msPerTick: this.#pictures > 0 ? this.#workMs / this.#pictures : 0,
        ...{ worstTickMs: this.#worstMs, inputsSeen: this.#input?.latest ? 1 : 0, inputsWaiting: 0 },
        encoders,
      },
    });
    this.#pictures = 0;
    this.#workMs = 0;
    this.#worstMs = 0;
  }

  #tell(event: ViewEvent): void {
    if (!this.#isClosed) this.#context.send({ type: 'viewEvent', jobId: this.#context.id, event });
  }
}
