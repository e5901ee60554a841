// Owns: how things end. May import: node:events only, like all of core.
import { PassingMap } from './passing-map.ts';

/**
 * Why something ended. `requested` is the owner or its user asking for it; `parent_closed` that the owner went first;
 * the rest say what happened, so that nobody has to guess from a log.
 */
export type CloseReason =
  | 'requested'
  | 'parent_closed'
  | 'peer_left'
  | 'kicked'
  | 'replaced'
  | 'drained'
  /** The time of the meeting is over. */
  | 'ended'
  | 'timeout'
  | 'idle'
  | 'failed';

let lastNumber = 0;

/**
 * A node of the ownership tree: closes its children first, then itself, once, with a reason.
 *
 * `close()` may be called any number of times and from anywhere; all callers get the promise of the one teardown.
 * A child must not await its owner's `done`.
 */
export abstract class Owned {
  /** Made when somebody asks for it: a call is made of several of us, and few listen. */
  #abort: AbortController | undefined;
  #closedFor: CloseReason | undefined;
  readonly #done = Promise.withResolvers<CloseReason>();
  readonly #number = ++lastNumber;
  /** By their numbers; most have none. */
  #children: PassingMap<number, Owned> | undefined;

  /** Aborts when `close()` begins; give it to timers, fetches and jobs. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.#closedFor !== undefined) this.#abort.abort(this.#closedFor);
    }
    return this.#abort.signal;
  }

  get isClosed(): boolean {
    return this.#closedFor !== undefined;
  }

  /** Settles with the reason after teardown; never rejects. */
  get done(): Promise<CloseReason> {
    return this.#done.promise;
  }

  close(reason: CloseReason = 'requested'): Promise<CloseReason> {
    if (this.#closedFor === undefined) {
      this.#closedFor = reason;
      this.#abort?.abort(reason);
      void this.#teardown(reason);
    }
    return this.done;
  }

  protected own<T extends Owned>(child: T): T {
    this.#children ??= new PassingMap();
    this.#children.set(child.#number, child);
    void child.done.then(() => this.disown(child));
    if (this.isClosed) void child.close('parent_closed');
    return child;
  }

  /** It has another owner from now on. */
  protected disown(child: Owned): void {
    this.#children?.delete(child.#number);
  }

  /** Releases own resources: runs once, after the children are gone. */
  protected abstract onClose(reason: CloseReason): void | Promise<void>;

  async #teardown(reason: CloseReason): Promise<void> {
    // In a later turn in any case: whoever closes has its say first.
    const children = this.#children?.size ? [...this.#children.values()] : undefined;
    await (children && Promise.all(children.map((child) => child.close('parent_closed'))));
    try {
      await this.onClose(reason);
    } catch (cause) {
      // Teardown goes on whatever one part of it does; the bug still has to be seen.
      process.emitWarning(
        `teardown failed: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`,
      );
    } finally {
      this.#done.resolve(reason);
    }
  }
}
