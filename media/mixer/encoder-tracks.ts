// Owns: encoders as tracks of a room, as the control process asks for them: opened, changed under way, closed.
import type { EncoderRequest, ViewCommand, ViewEvent } from '#core/view-messages.ts';
import type { JobContext } from '../job-context.ts';
import { type EncoderRegistry, encodingCostMsPerS } from './encoder-registry.ts';
import { ViewTrack } from './view-track.ts';

type Open = Extract<ViewCommand, { type: 'openViewEncoder' }>;
type Change = Extract<ViewCommand, { type: 'changeViewEncoder' }>;
type Pause = Extract<ViewCommand, { type: 'pauseViewEncoder' }>;
export type TrackCommand = Extract<
  ViewCommand,
  { type: 'openViewEncoder' | 'changeViewEncoder' | 'setViewBitrate' | 'pauseViewEncoder' | 'closeViewEncoder' }
>;

export interface EncoderTracksOptions {
  readonly context: JobContext;
  readonly encoders: EncoderRegistry;
  /** What the job costs without its encoders. */
  readonly baseCostMsPerS: () => number;
  readonly tell: (event: ViewEvent) => void;
}

export class EncoderTracks {
  readonly #options: EncoderTracksOptions;
  readonly #tracks = new Map<number, ViewTrack>();
  /** Those that wait for leave to cost so much, one after the other. */
  #waiting: Promise<void> = Promise.resolve();
  /** Of them, those that have not been closed meanwhile. */
  readonly #opening = new Set<number>();
  #isClosed = false;

  constructor(options: EncoderTracksOptions) {
    this.#options = options;
  }

  command(command: TrackCommand): void {
    const { trackId } = command;
    switch (command.type) {
      case 'openViewEncoder':
        this.#opening.add(trackId);
        this.#afterOthers(
          () => this.#open(command).finally(() => this.#opening.delete(trackId)),
          (message) => this.#options.tell({ type: 'viewEncoderRefused', trackId, message }),
        );
        return;
      case 'changeViewEncoder':
        this.#afterOthers(
          () => this.#change(command),
          (message) => this.#options.tell({ type: 'viewEncoderChanged', trackId, message }),
        );
        return;
      case 'setViewBitrate':
        this.#tracks.get(trackId)?.setBitrate(command.bitrateBps);
        return;
      case 'pauseViewEncoder':
        // In their order with what is still being opened or changed.
        this.#afterOthers(
          () => this.#pause(command),
          (message) => this.#fail(trackId, message),
        );
        return;
      case 'closeViewEncoder':
        this.#close(trackId);
        return;
    }
  }

  /** Their encoders are not: the registry's owner closes them. */
  close(): void {
    this.#isClosed = true;
    this.#tracks.clear();
  }

  #afterOthers(work: () => Promise<void>, refuse: (message: string) => void): void {
    this.#waiting = this.#waiting.then(work).catch((error: unknown) => {
      if (!this.#isClosed) refuse((error instanceof Error ? error.message : String(error)).slice(0, 1_000));
    });
  }

  async #open({ trackId, request }: Open): Promise<void> {
    if (this.#isClosed || this.#tracks.has(trackId) || !this.#opening.has(trackId)) return;
    await this.#askFor(request);
    using _held = await this.#options.encoders.hold(request);
    if (this.#isClosed || !this.#opening.has(trackId)) return;
    const { context, encoders } = this.#options;
    const onFailed = (message: string) => this.#fail(trackId, message);
    this.#tracks.set(trackId, new ViewTrack({ id: trackId, request, context, encoders, onFailed }));
  }

  #fail(trackId: number, message: string): void {
    this.#close(trackId);
    this.#options.tell({ type: 'viewEncoderRefused', trackId, message: message.slice(0, 1_000) });
  }

  async #change({ trackId, request }: Change): Promise<void> {
    if (this.#isClosed || !this.#tracks.has(trackId)) return;
    await this.#askFor(request);
    using _held = await this.#options.encoders.hold(request);
    const track = this.#tracks.get(trackId);
    if (this.#isClosed || !track) return;
    track.change(request);
    void this.#options.context.askCost(this.#costMsPerS);
    this.#options.tell({ type: 'viewEncoderChanged', trackId });
  }

  async #pause({ trackId, isPaused }: Pause): Promise<void> {
    const track = this.#tracks.get(trackId);
    if (!track) return;
    if (isPaused) {
      track.setPaused(true);
      return;
    }
    using _held = await this.#options.encoders.hold(track.request);
    // It may be gone by now.
    if (this.#tracks.get(trackId) === track) track.setPaused(false);
  }

  /** @throws Error that says what is missing */
  async #askFor(request: EncoderRequest): Promise<void> {
    const { context, encoders } = this.#options;
    const more = encoders.has(request) ? 0 : encodingCostMsPerS(request);
    const refusal = await context.askCost(this.#costMsPerS + more);
    if (refusal !== undefined) throw new Error(refusal);
  }

  #close(trackId: number): void {
    this.#opening.delete(trackId);
    const track = this.#tracks.get(trackId);
    if (!track) return;
    this.#tracks.delete(trackId);
    track.close();
    void this.#options.context.askCost(this.#costMsPerS);
  }

  get #costMsPerS(): number {
    return Math.round(this.#options.baseCostMsPerS() + this.#options.encoders.costMsPerS);
  }
}
