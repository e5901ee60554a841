// Owns: a compositor without a job, cameras in RTP without a room, and the colours that it paints.
import { expect, vi } from 'vitest';
import type { ViewInput as ViewInputInfo, ViewLook } from '#core/view-messages.ts';
import type { Canvas } from '#media/av/canvas.ts';
import { Picture } from '#media/av/picture.ts';
import { VideoEncoder } from '#media/av/video-encoder.ts';
import { toYuv } from '#media/mixer/backdrop.ts';
import { Compositor } from '#media/mixer/compositor.ts';
import { splitAnnexB } from '#media/rtp/h264.ts';
import { buildRtp } from '#media/rtp/packet.ts';
import { packetiseH264, packetiseVp8, packetiseVp9 } from '#media/rtp/packetise.ts';

export const look: ViewLook = {
  layout: { base: 'fluid', gridSize: 4, custom: [], fitPolicy: 'crop' },
  maxInputs: 16,
  isVoicePrimary: false,
  backgroundColor: '#000000',
  hasLabels: true,
  hasSpeakerBorder: true,
};
/** Disposed of after each test by who uses this. */
export const opened: Disposable[] = [];

export function disposeOpened(): void {
  for (const one of opened.splice(0).reverse()) one[Symbol.dispose]();
}

export function compositorOf(change: Partial<ViewLook> = {}): Compositor {
  const compositor = new Compositor({
    ...{ width: 640, height: 360 },
    look: { ...look, ...change },
    onArranged: () => undefined,
  });
  opened.push(compositor);
  return compositor;
}

/** A camera in RTP, without a room. */
export class Sender {
  readonly info: ViewInputInfo;
  readonly keyFrameWanted = vi.fn();
  readonly overspent = vi.fn();
  readonly #compositor: Compositor;
  readonly #codec: 'h264' | 'vp8' | 'vp9';
  /** From one picture to the next. */
  stepUs = 33_333;
  #nowUs = 0;
  #sequence = 65_530;
  #frames = 0;
  #encoder: VideoEncoder | undefined;

  constructor(compositor: Compositor, inputId: number, codec: 'h264' | 'vp8' | 'vp9' = 'h264') {
    this.#compositor = compositor;
    this.#codec = codec;
    const stream = { ssrc: inputId, payloadType: 96, codec, orientationExtensionId: undefined };
    this.info = { inputId, name: `input ${inputId}`, isShared: false, isMuted: false, stream };
    const { keyFrameWanted, overspent } = this;
    compositor.put(this.info, { keyFrameWanted, sized: () => undefined, overspent });
  }

  show(color: string, width = 320, height = 180): void {
    const picture = filled(color, width, height);
    if (this.#encoder?.width !== width || this.#encoder.height !== height) {
      const options = { codec: this.#codec, width, height, framerateHz: 30, bitrateBps: 2_000_000 } as const;
      this.#encoder = new VideoEncoder({ ...options, preset: 'ultrafast' });
      opened.push(this.#encoder);
    }
    this.#encoder.encode(picture, this.#frames * 33_333, ({ data, isKey }) => this.send(this.#packetise(data, isKey)));
    picture[Symbol.dispose]();
  }

  send(payloads: readonly Uint8Array[]): void {
    this.#frames += 1;
    this.#nowUs += this.stepUs;
    const timestamp = this.#frames * 3_000;
    for (const [index, payload] of payloads.entries()) {
      const marker = index === payloads.length - 1;
      this.#sequence = (this.#sequence + 1) & 0xffff;
      const header = { payloadType: 96, marker, sequenceNumber: this.#sequence, timestamp, ssrc: this.info.inputId };
      this.#compositor.inputs.get(this.info.inputId)?.receive(buildRtp(header, payload), this.#nowUs);
    }
  }

  #packetise(data: Buffer, isKey: boolean): Uint8Array[] {
    if (this.#codec === 'vp8') return packetiseVp8(data, this.#frames);
    return this.#codec === 'vp9' ? packetiseVp9(data, this.#frames, isKey) : packetiseH264(splitAnnexB(data));
  }
}

export function filled(color: string, width: number, height: number): Picture {
  const picture = Picture.blank(width, height);
  const { y, u, v } = toYuv(color);
  for (const [index, value] of [y, u, v].entries()) picture.planes[index]?.fill(value);
  return picture;
}

export function colorAt({ picture }: Canvas, x: number, y: number): number[] {
  return [0, 1, 2].map((plane) => {
    const shift = plane === 0 ? 0 : 1;
    return picture.planes[plane]?.[(y >> shift) * (picture.strides[plane] ?? 0) + (x >> shift)] ?? -1;
  });
}

export function expectColor(canvas: Canvas, x: number, y: number, color: string): void {
  const { y: luma, u, v } = toYuv(color);
  const seen = colorAt(canvas, x, y);
  for (const [index, value] of [luma, u, v].entries()) {
    expect(Math.abs(value - (seen[index] ?? 0)), `${color} at ${x},${y}: ${seen}`).toBeLessThan(12);
  }
}
