// Owns: the rest of a group of pictures, encoded anew for somebody who joins in it.
import type { EncodedUnit } from '../av/video-encoder.ts';
import type { VideoTranscoder } from './video-transcoder.ts';

export interface BridgeUnit {
  /** As the transcoder takes it. */
  readonly data: Uint8Array;
  readonly ptsUs: number;
}

export interface KeyFrameBridgeOptions {
  readonly transcoder: VideoTranscoder;
  /** From the key frame on. */
  readonly group: readonly BridgeUnit[];
  readonly account: (work: () => void) => void;
  readonly onUnit: (unit: EncodedUnit) => void;
  /** It has caught up. */
  readonly onOpen: () => void;
}

/** Decoded in one turn of the event loop, which other streams wait for. */
const unitsPerTurn = 8;

/**
 * Where a group of pictures is too long to be sent again, a decoder runs through what there was of it; from the moment it
 * has caught up, the stream goes out of an encoder, beginning with a key frame, until the source makes its own.
 */
export class KeyFrameBridge implements Disposable {
  readonly #options: KeyFrameBridgeOptions;
  readonly #backlog: BridgeUnit[];
  #turn: NodeJS.Immediate | undefined;
  #isOpen = false;

  constructor(options: KeyFrameBridgeOptions) {
    this.#options = options;
    this.#backlog = [...options.group];
    this.#turn = setImmediate(() => this.#catchUp());
  }

  /**
   * The next unit of the group.
   * @returns true when what became of it has been handed over in its place
   */
  push(unit: BridgeUnit): boolean {
    if (!this.#isOpen) {
      this.#backlog.push(unit);
      return false;
    }
    this.#options.transcoder.transcode(unit.data, unit.ptsUs, this.#options.onUnit);
    return true;
  }

  requestKeyFrame(): void {
    this.#options.transcoder.requestKeyFrame();
  }

  repeatLast(onUnit: (unit: EncodedUnit) => void): boolean {
    return this.#isOpen && this.#options.transcoder.repeatLast(onUnit);
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    this.#backlog.length = 0;
    this.#options.transcoder[Symbol.dispose]();
  }

  #catchUp(): void {
    const { account, transcoder } = this.#options;
    account(() => {
      for (const { data, ptsUs } of this.#backlog.splice(0, unitsPerTurn)) transcoder.prime(data, ptsUs);
    });
    this.#isOpen = this.#backlog.length === 0;
    this.#turn = this.#isOpen ? undefined : setImmediate(() => this.#catchUp());
    if (this.#isOpen) this.#options.onOpen();
  }
}
