// Owns: lists of lost packets as NAK carries them (draft-sharabayko-srt-01 §3.2.5, appendix A). Pure. May import: sequence.
import { wrapSequence } from './sequence.ts';

/** From the first to the last, both lost. */
export type LossRange = readonly [first: number, last: number];

/** What fits into one datagram. */
const maxWords = 360;

/**
 * @param lost extended sequence numbers, rising
 * @returns the body of a NAK; as much of the beginning as fits
 */
export function serializeLossReport(lost: Iterable<number>): Buffer {
  const words: number[] = [];
  for (const [first, last] of rangesOf(lost)) {
    if (words.length + 2 > maxWords) break;
    if (first === last) words.push(wrapSequence(first));
    else words.push((wrapSequence(first) | 0x80000000) >>> 0, wrapSequence(last));
  }
  const body = Buffer.allocUnsafe(words.length * 4);
  words.forEach((word, index) => {
    body.writeUInt32BE(word, index * 4);
  });
  return body;
}

function* rangesOf(lost: Iterable<number>): Generator<LossRange> {
  let first: number | undefined;
  let last = 0;
  for (const one of lost) {
    if (first !== undefined && one !== last + 1) yield [first, last];
    if (first === undefined || one !== last + 1) first = one;
    last = one;
  }
  if (first !== undefined) yield [first, last];
}

/** @returns sequence numbers as they stand in packets; what is cut short at the end is left out */
export function parseLossReport(body: Buffer): LossRange[] {
  const ranges: LossRange[] = [];
  for (let at = 0; at + 4 <= body.length; at += 4) {
    const word = body.readUInt32BE(at);
    if (word < 0x80000000) ranges.push([word, word]);
    else if (at + 8 <= body.length) {
      at += 4;
      ranges.push([word & 0x7fffffff, body.readUInt32BE(at) & 0x7fffffff]);
    }
  }
  return ranges;
}
