// Owns: a MediaSource like an RTMP publisher: numbered pictures and a tone, made in real time.
import type { CloseReason } from '#core/lifecycle.ts';
import type { MediaSource, SourceEnd, SourceSink, SourceStream } from '#core/media-source.ts';
import { numberedPicture, tone } from '#media/av/test-signals.ts';
import { type EncodedUnit, VideoEncoder } from '#media/av/video-encoder.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';

export interface NumberedSourceOptions {
  readonly codec?: 'h264' | 'vp8';
  readonly width?: number;
  readonly height?: number;
  readonly framerateHz?: number;
  /** Frames from key frame to key frame. */
  readonly gop?: number;
  /** L16 by default, which has to be transcoded. */
  readonly hasAudio?: boolean;
  readonly frequencyHz?: number;
  /** Counts up from here, 0..255 and around. */
  readonly firstNumber?: number;
  /** Of a message that decoders skip, in each picture: what a large one weighs. H264 only. */
  readonly ballastBytes?: number;
  /** Claims that frames are reordered, as B-frames would show in the time stamps. */
  readonly isReordered?: boolean;
}

export class NumberedSource implements MediaSource {
  readonly #options: Required<NumberedSourceOptions>;
  readonly #done = Promise.withResolvers<SourceEnd>();
  readonly #encoder: VideoEncoder;
  #sink: SourceSink | undefined;
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;
  #startUs = 0;
  #isSilent = false;
  keyFrameRequests = 0;
  pauses = 0;

  constructor(options: NumberedSourceOptions = {}) {
    this.#options = {
      codec: 'h264',
      width: 320,
      height: 180,
      framerateHz: 30,
      gop: 60,
      hasAudio: true,
      frequencyHz: 440,
      firstNumber: 0,
      isReordered: false,
      ballastBytes: 0,
      ...options,
    };
    const { codec, width, height, framerateHz } = this.#options;
    this.#encoder = new VideoEncoder({ codec, width, height, framerateHz, bitrateBps: 600_000, preset: 'ultrafast' });
  }

  get done(): Promise<SourceEnd> {
    return this.#done.promise;
  }

  /** Number of the picture that was made last. */
  get lastNumber(): number {
    return (this.#options.firstNumber + this.#frame - 1) & 255;
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
    const { codec, hasAudio } = this.#options;
    const video: SourceStream = { id: 0, kind: 'video', codec, framing: { kind: 'bare' } };
    sink.describe(video);
    if (hasAudio) {
      const framing = { kind: 'bare' } as const;
      sink.describe({ id: 1, kind: 'audio', codec: 'l16', framing, sampleRateHz: 44_100, channels: 2 });
    }
    this.#startUs = clockNowUs();
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), 5);
  }

  /** Stays connected and sends nothing, or goes on. */
  setSilent(isSilent: boolean): void {
    this.#isSilent = isSilent;
  }

  /** Ends as a lost connection does. */
  drop(): void {
    this.#finish({
      reason: 'peer_left',
      error: { code: 'timeout', message: 'The connection was lost.' },
      mayReturn: true,
    });
  }

  requestKeyFrame(): boolean {
    this.keyFrameRequests += 1;
    return false;
  }

  pause(): void {
    this.pauses += 1;
  }

  resume(): void {
    // It produces in real time whether somebody waits or not.
  }

  close(reason: CloseReason = 'requested'): void {
    this.#finish({ reason, mayReturn: false });
  }

  #tick(): void {
    const { framerateHz } = this.#options;
    const dueFrames = Math.floor(((clockNowUs() - this.#startUs) * framerateHz) / 1e6) + 1;
    while (this.#frame < dueFrames) this.#makeFrame();
  }

  #makeFrame(): void {
    const { width, height, framerateHz, gop, firstNumber, hasAudio, isReordered, ballastBytes } = this.#options;
    const frame = this.#frame++;
    const ptsUs = Math.round((frame * 1e6) / framerateHz);
    if (frame % gop === 0) this.#encoder.requestKeyFrame();
    using picture = numberedPicture(width, height, (firstNumber + frame) & 255);
    const units: EncodedUnit[] = [];
    this.#encoder.encode(picture, ptsUs, (unit) => units.push(unit));
    if (this.#isSilent) return;
    for (const { data: picture, isKey } of units) {
      const data = ballastBytes > 0 ? Buffer.concat([picture, ballast(ballastBytes)]) : picture;
      const dtsUs = isReordered ? ptsUs - 66_667 : ptsUs;
      this.#sink?.deliver({ kind: 'access_unit', streamId: 0, ptsUs, dtsUs, isKey, data });
    }
    if (hasAudio) this.#makeAudio(frame, ptsUs);
  }

  #makeAudio(frame: number, ptsUs: number): void {
    const samples = Math.round(44_100 / this.#options.framerateHz);
    const pcm = tone({
      frequencyHz: this.#options.frequencyHz,
      sampleRateHz: 44_100,
      channels: 2,
      samples,
      firstSample: frame * samples,
    });
    const data = Buffer.from(pcm.buffer).swap16();
    this.#sink?.deliver({ kind: 'access_unit', streamId: 1, ptsUs, dtsUs: ptsUs, isKey: true, data });
  }

  #finish(end: SourceEnd): void {
    clearInterval(this.#timer);
    this.#sink = undefined;
    this.#encoder[Symbol.dispose]();
    this.#done.resolve(end);
  }
}

/** An SEI message of user data (H.264 §7.3.2.3), without anything that could be taken for a start code. */
function ballast(byteLength: number): Buffer {
  const size = Buffer.alloc(Math.floor(byteLength / 255) + 1, 255);
  size[size.length - 1] = byteLength % 255;
  return Buffer.concat([Buffer.from([0, 0, 0, 1, 6, 5]), size, Buffer.alloc(byteLength, 0xaa), Buffer.from([0x80])]);
}
