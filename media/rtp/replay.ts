// Owns: a group of pictures that is sent again: the time stamps it gets, and that they stay the same for a while.
import { rtpTimestampOffset } from './packet.ts';

/** Ticks of the RTP clock between pictures that are sent again: a fifth of a millisecond, about what each takes to send. */
const spacing = 18;
/**
 * Who has not got all of it asks again within this time, and must get the same packets: a picture of which one packet
 * says another time than the next is never whole, and the player waits for seconds.
 */
const sameForUs = 1_000_000;
/**
 * The SFU keeps so many packets for who waits for a key frame, and sends them right behind its first packet, before those that
 * lie in between. They have their own times, so these have to stay: pictures whose times go back are thrown away by players,
 * which then stand still until the next key frame.
 */
const keptPackets = 30;

export class Replay {
  #copies: readonly Buffer[] = [];
  #start = 0;
  #madeUs = Number.NEGATIVE_INFINITY;

  /**
   * @param packets of the group, as they were sent; untouched
   * @param start number of the first
   * @returns copies in which the pictures follow each other closely up to the last few, which keep their times
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
  const timeOf = (n: number) => packets[n]?.readUInt32BE(rtpTimestampOffset);
  let first = Math.max(0, packets.length - keptPackets);
  // Not a part of a picture.
  while (first > 0 && timeOf(first - 1) === timeOf(first)) first -= 1;
  let timestamp = timeOf(first) ?? 0;
  for (let n = first - 1; n >= 0; n--) {
    if (timeOf(n) !== timeOf(n + 1)) timestamp = (timestamp - spacing) >>> 0;
    copies[n]?.writeUInt32BE(timestamp, rtpTimestampOffset);
  }
  return copies;
}
