// Owns: AV1 in RTP, as AOM's "RTP Payload Format For AV1" says: temporal units out of payloads.
import { FrameDepacketiser } from './depacketise.ts';

const obu = { sequenceHeader: 1, temporalDelimiter: 2, tileList: 8, padding: 15 } as const;
const temporalDelimiter = Uint8Array.of(0x12, 0);

/**
 * A payload is an aggregation header, `Z Y W W N - - -`, and OBU elements: Z continues the last one of the packet before,
 * Y is continued in the next, W counts them (0: each says its length, otherwise all but the last do). A frame comes out
 * in the low-overhead format, every OBU with its size, behind a temporal delimiter.
 */
export class Av1Depacketiser extends FrameDepacketiser {
  #fragments: Uint8Array[] = [];

  protected override read(payload: Uint8Array): boolean {
    const [head = 0] = payload;
    const elements = elementsOf(payload);
    if (!elements) return false;
    const continues = (head & 0x80) !== 0;
    // Either one knows of a part that the other has not: it was lost.
    let isWhole = continues === this.#fragments.length > 0;
    if (!continues) this.#fragments = [];
    for (const [index, element] of elements.entries()) {
      const isContinuation = index === 0 && continues;
      if (isContinuation && this.#fragments.length === 0) continue;
      this.#fragments.push(element);
      if (index === elements.length - 1 && (head & 0x40) !== 0) break;
      const whole = isContinuation ? Buffer.concat(this.#fragments) : element;
      this.#fragments = [];
      if (!this.#addObu(whole)) isWhole = false;
    }
    return isWhole;
  }

  protected override reset(): void {
    this.#fragments = [];
  }

  protected override join(parts: readonly Uint8Array[]): Buffer {
    return Buffer.concat([temporalDelimiter, ...parts]);
  }

  /** AV1 bitstream specification §5.3.2: a byte, one more of an extension, and a size that RTP leaves out. */
  #addObu(data: Uint8Array): boolean {
    const [head = 0x80] = data;
    const type = (head >> 3) & 15;
    const headLength = head & 4 ? 2 : 1;
    if (head & 0x80 || data.length < headLength) return false;
    // Not for receivers: §5 of the payload format has senders leave them out.
    if (type === obu.temporalDelimiter || type === obu.tileList || type === obu.padding) return true;
    let bodyAt = headLength;
    if (head & 2) {
      const size = readLeb128(data, headLength);
      if (!size || size.end + size.value !== data.length) return false;
      bodyAt = size.end;
    }
    // One stands before every key frame, and nothing is decoded without it.
    if (type === obu.sequenceHeader) this.markKey();
    const header = Uint8Array.from(data.subarray(0, headLength));
    header[0] = head | 2;
    this.add(header);
    this.add(leb128(data.length - bodyAt));
    this.add(data.subarray(bodyAt));
    return true;
  }
}

/** @returns undefined when their lengths are not those of the payload */
function elementsOf(payload: Uint8Array): Uint8Array[] | undefined {
  const count = ((payload[0] ?? 0) >> 4) & 3;
  const elements: Uint8Array[] = [];
  for (let at = 1; at < payload.length; ) {
    const isLast = count > 0 && elements.length === count - 1;
    const size = isLast ? { value: payload.length - at, end: at } : readLeb128(payload, at);
    if (!size || size.end + size.value > payload.length) return undefined;
    elements.push(payload.subarray(size.end, size.end + size.value));
    at = size.end + size.value;
  }
  return elements.length > 0 && (count === 0 || elements.length === count) ? elements : undefined;
}

/** AV1 bitstream specification §4.10.5; four bytes are more than any packet holds. */
function readLeb128(data: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const byte = data[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if ((byte & 0x80) === 0) return { value, end: start + index + 1 };
  }
  return undefined;
}

export function leb128(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
  }
  return Uint8Array.from(bytes);
}
