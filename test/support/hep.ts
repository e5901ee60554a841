// Owns: HEPv3 packets as a collector reads them.
import assert from 'node:assert/strict';

/** Chunks by their type. */
export function readHep(packet: Buffer): Map<number, Buffer> {
  assert.equal(packet.toString('latin1', 0, 4), 'HEP3');
  assert.equal(packet.readUInt16BE(4), packet.length);
  const chunks = new Map<number, Buffer>();
  for (let at = 6; at < packet.length; at += packet.readUInt16BE(at + 4)) {
    assert.ok(packet.readUInt16BE(at + 4) >= 6, 'a chunk is at least its own head');
    chunks.set(packet.readUInt16BE(at + 2), packet.subarray(at + 6, at + packet.readUInt16BE(at + 4)));
  }
  return chunks;
}
