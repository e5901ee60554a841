// Owns: a viewer of test-picture.ts that has no clock of its own: how sound and picture lie to each other by what their
// sender says, however late either comes.
import type { Room } from '#core/room.ts';
import type { Picture } from '#media/av/picture.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';
import { medianOf, ReportedClock } from './reported-clock.ts';
import { type HeardFrame, RoomViewer, type SeenPicture } from './room-viewer.ts';
import { SoundLine } from './sound-line.ts';
import { disorders } from './test-picture.ts';

type OfBoth = Readonly<Record<'audio' | 'video', number>>;

/** Of Opus, which is all that an encoder or a camera with AAC becomes. */
const soundRateHz = 48_000;
const pictureRateHz = 90_000;
/** Of 16 bits: above the tone, below the beep. */
const loud = 8_192;
/** A beep that is further from a flash belongs to another. */
const maxApartUs = 450_000;
/** A picture that comes so much later than most was held up by the machine; sound that comes 200 ms late is left out. */
const heldUpMs = 100;
const unixOffsetUs = Date.now() * 1_000 - clockNowUs();

/** Receives RTP as WebRTC does, decodes what comes and plays nothing. */
export class SyncViewer {
  /** What it heard of the room, by time stamps. */
  readonly sound = new SoundLine(soundRateHz);
  readonly #viewer: RoomViewer;
  readonly #clocks = { audio: new ReportedClock(soundRateHz), video: new ReportedClock(pictureRateHz) };
  /** Timestamps that they begin at. */
  readonly #flashes: number[] = [];
  readonly #beeps: number[] = [];
  /** Of each picture that the viewer decoded. */
  readonly #isFlash: boolean[] = [];
  readonly #read = { pictures: 0, heard: 0, reports: 0 };
  #wasFlash = true;
  #quietSamples = 0;

  /** Watches what is in the room. */
  static async join(room: Room): Promise<SyncViewer> {
    const viewer = new SyncViewer(await RoomViewer.join(room.media));
    for (const { producer } of room.publications()) await viewer.#viewer.watch(producer);
    return viewer;
  }

  private constructor(viewer: RoomViewer) {
    this.#viewer = viewer;
    viewer.onPicture = (picture) => this.#isFlash.push(isFlash(picture));
  }

  /** Beep after flash, milliseconds, on the sender's clock: what is seen and heard where both are played as they should. */
  get offsetsMs(): readonly number[] {
    return this.#flashes.flatMap((flash) => {
      const apartUs = this.#beeps.map((beep) => this.#clocks.audio.apartUs(beep, this.#clocks.video, flash));
      const own = apartUs.find((one) => Math.abs(one) < maxApartUs);
      return own === undefined ? [] : [own / 1_000];
    });
  }

  get pictures(): number {
    return this.#viewer.pictures.length;
  }

  /** Pictures that came after one of a higher number. */
  get disorders(): number {
    return disorders(this.#viewer.pictures.map(({ number }) => number));
  }

  /** Packets of sound and pictures that came before their stream's first report. */
  get unreported(): OfBoth {
    const { pictures, heard } = this.#viewer;
    const count = (frames: readonly { readonly unixUs: number | undefined }[]) =>
      frames.filter(({ unixUs }) => unixUs === undefined).length;
    return { audio: count(heard), video: count(pictures) };
  }

  /** By how much the reports of a stream differ, milliseconds. */
  get reportSpreadMs(): OfBoth {
    return { audio: this.#clocks.audio.spreadMs, video: this.#clocks.video.spreadMs };
  }

  /** How late most came after when they were to be shown, milliseconds: the machine's, and what is held for it. */
  get usualLatenessMs(): OfBoth {
    const { pictures, heard } = this.#viewer;
    const usual = (lateMs: readonly number[]) => Math.round(medianOf(lateMs));
    return { audio: usual(this.#latenessMs('audio', heard)), video: usual(this.#latenessMs('video', pictures)) };
  }

  /** Of the pictures: those that the machine, or the encoder on it, held up. */
  get heldUpShare(): number {
    const lateMs = this.#latenessMs('video', this.#viewer.pictures);
    const usualMs = medianOf(lateMs);
    return lateMs.filter((ms) => ms > usualMs + heldUpMs).length / lateMs.length;
  }

  /** Resolves when there were so many flashes with a beep. */
  untilFlashes(count: number): Promise<void> {
    return this.#viewer.until(() => {
      this.#take();
      return this.offsetsMs.length >= count;
    });
  }

  close(): void {
    this.#viewer.close();
  }

  /** What has come since. */
  #take(): void {
    const { pictures, heard, reports } = this.#viewer;
    const read = this.#read;
    for (const report of reports.slice(read.reports)) this.#clocks[report.kind].note(report);
    for (; read.pictures < pictures.length; read.pictures++) this.#see(pictures[read.pictures], read.pictures);
    for (; read.heard < heard.length; read.heard++) this.#hear(heard[read.heard]);
    read.reports = reports.length;
  }

  #see(picture: SeenPicture | undefined, index: number): void {
    const isFlash = this.#isFlash[index] ?? false;
    if (isFlash && !this.#wasFlash && picture) this.#flashes.push(picture.rtpTimestamp);
    this.#wasFlash = isFlash;
  }

  #hear(frame: HeardFrame | undefined): void {
    if (!frame) return;
    const { samples, rtpTimestamp } = frame;
    this.#quietSamples += Math.max(0, this.sound.push(rtpTimestamp, samples.length));
    samples.forEach((value, index) => {
      if (Math.abs(value) < loud) {
        this.#quietSamples += 1;
        return;
      }
      if (this.#quietSamples > soundRateHz / 2) this.#beeps.push((rtpTimestamp + index) >>> 0);
      this.#quietSamples = 0;
    });
  }

  #latenessMs(kind: 'audio' | 'video', frames: readonly (SeenPicture | HeardFrame)[]): number[] {
    const clock = this.#clocks[kind];
    return frames.map(({ rtpTimestamp, arrivalUs }) => (arrivalUs + unixOffsetUs - clock.at(rtpTimestamp)) / 1_000);
  }
}

/** In the middle of the bar that is white for a tenth of each second. */
function isFlash({ planes, strides, width, height }: Picture): boolean {
  return (planes[0]?.[Math.round(height / 3) * (strides[0] ?? 0) + (width >> 1)] ?? 0) > 128;
}
