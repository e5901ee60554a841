// Owns: pictures in the form in which an encoder takes them: as they are, as NV12, or in the memory of a device.
import { AV_HWDEVICE_TYPE_VAAPI, AV_PIX_FMT_NV12, AV_PIX_FMT_VAAPI, AV_PIX_FMT_YUV420P } from 'node-av/constants';
import { assertOk, av, NativeOwner } from './library.ts';
import { Picture } from './picture.ts';
import { Scaler } from './scaler.ts';

/** `vaapi`: in surfaces of the first device that libva opens. */
export type PictureForm = 'i420' | 'nv12' | 'vaapi';

const pixelFormats = { i420: AV_PIX_FMT_YUV420P, nv12: AV_PIX_FMT_NV12, vaapi: AV_PIX_FMT_VAAPI } as const;
/** An encoder keeps its reference pictures and the one that it works at; drivers want to know how many before the first. */
const surfaces = 20;

export class EncoderInput extends NativeOwner {
  readonly #form: PictureForm;
  readonly #toNv12: Scaler | undefined;
  #device: av.HardwareDeviceContext | undefined;
  #frames: av.HardwareFramesContext | undefined;

  /** @throws AvError where there is no such device */
  constructor(form: PictureForm, width: number, height: number) {
    super();
    this.#form = form;
    if (form !== 'i420') this.#toNv12 = new Scaler(width, height, AV_PIX_FMT_NV12);
    if (form !== 'vaapi') return;
    try {
      this.#openDevice(width, height);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Before the encoder is opened. */
  prepare(context: av.CodecContext): void {
    context.pixelFormat = pixelFormats[this.#form];
    if (this.#frames) context.hwFramesCtx = this.#frames;
  }

  /** Lends `use` the picture as the encoder wants it. */
  give(picture: Picture, use: (picture: Picture) => void): void {
    this.exclusively(() => {
      if (!this.#toNv12) use(picture);
      else this.#toNv12.scale(picture, (converted) => this.#upload(converted, use));
    });
  }

  #upload(picture: Picture, use: (picture: Picture) => void): void {
    const frames = this.#frames;
    if (!frames) {
      use(picture);
      return;
    }
    using uploaded = Picture.allocate((frame) => frames.getBuffer(frame));
    assertOk(frames.transferDataSync(uploaded.native, picture.native), 'uploading a picture');
    use(uploaded);
  }

  #openDevice(width: number, height: number): void {
    this.#device = new av.HardwareDeviceContext();
    assertOk(this.#device.create(AV_HWDEVICE_TYPE_VAAPI), 'opening a device');
    this.#frames = new av.HardwareFramesContext();
    this.#frames.alloc(this.#device);
    this.#frames.format = AV_PIX_FMT_VAAPI;
    this.#frames.swFormat = AV_PIX_FMT_NV12;
    this.#frames.width = width;
    this.#frames.height = height;
    this.#frames.initialPoolSize = surfaces;
    assertOk(this.#frames.init(), 'asking the device for memory');
  }

  protected override free(): void {
    this.#toNv12?.[Symbol.dispose]();
    this.#frames?.free();
    this.#device?.free();
  }
}
