// Owns: one router of a room, and the streams of other routers that are piped into it.
import type { types } from 'mediasoup';
import { roomCodecs } from './codecs.ts';
import type { LayoutPlan } from './payload-layout.ts';
import type { SfuProcess } from './sfu-process.ts';

/** Where a stream entered the room. */
export interface Origin<Native extends Closable> {
  readonly node: RoomNode;
  readonly native: Native;
}

interface Closable {
  readonly id: string;
  readonly closed: boolean;
  readonly observer: { once(event: 'close', listener: () => void): unknown };
  close(): void;
}

/** A stream as a router knows it, in use until it is released. */
export interface Lease<Native> {
  readonly native: Native;
  release(): void;
}

export class RoomNode {
  readonly process: SfuProcess;
  readonly router: types.Router;
  readonly rtpCapabilities: types.RtpCapabilities;
  readonly producers = new Imports<types.Producer>();
  readonly dataProducers = new Imports<types.DataProducer>();
  consumerCount = 0;

  private constructor(process: SfuProcess, router: types.Router) {
    this.process = process;
    this.router = router;
    this.rtpCapabilities = router.rtpCapabilities;
  }

  static async create(process: SfuProcess, plan?: LayoutPlan): Promise<RoomNode> {
    const mediaCodecs = structuredClone([...(plan?.mediaCodecs ?? roomCodecs)]);
    return new RoomNode(process, await process.worker.createRouter({ mediaCodecs }));
  }
}

interface Import<Native> {
  readonly carried: Promise<Native>;
  users: number;
}

/** Streams of other routers in this one, each piped once however many use it, and taken down when nobody does. */
class Imports<Native extends Closable> {
  readonly #imports = new Map<string, Import<Native>>();

  /** @param carry pipes the stream, if this is its first user */
  async acquire(origin: Native, carry: () => Promise<Native>): Promise<Lease<Native>> {
    const entry = this.#imports.get(origin.id) ?? this.#begin(origin.id, carry);
    entry.users++;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      entry.users--;
      if (entry.users > 0) return;
      this.#forget(origin.id, entry);
      // Where it could not be made there is nothing to close, and whoever waited for it was told.
      entry.carried.then((native) => native.close()).catch(() => undefined);
    };
    try {
      return { native: await entry.carried, release };
    } catch (thrown) {
      release();
      throw thrown;
    }
  }

  #begin(id: string, carry: () => Promise<Native>): Import<Native> {
    const entry: Import<Native> = { carried: carry(), users: 0 };
    this.#imports.set(id, entry);
    const forget = (): void => this.#forget(id, entry);
    entry.carried.then((native) => (native.closed ? forget() : native.observer.once('close', forget)), forget);
    return entry;
  }

  /** Its place may have been taken by a later one, which stays. */
  #forget(id: string, entry: Import<Native>): void {
    if (this.#imports.get(id) === entry) this.#imports.delete(id);
  }
}
