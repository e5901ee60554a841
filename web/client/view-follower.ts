// Owns: the view of the room that this client takes instead of everybody's video. May import: its siblings.
import type { PublicationInfo } from '#signalling/protocol.ts';
import { isPassing, toClientError } from './errors.ts';
import type { Requester } from './signalling-socket.ts';

export interface ViewFollowerOptions {
  readonly requester: Requester;
  /** Name of the view; undefined: streams are taken one by one. */
  readonly view: string | undefined;
  /** @param problem why there is none, in the server's words */
  readonly onChanged: (publication: PublicationInfo | undefined, problem?: string) => void;
}

const retryDelayMs = 1_000;

/** Asks for it whenever there is media to receive it by, and again when it was lost. */
export class ViewFollower {
  readonly #options: ViewFollowerOptions;
  #publication: PublicationInfo | undefined;
  #problem: string | undefined;
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

  /** The room is another, or what this participant may do: what was refused may be had now. */
  review(): void {
    if (this.#problem !== undefined) this.#retry(this.#generation, 0);
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
      if (generation !== this.#generation) return;
      // It goes on as it was closed in this moment: nothing to tell.
      if (error.code !== 'closed') this.#set(undefined, error.message);
      // Others will not change by asking again, until the room does.
      if (isPassing(error.code) || error.code === 'closed') this.#retry(generation, error.retryAfterMs ?? retryDelayMs);
    }
  }

  #retry(generation: number, delayMs: number): void {
    if (generation !== this.#generation) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#open(generation), delayMs);
  }

  #set(publication: PublicationInfo | undefined, problem?: string): void {
    if (this.#publication?.id === publication?.id && this.#problem === problem) return;
    this.#publication = publication;
    this.#problem = problem;
    this.#options.onChanged(publication, problem);
  }
}
