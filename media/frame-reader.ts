// Owns: frames behind their length, put together again out of the pieces that a pipe brings. Shared by both ends of each
// pipe. May import: nothing.

const lengthBytes = 4;
/** Larger than the largest unit that any source hands over. */
const maxFrameBytes = 64 * 1024 * 1024;

export class FrameReader {
  #pieces: Buffer[] = [];
  #length = 0;
  /** Of the frame that has begun, with its length; undefined while that has not come. */
  #wanted: number | undefined;

  /** @param onFrame gets a view of what is behind the length @throws Error for what the other end never sends */
  push(piece: Buffer, onFrame: (frame: Buffer) => void): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    while (this.#length >= (this.#wanted ?? lengthBytes)) {
      const bytes = this.#whole();
      if (this.#wanted === undefined) {
        const length = bytes.readUInt32BE(0);
        if (length === 0 || length > maxFrameBytes) throw new Error(`a media frame of ${length} bytes`);
        this.#wanted = lengthBytes + length;
        continue;
      }
      const frame = bytes.subarray(lengthBytes, this.#wanted);
      this.#pieces = [bytes.subarray(this.#wanted)];
      this.#length -= this.#wanted;
      this.#wanted = undefined;
      onFrame(frame);
    }
  }

  /** Copied together once for each frame, not once for each piece. */
  #whole(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces, this.#length)];
    return this.#pieces[0] ?? Buffer.alloc(0);
  }
}
