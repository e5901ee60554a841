// Owns: what one job encodes for those who asked: a publication of the room for each, and the encoder behind it.
// May import: core only.
import { BitrateFollower } from './bitrate-follower.ts';
import { GatewayError } from './errors.ts';
import type { JobTrack } from './job.ts';
import type { Participant } from './participant.ts';
import type { Logger, SfuPlainTransport } from './ports.ts';
import type { Publication } from './track.ts';
import type { EncoderRequest, ViewCommand } from './view-messages.ts';

/** The worker that is to make an encoder may be dying; whoever waits for it is told after this. */
const openTimeoutMs = 10_000;

/** How often encoders are fitted to what their receivers can take. */
const bitrateReviewMs = 1_000;

/**
 * What they are made of may change with every picture, and who receives them his mind as fast as he is answered: encoders are
 * opened anew this far apart.
 */
const changeIntervalMs = 300;

/** A picture in one encoding, for one who asked. */
export interface EncodedStream {
  readonly request: EncoderRequest;
  /** Another one, under the same id, after the room's media was lost. */
  readonly publication: Publication;
  close(): void;
}

interface OpenStream {
  readonly trackId: number;
  readonly isShared: boolean;
  key: string;
  request: EncoderRequest;
  /** What it is to come to by what it is made of; its request is on the way there, or was refused that. */
  wanted: EncoderRequest;
  isFollowing: boolean;
  readonly ready: PromiseWithResolvers<Publication>;
  publication: Publication | undefined;
  users: number;
  /** What its encoder may spend, as its receivers are. */
  bitrate: BitrateFollower;
  /** Asked of the worker and not answered yet. */
  change: (PromiseWithResolvers<void> & { readonly request: EncoderRequest }) | undefined;
  /** One change after the other. */
  turn: Promise<void>;
  changedMs: number;
  /** By who has it. */
  isBeingChanged: boolean;
}

export interface EncodedStreamsOptions {
  /** Publishes them. */
  readonly self: Participant;
  readonly label: string;
  readonly send: (command: ViewCommand) => void;
  /** One has come or gone. */
  readonly onUse: () => void;
  readonly log: Logger;
}

export class EncodedStreams {
  readonly #options: EncodedStreamsOptions;
  readonly #streams = new Map<number, OpenStream>();
  #lastTrackId = 0;
  #bitrateTimer: NodeJS.Timeout | undefined;

  constructor(options: EncodedStreamsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Publications with the encoder behind them. */
  *tracks(): Iterable<{
    readonly trackId: number;
    readonly request: EncoderRequest;
    readonly publication: Publication;
  }> {
    for (const { trackId, request, publication } of this.#streams.values())
      if (publication && !publication.isClosed) yield { trackId, request, publication };
  }

  /**
   * @param isShared whether an equal request that is there already is the same publication; one that is changed later is not
   * @throws GatewayError `overloaded`, `media_lost`, `timeout`, `closed`
   */
  async open(request: EncoderRequest, isShared: boolean): Promise<EncodedStream> {
    const key = JSON.stringify(request);
    const known = isShared && [...this.#streams.values()].find((stream) => stream.isShared && stream.key === key);
    const stream = known || this.#add(key, request, isShared);
    stream.users += 1;
    this.#options.onUse();
    try {
      await withTimeout(stream.ready.promise);
    } catch (error) {
      this.#release(stream);
      throw error;
    }
    return this.#handleOf(stream);
  }

  /**
   * Live, under the same publication; what was goes on when the worker refuses.
   * @throws GatewayError `not_found`, `unprocessable` (another codec), `conflict`, `overloaded`, `media_lost`, `timeout`
   */
  async change(publication: Publication, request: EncoderRequest): Promise<void> {
    const stream = this.#streamOf(publication);
    if (!stream) throw new GatewayError('not_found', 'That stream has ended.');
    if (stream.isBeingChanged) throw new GatewayError('conflict', 'Another change of this stream is under way.');
    stream.isBeingChanged = true;
    try {
      await this.#change(stream, request);
      stream.wanted = request;
    } finally {
      stream.isBeingChanged = false;
    }
  }

  /** What it is made of has changed: whatever it is told meanwhile, it comes to the last of it. */
  follow(publication: Publication, request: EncoderRequest): void {
    const stream = this.#streamOf(publication);
    if (!stream) return;
    stream.wanted = request;
    void this.#follow(stream);
  }

  /** As `follow()`, for those that are shared. @param resolve what each request comes to now */
  review(resolve: (request: EncoderRequest) => EncoderRequest): void {
    for (const stream of this.#streams.values()) {
      if (!stream.isShared) continue;
      stream.wanted = resolve(stream.wanted);
      void this.#follow(stream);
    }
  }

  /** A worker that knows nothing yet. */
  resend(): void {
    for (const stream of this.#streams.values()) {
      const { trackId, request, change } = stream;
      change?.reject(new GatewayError('media_lost', 'Its media worker was lost; it goes on as it was.'));
      this.#options.send({ type: 'openViewEncoder', trackId, request });
      stream.bitrate = new BitrateFollower(request.bitrateBps);
      if (stream.publication?.isSent === false) {
        this.#options.send({ type: 'pauseViewEncoder', trackId, isPaused: true });
      }
      void this.#follow(stream);
    }
  }

  async publish(transport: SfuPlainTransport, { id, rtpParameters, timeline }: JobTrack): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) return;
    const past = stream.publication;
    if (past?.isSent === false) this.#options.send({ type: 'pauseViewEncoder', trackId: id, isPaused: false });
    await past?.close('replaced');
    const { self, label } = this.#options;
    const publication = await self.publish(transport, {
      kind: 'video',
      source: 'other',
      label,
      rtpParameters,
      timeline,
      id: past?.id,
    });
    if (this.#streams.get(id) !== stream) {
      // Whoever had it has left meanwhile, and closed the past one.
      await publication.close('requested');
      return;
    }
    stream.publication = publication;
    stream.publication.events.on('sentChanged', (isSent) => {
      this.#options.send({ type: 'pauseViewEncoder', trackId: id, isPaused: !isSent });
    });
    stream.ready.resolve(stream.publication);
  }

  unpublish(trackId: number): void {
    void this.#streams.get(trackId)?.publication?.close('requested');
  }

  /** @param message why not; what was goes on then */
  noteChanged(trackId: number, message: string | undefined): void {
    const stream = this.#streams.get(trackId);
    if (!stream) return;
    if (!stream.change) {
      // Nobody waits for it any more: back to what was said.
      if (message === undefined) this.#options.send({ type: 'changeViewEncoder', trackId, request: stream.request });
      return;
    }
    if (message === undefined) stream.change.resolve();
    else stream.change.reject(new GatewayError('overloaded', message, { retryAfterMs: 10_000 }));
  }

  fail(trackId: number, message: string): void {
    const stream = this.#streams.get(trackId);
    if (!stream) return;
    this.#remove(trackId);
    this.#options.log.warn({ request: stream.request, detail: message }, 'not encoded');
    const error = new GatewayError('overloaded', message, { retryAfterMs: 10_000 });
    stream.ready.reject(error);
    stream.change?.reject(error);
    void stream.publication?.close('failed');
    this.#options.onUse();
  }

  close(message: string): void {
    const error = new GatewayError('closed', message);
    for (const { ready, change } of this.#streams.values()) {
      ready.reject(error);
      change?.reject(error);
    }
    this.#streams.clear();
    clearInterval(this.#bitrateTimer);
  }

  #add(key: string, request: EncoderRequest, isShared: boolean): OpenStream {
    const ready = Promise.withResolvers<Publication>();
    ready.promise.catch(() => undefined);
    const stream: OpenStream = {
      ...{ trackId: ++this.#lastTrackId, isShared, key, request, ready },
      ...{
        publication: undefined,
        users: 0,
        change: undefined,
        turn: Promise.resolve(),
        changedMs: Number.NEGATIVE_INFINITY,
      },
      ...{ wanted: request, isFollowing: false, isBeingChanged: false },
      bitrate: new BitrateFollower(request.bitrateBps),
    };
    this.#streams.set(stream.trackId, stream);
    this.#bitrateTimer ??= setInterval(() => this.#fitBitrates(), bitrateReviewMs).unref();
    this.#options.send({ type: 'openViewEncoder', trackId: stream.trackId, request });
    return stream;
  }

  #streamOf({ id }: Publication): OpenStream | undefined {
    return [...this.#streams.values()].find(({ publication }) => publication?.id === id);
  }

  async #follow(stream: OpenStream): Promise<void> {
    if (stream.isFollowing) return;
    stream.isFollowing = true;
    let followed: EncoderRequest | undefined;
    while (followed !== stream.wanted && this.#streams.get(stream.trackId) === stream) {
      const request = stream.wanted;
      if (JSON.stringify(request) === stream.key) break;
      // What it comes to meanwhile is what it is changed to.
      if (followed) await rested(stream);
      followed = stream.wanted;
      await this.#change(stream, followed).catch((err: unknown) => {
        this.#options.log.warn({ err, request: followed }, 'encoder not changed, goes on as it was');
      });
    }
    stream.isFollowing = false;
  }

  #change(stream: OpenStream, request: EncoderRequest): Promise<void> {
    const changed = stream.turn.then(() => this.#changeNow(stream, request));
    stream.turn = changed.catch(() => undefined);
    return changed;
  }

  async #changeNow(stream: OpenStream, request: EncoderRequest): Promise<void> {
    const key = JSON.stringify(request);
    if (key === stream.key) return;
    if (request.codec !== stream.request.codec) {
      throw new GatewayError('unprocessable', 'Another codec needs another subscription; this one goes on as it was.');
    }
    await rested(stream);
    if (this.#streams.get(stream.trackId) !== stream) throw new GatewayError('closed', 'That stream has ended.');
    stream.changedMs = performance.now();
    const change = { ...Promise.withResolvers<void>(), request };
    change.promise.catch(() => undefined);
    stream.change = change;
    this.#options.send({ type: 'changeViewEncoder', trackId: stream.trackId, request });
    try {
      await withTimeout(change.promise);
      stream.request = request;
      stream.key = key;
      stream.bitrate = new BitrateFollower(request.bitrateBps);
    } finally {
      stream.change = undefined;
    }
  }

  #fitBitrates(): void {
    for (const stream of this.#streams.values()) {
      void this.#fitBitrate(stream).catch((error: unknown) => {
        // Its media has just gone: with the next one it begins anew.
        this.#options.log.debug({ err: error }, 'bitrate left as it is');
      });
    }
  }

  async #fitBitrate({ trackId, bitrate, publication, change }: OpenStream): Promise<void> {
    if (!publication || publication.isClosed || change) return;
    const estimates = estimatesOf(publication);
    if (!bitrate.concerns(estimates)) return;
    const stats = await publication.producer.getStats();
    const spentBps = stats.reduce((sum, { bitrateBps: bps }) => sum + bps, 0);
    const bitrateBps = bitrate.fit(estimates, spentBps, performance.now());
    if (bitrateBps !== undefined) this.#options.send({ type: 'setViewBitrate', trackId, bitrateBps });
  }

  #remove(trackId: number): void {
    this.#streams.delete(trackId);
    if (this.#streams.size > 0) return;
    clearInterval(this.#bitrateTimer);
    this.#bitrateTimer = undefined;
  }

  #handleOf(stream: OpenStream): EncodedStream {
    let isClosed = false;
    return {
      get request(): EncoderRequest {
        return stream.request;
      },
      get publication(): Publication {
        if (!stream.publication) throw new GatewayError('media_lost', 'This picture is being started again.');
        return stream.publication;
      },
      close: () => {
        if (isClosed) return;
        isClosed = true;
        this.#release(stream);
      },
    };
  }

  #release(stream: OpenStream): void {
    stream.users -= 1;
    if (stream.users > 0 || this.#streams.get(stream.trackId) !== stream) return;
    this.#remove(stream.trackId);
    void stream.publication?.close('requested');
    this.#options.send({ type: 'closeViewEncoder', trackId: stream.trackId });
    this.#options.onUse();
  }
}

/** Its last change is long enough ago. */
async function rested({ changedMs }: OpenStream): Promise<void> {
  const restMs = changedMs + changeIntervalMs - performance.now();
  if (restMs > 0) await new Promise<void>((resolve) => setTimeout(resolve, restMs).unref());
}

/** Of those whom it is sent to. */
function estimatesOf({ subscriptions }: Publication): Map<string, number> {
  const flowing = [...subscriptions].filter(({ isFlowing }) => isFlowing);
  return new Map(
    flowing.flatMap(({ id, participant: { availableOutgoingBps } }) =>
      availableOutgoingBps === undefined ? [] : [[id, availableOutgoingBps] as const],
    ),
  );
}

async function withTimeout<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const error = new GatewayError('timeout', 'The picture was not ready in time; try again.', { retryAfterMs: 1_000 });
  const timer = setTimeout(() => reject(error), openTimeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
