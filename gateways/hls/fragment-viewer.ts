// Owns: one viewer who gets fragments as they are made, and what is left out where they read too slowly. May import: core,
// ./broadcast.
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { listen } from '#core/listen.ts';
import type { LiveFragment, LiveInit } from '#core/live-media.ts';
import type { Broadcast } from './broadcast.ts';

/** How fragments reach the viewer. */
export interface FragmentOutlet {
  /** Written and not taken by the network yet. */
  readonly bufferedBytes: number;
  /** @returns false where another initialisation cannot be told: then it ends */
  begin(init: LiveInit): boolean;
  send(data: Uint8Array): void;
  /** So many were left out; the next begins with a key picture. */
  noteSkipped(fragments: number): void;
  end(reason: CloseReason): void;
}

/**
 * Begins with the initialisation and the group of pictures that is kept. When more than `maxBytes` wait, everything is left
 * out until half of it has been read and a key picture comes: a slow viewer costs that much memory and no more.
 */
export class FragmentViewer extends Owned {
  readonly #broadcast: Broadcast;
  readonly #outlet: FragmentOutlet;
  readonly #maxBytes: number;
  readonly #release: () => void;
  #init: LiveInit | undefined;
  #skipped = 0;

  constructor(broadcast: Broadcast, outlet: FragmentOutlet, maxBytes: number) {
    super();
    this.#broadcast = broadcast;
    this.#outlet = outlet;
    this.#maxBytes = maxBytes;
    this.#release = broadcast.use();
    const unlisten = listen(broadcast.events, { fragment: (fragment) => this.#take(fragment) });
    this.signal.addEventListener('abort', unlisten, { once: true });
    void broadcast.done.then((reason) => this.close(reason === 'requested' ? 'parent_closed' : reason));
    for (const fragment of broadcast.group) this.#take(fragment);
  }

  /** Written for it and not taken by the network yet. */
  get waitingBytes(): number {
    return this.isClosed ? 0 : this.#outlet.bufferedBytes;
  }

  #take(fragment: LiveFragment): void {
    if (this.isClosed || this.#isLeftOut(fragment)) return;
    const { init, tracks } = this.#broadcast.timeline;
    if (init && init !== this.#init) {
      // A player's new buffer wants to begin with a picture that it can decode.
      if (tracks.some(({ kind }) => kind === 'video') && !(fragment.kind === 'video' && fragment.isKey)) return;
      this.#init = init;
      if (!this.#outlet.begin(init)) {
        void this.close('replaced');
        return;
      }
    }
    this.#outlet.send(fragment.data);
  }

  #isLeftOut({ kind, isKey }: LiveFragment): boolean {
    const { bufferedBytes } = this.#outlet;
    if (this.#skipped === 0 && bufferedBytes <= this.#maxBytes) return false;
    const hasPictures = this.#broadcast.timeline.tracks.some((track) => track.kind === 'video');
    const mayGoOn = isKey && (kind === 'video' || !hasPictures) && bufferedBytes <= this.#maxBytes / 2;
    if (!mayGoOn) {
      this.#skipped += 1;
      return true;
    }
    this.#outlet.noteSkipped(this.#skipped);
    this.#skipped = 0;
    return false;
  }

  protected override onClose(reason: CloseReason): void {
    this.#release();
    this.#outlet.end(reason);
  }
}
