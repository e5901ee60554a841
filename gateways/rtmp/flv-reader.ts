// Owns: an FLV file or stream, byte by byte, as the messages that RTMP would carry (FLV 10.1, annex E). Pure.
// May import: core.
import { GatewayError } from '#core/errors.ts';
import type { RtmpMessage } from './chunk.ts';

const fileHeaderBytes = 9;
const tagHeaderBytes = 11;
/** Behind each tag, and before the first. */
const trailerBytes = 4;
/** A key frame of 4K at a high rate has a few megabytes. */
const maxTagBytes = 8 * 1_048_576;

export class FlvReader {
  #rest: Buffer = Buffer.alloc(0);
  #hasHeader = false;

  /**
   * @param onMessage gets each whole tag; its payload may be kept
   * @throws GatewayError `unsupported_media_type` for what is no FLV, `too_large`
   */
  push(data: Buffer, onMessage: (message: RtmpMessage) => void): void {
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    let at = this.#readHeader();
    while (this.#hasHeader && this.#rest.length - at >= tagHeaderBytes) {
      const size = this.#rest.readUIntBE(at + 1, 3);
      if (size > maxTagBytes) throw new GatewayError('too_large', `An FLV tag of ${size} bytes.`);
      const end = at + tagHeaderBytes + size;
      if (this.#rest.length < end + trailerBytes) break;
      // The upper eight bits of the time stamp were added later, behind the lower ones.
      const timestamp = this.#rest.readUIntBE(at + 4, 3) + (this.#rest[at + 7] ?? 0) * 0x1000000;
      const payload = Buffer.from(this.#rest.subarray(at + tagHeaderBytes, end));
      onMessage({ chunkStreamId: 0, streamId: 0, type: (this.#rest[at] ?? 0) & 0x1f, timestamp, payload });
      at = end + trailerBytes;
    }
    this.#rest = this.#rest.subarray(at);
  }

  /** @returns where the first tag begins, or 0 */
  #readHeader(): number {
    if (this.#hasHeader || this.#rest.length < fileHeaderBytes) return 0;
    const offset = this.#rest.readUInt32BE(5);
    if (this.#rest.toString('latin1', 0, 3) !== 'FLV' || offset < fileHeaderBytes || offset > 1_024) {
      throw new GatewayError('unsupported_media_type', 'What came over HTTP is no FLV.');
    }
    if (this.#rest.length < offset + trailerBytes) return 0;
    this.#hasHeader = true;
    return offset + trailerBytes;
  }
}
