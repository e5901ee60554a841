// Owns: arithmetic of SRT's 31-bit packet sequence numbers. Pure. May import: nothing.

const maxSequenceNumber = 0x7fffffff;

/** @returns `count` packets after `sequenceNumber`, past its wrap at 2^31 */
export function sequenceAfter(sequenceNumber: number, count = 1): number {
  return (sequenceNumber + count) & maxSequenceNumber;
}

/** @returns packets from one to the other; negative when `to` comes before `from` */
export function sequenceDistance(from: number, to: number): number {
  return ((to - from) << 1) >> 1;
}

/**
 * Extends a sequence number past its wraps, so that buffers count on without end.
 * @param sequenceNumber field of a packet, 0..2^31-1
 * @param near an extended number not far from it
 */
export function extendSequence(sequenceNumber: number, near: number): number {
  return near + sequenceDistance(wrapSequence(near), sequenceNumber);
}

/** The field of a packet for an extended number. */
export function wrapSequence(extended: number): number {
  return extended & maxSequenceNumber;
}
