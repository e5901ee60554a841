import { PassingMap } from '#core/passing-map.ts';
import type { ControlSession } from '../control/control-session.ts';
import { copied } from '../message/grammar.ts';
import type { Dialog } from './dialog.ts';

/** So long at least, and twice at the most, is a BYE to a dialog that has ended answered 200 rather than 481. */
const rememberedMs = 32_000;
/** Unless there are more than twice as many. */
const maxRemembered = 10_000;

/** Every dialog, by the application's id and by what a request from the network carries. */
export class DialogTable {
  readonly #byId = new PassingMap<string, Dialog>();
  /** Call-ID and our tag, which is the To tag of the peer's requests. */
  readonly #byTag = new PassingMap<string, Dialog>();
  /** Those that have ended lately, and those before them: forgotten all at once, which costs nothing for each. */
  #ended = new Set<string>();
  #endedBefore = new Set<string>();
  #endedSinceMs = performance.now();

  get size(): number {
    return this.#byTag.size;
  }

  add(dialog: Dialog): void {
    this.#byId.set(dialog.id, dialog);
    this.#byTag.set(`${dialog.callId} ${dialog.localTag}`, dialog);
  }

  byId(id: string): Dialog | undefined {
    return this.#byId.get(id);
  }

  /** @param tag our tag */
  byTag(callId: string, tag: string): Dialog | undefined {
    return this.#byTag.get(`${callId} ${tag}`);
  }

  ofSession(session: ControlSession): Dialog[] {
    return [...this.#byTag.values()].filter((dialog) => dialog.session === session);
  }

  all(): Dialog[] {
    return [...this.#byTag.values()];
  }

  remove(dialog: Dialog): void {
    dialog.end();
    const key = `${dialog.callId} ${dialog.localTag}`;
    if (this.#byId.get(dialog.id) === dialog) this.#byId.delete(dialog.id);
    if (this.#byTag.get(key) !== dialog) return;
    this.#byTag.delete(key);
    this.#forgetOld();
    this.#ended.add(copied(key));
  }

  hasEnded(callId: string, tag: string): boolean {
    this.#forgetOld();
    const key = `${callId} ${tag}`;
    return this.#ended.has(key) || this.#endedBefore.has(key);
  }

  #forgetOld(): void {
    const nowMs = performance.now();
    const ageMs = nowMs - this.#endedSinceMs;
    if (ageMs < rememberedMs && this.#ended.size < maxRemembered) return;
    this.#endedBefore = ageMs < 2 * rememberedMs ? this.#ended : new Set();
    this.#ended = new Set();
    this.#endedSinceMs = nowMs;
  }
}
