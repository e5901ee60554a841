// Owns: drachtio's control protocol, server side: `<bytes>#<payload>` frames over a socket. May import: message/, core,
// node's net and crypto.
import { timeText } from '#core/time-text.ts';

/** What drachtio-server itself accepts: five digits. */
const maxFrameBytes = 99_999;
const hash = 0x23;

/** Cuts what the application sends into frames; false from `push` means that the stream is not this protocol. */
export class FrameReader {
  readonly #onFrame: (payload: string) => void;
  #pending: Buffer = Buffer.alloc(0);

  constructor(onFrame: (payload: string) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): boolean {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let isSound = true;
    while (bytes.length > 0) {
      const end = bytes.indexOf(hash);
      if (end < 0 || end > 5) {
        isSound = end < 0 && bytes.length <= 5;
        break;
      }
      const length = readLength(bytes, end);
      if (length < 1 || length > maxFrameBytes) {
        isSound = false;
        break;
      }
      const start = end + 1;
      if (bytes.length < start + length) break;
      this.#onFrame(bytes.toString('utf8', start, start + length));
      bytes = bytes.subarray(start + length);
    }
    this.#pending = isSound ? bytes : Buffer.alloc(0);
    return isSound;
  }
}

function readLength(bytes: Buffer, end: number): number {
  let length = 0;
  for (let i = 0; i < end; i++) {
    const digit = (bytes[i] ?? 0) - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length;
}

export function frame(payload: string): string {
  return `${Buffer.byteLength(payload)}#${payload}`;
}

/** `HH:MM:SS.uuuuuu`, UTC; milliseconds are as fine as it gets here. */
export function stackTime(): string {
  return `${timeText(Date.now()).slice(11, 23)}000`;
}

let lastId = 0;

/** Ids of frames and transactions; drachtio-srf takes any text. */
export function nextId(prefix: string): string {
  lastId = (lastId + 1) % Number.MAX_SAFE_INTEGER;
  return prefix + lastId.toString(36);
}
