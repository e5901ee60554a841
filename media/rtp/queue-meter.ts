// Owns: how late a socket is read: packets to oneself wait where all others wait. Pure.

/** What a ping says besides its number: no RTP or RTCP begins so (RFC 7983 §7), and no peer of a room sends it from our own port. */
const start = Buffer.from('ping');
const pingBytes = 8;
/** It waits longer than this … */
const lateMs = 300;
/** … at so many looks in a row: a loop that was held once has read everything before it looks again. */
const lateLooks = 4;
/** Read again as quickly as this, nothing waits any more. */
const fineMs = 100;
/** A full queue takes none: those that are lost are forgotten. */
const mostUnread = 64;

export class QueueMeter {
  readonly #unread = new Map<number, number>();
  #lastNumber = 0;
  #looks = 0;
  #isBehind = false;

  /** Whether more comes than is read: what is read is old, and what comes may be lost. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Ten times a second. @returns what is to be sent to oneself */
  look(nowMs: number): Buffer {
    const [oldestMs = nowMs] = this.#unread.values();
    this.#looks = nowMs - oldestMs > lateMs ? this.#looks + 1 : 0;
    if (this.#looks >= lateLooks) this.#isBehind = true;
    const number = ++this.#lastNumber;
    this.#unread.set(number, nowMs);
    const [first] = this.#unread.keys();
    if (this.#unread.size > mostUnread && first !== undefined) this.#unread.delete(first);
    const ping = Buffer.alloc(pingBytes);
    start.copy(ping);
    ping.writeUInt32BE(number, start.length);
    return ping;
  }

  /** @param data read from the own address */
  read(data: Buffer, nowMs: number): void {
    if (data.length !== pingBytes || !data.subarray(0, start.length).equals(start)) return;
    const number = data.readUInt32BE(start.length);
    const sentMs = this.#unread.get(number);
    if (sentMs === undefined) return;
    for (const past of [...this.#unread.keys()]) if (past <= number) this.#unread.delete(past);
    if (nowMs - sentMs < fineMs) this.#isBehind = false;
  }
}
