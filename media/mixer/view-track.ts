// Owns: a view's encoder as a track of its room: units into RTP. May import: media/rtp.
import type { EncoderRequest } from '#core/view-messages.ts';
import type { EncodedUnit } from '../av/video-encoder.ts';
import type { JobContext } from '../job-context.ts';
import { splitAnnexB } from '../rtp/h264.ts';
import { packetiseH264, packetiseVp8, packetiseVp9 } from '../rtp/packetise.ts';
import type { RtpSender } from '../rtp/sender.ts';
import type { EncodedTap, EncoderRegistry, TapHandle } from './encoder-registry.ts';

export interface ViewTrackOptions {
  readonly id: number;
  readonly request: EncoderRequest;
  readonly context: JobContext;
  readonly encoders: EncoderRegistry;
  readonly onFailed: (message: string) => void;
}

type RoomCodec = 'vp8' | 'h264' | 'vp9';

export class ViewTrack implements EncodedTap {
  readonly id: number;
  readonly #options: ViewTrackOptions;
  readonly #codec: RoomCodec;
  readonly #sender: RtpSender;
  #request: EncoderRequest;
  /** Undefined while it is paused: whoever is the last to leave an encoder ends it. */
  #handle: TapHandle | undefined;
  #pictureId = 0;

  /** @throws AvError when the encoder cannot be made, or the codec is none of a room */
  constructor(options: ViewTrackOptions) {
    const { id, request, context, encoders } = options;
    this.id = id;
    this.#options = options;
    const { codec } = request;
    if (codec === 'h265' || codec === 'av1') throw new Error(`No room carries ${codec} from here.`);
    this.#codec = codec;
    this.#request = request;
    this.#handle = encoders.tap(request, this);
    const requestKeyFrame = () => this.#handle?.requestKeyFrame();
    this.#sender = context.openTrack(id, 'video', codec, {
      published: requestKeyFrame,
      keyFrameRequested: requestKeyFrame,
    });
  }

  /** What it is; of one that is paused, what it will be. */
  get request(): EncoderRequest {
    return this.#request;
  }

  onUnit({ data, isKey }: EncodedUnit, clockUs: number): void {
    this.#sender.sendFrame(this.#packetise(data, isKey), clockUs, { isKey });
  }

  onFailed(message: string): void {
    this.#options.onFailed(message);
  }

  setBitrate(bitrateBps: number): void {
    this.#handle?.setBitrate(bitrateBps);
  }

  /** Goes on with a key frame. @throws AvError when its encoder cannot be made again */
  setPaused(isPaused: boolean): void {
    if (isPaused === !this.#handle) return;
    this.#handle?.close();
    this.#handle = isPaused ? undefined : this.#options.encoders.tap(this.#request, this);
  }

  /**
   * Goes on in another size, rate or bitrate, with a key frame.
   * @throws AvError when that encoder cannot be made; the old one goes on then
   */
  change(request: EncoderRequest): void {
    if (request.codec !== this.#codec) throw new Error('The codec of a track cannot be changed.');
    const past = this.#handle;
    if (past) this.#handle = this.#options.encoders.tap(request, this);
    this.#request = request;
    past?.close();
  }

  close(): void {
    this.#handle?.close();
    this.#options.context.endTrack(this.id);
  }

  #packetise(data: Buffer, isKey: boolean): Uint8Array[] {
    switch (this.#codec) {
      case 'h264':
        return packetiseH264(splitAnnexB(data));
      case 'vp8':
        return packetiseVp8(data, this.#pictureId++);
      case 'vp9':
        return packetiseVp9(data, this.#pictureId++, isKey);
    }
  }
}
