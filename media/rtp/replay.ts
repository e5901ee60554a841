// Owns: a group of pictures that is sent again: the time stamps it gets, and that they stay the same for a while.
import { rtpTimestampOffset } from './packet.ts';

/** Ticks of the RTP clock between pictures that are sent again: a fifth of a millisecond, about what each takes to send. */
const spacing = 18;
/**
 * Who has not got all of it asks again within this time, and must get the same packets: a picture of which one packet
 * says another time than the next is never whole, and the player waits for seconds.
 */
const sameForUs = 1_000_000;

export class Replay {
  #copies: readonly Buffer[] = [];
  #start = 0;
  #madeUs = Number.NEGATIVE_INFINITY;

  /**
   * @param packets of the group, as they were sent; untouched
   * @param start number of the first
   * @returns copies in which the pictures follow each other closely up to the last, which keeps its time
   */
  hasten(packets: readonly Buffer[], start: number, nowUs: number): readonly Buffer[] {
    const isSame = start === this.#start && nowUs - this.#madeUs < sameForUs;
    const known = isSame ? this.#copies.slice(0, packets.length) : [];
    if (!isSame) this.#madeUs = nowUs;
    this.#start = start;
    this.#copies = [...known, ...hastened(packets.slice(known.length))];
    return this.#copies;
  }
}

function hastened(packets: readonly Buffer[]): Buffer[] {
  const copies = packets.map((packet) => Buffer.from(packet));
  let timestamp = packets.at(-1)?.readUInt32BE(rtpTimestampOffset) ?? 0;
  for (let n = copies.length - 2; n >= 0; n--) {
    const isOther = packets[n]?.readUInt32BE(rtpTimestampOffset) !== packets[n + 1]?.readUInt32BE(rtpTimestampOffset);
    if (isOther) timestamp = (timestamp - spacing) >>> 0;
    copies[n]?.writeUInt32BE(timestamp, rtpTimestampOffset);
  }
  return copies;
}
