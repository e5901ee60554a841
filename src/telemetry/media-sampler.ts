// Owns: how much media flows and how well, measured a bounded piece at a time. May import: core.
import type { SfuWebRtcTransport, StreamStats } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { Publication, Subscription } from '#core/track.ts';

/** Mean over the streams that were looked at last. */
export interface StreamQuality {
  /** 0..1. */
  readonly lossIn: number;
  readonly lossOut: number;
  readonly jitterInMs: number;
}

export interface MediaSamplerOptions {
  readonly rooms: Pick<Rooms, 'liveRooms'>;
  /** Questions to the SFU in one pass, for transports, publications and subscriptions each. */
  readonly budget?: number;
  /** A pass ends then, answered or not. */
  readonly timeoutMs?: number;
}

interface Carried {
  readonly sent: number;
  readonly received: number;
}

/** So many questions are under way at once. */
const batchSize = 50;

/**
 * Asking the SFU about every stream of a busy node at every scrape would cost more than forwarding them: each pass asks
 * about the next few hundred and goes on there the next time, so that all have their turn. Bytes are totals of each
 * transport, so nothing is lost between turns; only what flows between the last turn and the end is not counted.
 */
export class MediaSampler {
  readonly #options: Required<MediaSamplerOptions>;
  readonly #carried = new WeakMap<SfuWebRtcTransport, Carried>();
  readonly #transports: Turns<SfuWebRtcTransport>;
  readonly #publications: Turns<Publication>;
  readonly #subscriptions: Turns<Subscription>;
  #bytesSent = 0;
  #bytesReceived = 0;
  #quality: StreamQuality = { lossIn: 0, lossOut: 0, jitterInMs: 0 };

  constructor(options: MediaSamplerOptions) {
    this.#options = { budget: 300, timeoutMs: 1_000, ...options };
    const { rooms } = options;
    this.#transports = new Turns(() => eachTransport(rooms));
    this.#publications = new Turns(() => eachPublication(rooms));
    this.#subscriptions = new Turns(() => eachSubscription(rooms));
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  get quality(): StreamQuality {
    return this.#quality;
  }

  async pass(): Promise<void> {
    const { budget, timeoutMs } = this.#options;
    const deadline = performance.now() + timeoutMs;
    await askInBatches(this.#transports.next(budget), deadline, (transport) => this.#count(transport));
    const incoming = await askInBatches(this.#publications.next(budget), deadline, (p) => p.producer.getStats());
    const outgoing = await askInBatches(this.#subscriptions.next(budget), deadline, (s) => s.consumer.getStats());
    const arriving = incoming.flat().filter(isFlowing);
    this.#quality = {
      lossIn: mean(arriving.map(({ fractionLost }) => fractionLost)),
      lossOut: mean(
        outgoing
          .flat()
          .filter(isFlowing)
          .map(({ fractionLost }) => fractionLost),
      ),
      jitterInMs: mean(arriving.map(({ jitterMs }) => jitterMs)),
    };
  }

  async #count(transport: SfuWebRtcTransport): Promise<void> {
    const { byteCountSent: sent, byteCountReceived: received } = await transport.getStats();
    const before = this.#carried.get(transport) ?? { sent: 0, received: 0 };
    this.#bytesSent += Math.max(0, sent - before.sent);
    this.#bytesReceived += Math.max(0, received - before.received);
    this.#carried.set(transport, { sent, received });
  }
}

/** Hands out a changing set a piece at a time; each has its turn before any has a second one. */
class Turns<T> {
  readonly #begin: () => Iterator<T>;
  // Iterators over live Maps see what comes and skip what goes, so that they can be kept between turns.
  #rest: Iterator<T>;

  constructor(begin: () => Iterator<T>) {
    this.#begin = begin;
    this.#rest = begin();
  }

  next(count: number): T[] {
    const taken = this.#take(count);
    return taken.length > 0 ? taken : this.#take(count);
  }

  /** @returns fewer when the round has come to its end; the next call begins another */
  #take(count: number): T[] {
    const taken: T[] = [];
    while (taken.length < count) {
      const { value, done } = this.#rest.next();
      if (done) {
        this.#rest = this.#begin();
        break;
      }
      taken.push(value);
    }
    return taken;
  }
}

function* eachTransport(rooms: Pick<Rooms, 'liveRooms'>): Generator<SfuWebRtcTransport> {
  for (const room of rooms.liveRooms()) {
    for (const participant of room.participants.values()) yield* participant.transports.values();
  }
}

function* eachPublication(rooms: Pick<Rooms, 'liveRooms'>): Generator<Publication> {
  for (const room of rooms.liveRooms()) yield* room.publications();
}

function* eachSubscription(rooms: Pick<Rooms, 'liveRooms'>): Generator<Subscription> {
  for (const room of rooms.liveRooms()) {
    for (const participant of room.participants.values()) yield* participant.subscriptions.values();
  }
}

/** @returns the answers that came before the deadline (of `performance.now()`) */
async function askInBatches<T, R>(items: readonly T[], deadline: number, ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length && performance.now() < deadline; at += batchSize) {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.max(1, deadline - performance.now()));
    // A stream that has ended in the meantime has nothing to say: its rejection is normal.
    const batch = items.slice(at, at + batchSize).map(async (item) => answers.push(await ask(item)));
    await Promise.race([Promise.allSettled(batch), late]);
    clearTimeout(timer);
  }
  // A copy: who answers late still pushes into the first one.
  return [...answers];
}

function isFlowing({ bitrateBps }: StreamStats): boolean {
  return bitrateBps > 0;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
