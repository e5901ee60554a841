// Owns: keys that a phone tells twice, by RFC 4733 and by SIP INFO, as many can be set to: pressed once. Pure.

export type KeyWay = 'rtp' | 'info';

interface Told {
  readonly key: string;
  readonly way: KeyWay;
  readonly atMs: number;
}

/** A key held down comes by one way when it is pressed, and by the other when it is let go. */
const maxApartMs = 3_000;
const maxWaiting = 32;

export class KeyEcho {
  /** Not told by the other way yet, the oldest first. */
  #waiting: Told[] = [];

  /** @returns whether this is the same press as one that came by the other way */
  isEcho(key: string, way: KeyWay, nowMs: number): boolean {
    this.#waiting = this.#waiting.filter(({ atMs }) => nowMs - atMs < maxApartMs);
    const at = this.#waiting.findIndex((one) => one.way !== way && one.key === key);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      return true;
    }
    if (this.#waiting.length < maxWaiting) this.#waiting.push({ key, way, atMs: nowMs });
    return false;
  }
}
