// Owns: the view of the room that this client takes instead of everybody's video. May import: its siblings.
import type { PublicationInfo } from '#signalling/protocol.ts';
import { isPassing, toClientError } from './errors.ts';
import type { Requester } from './signalling-socket.ts';

export interface ViewFollowerOptions {
  readonly requester: Requester;
  /** Name of the view; undefined: streams are taken one by one. */
  readonly view: string | undefined;
  readonly onChanged: (publication: PublicationInfo | undefined) => void;
}

const retryDelayMs = 1_000;

/** Asks for it whenever there is media to receive it by, and again when it was lost. */
export class ViewFollower {
  readonly #options: ViewFollowerOptions;
  #publication: PublicationInfo | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Grows with each attachment; answers to an older one are thrown away. */
  #generation = 0;

  constructor(options: ViewFollowerOptions) {
    this.#options = options;
  }

  get publication(): PublicationInfo | undefined {
    return this.#publication;
  }

  attach(): void {
    this.#generation += 1;
    void this.#open(this.#generation);
  }

  detach(): void {
    this.#generation += 1;
    clearTimeout(this.#timer);
    this.#set(undefined);
  }

  /** A subscription has ended. */
  removed(publicationId: string): void {
    if (publicationId !== this.#publication?.id) return;
    this.#set(undefined);
    this.#retry(this.#generation, retryDelayMs);
  }

  async #open(generation: number): Promise<void> {
    const { requester, view } = this.#options;
    if (view === undefined) return;
    try {
      const { publication } = await requester.request('openView', { view });
      if (generation === this.#generation) this.#set(publication);
    } catch (thrown) {
      const error = toClientError(thrown);
      // Others will not change by asking again: the page shows that there is no picture.
      if (isPassing(error.code) || error.code === 'closed') this.#retry(generation, error.retryAfterMs ?? retryDelayMs);
    }
  }

  #retry(generation: number, delayMs: number): void {
    if (generation !== this.#generation) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#open(generation), delayMs);
  }

  #set(publication: PublicationInfo | undefined): void {
    if (this.#publication?.id === publication?.id) return;
    this.#publication = publication;
    this.#options.onChanged(publication);
  }
}
