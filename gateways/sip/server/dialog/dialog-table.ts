import type { ControlSession } from '../control/control-session.ts';
import type { Dialog } from './dialog.ts';

/** How long a BYE to a dialog that has ended is still answered 200 rather than 481. */
const rememberedMs = 32_000;
const maxRemembered = 20_000;

/** Every dialog, by the application's id and by what a request from the network carries. */
export class DialogTable {
  readonly #byId = new Map<string, Dialog>();
  /** Call-ID and our tag, which is the To tag of the peer's requests. */
  readonly #byTag = new Map<string, Dialog>();
  readonly #ended = new Map<string, number>();

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
    const nowMs = performance.now();
    this.#ended.set(key, nowMs);
    for (const [old, endedAtMs] of this.#ended) {
      if (this.#ended.size <= maxRemembered && nowMs - endedAtMs < rememberedMs) break;
      this.#ended.delete(old);
    }
  }

  hasEnded(callId: string, tag: string): boolean {
    const endedAtMs = this.#ended.get(`${callId} ${tag}`);
    return endedAtMs !== undefined && performance.now() - endedAtMs < rememberedMs;
  }
}
