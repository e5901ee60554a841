import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { ChunkReader, ChunkWriter, type RtmpMessage } from './chunk.ts';

const anyMessage: fc.Arbitrary<RtmpMessage> = fc.record({
  chunkStreamId: fc.oneof(fc.integer({ min: 2, max: 6 }), fc.constantFrom(63, 64, 319, 320, 65_599)),
  type: fc.integer({ min: 0, max: 255 }),
  streamId: fc.integer({ min: 0, max: 3 }),
  timestamp: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0xfffff0, max: 0xffffffff })),
  payload: fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
});

test('messages come back whatever the chunk size and however the bytes were cut', () => {
  fc.assert(
    fc.property(
      fc.array(anyMessage, { maxLength: 12 }),
      fc.integer({ min: 1, max: 300 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
      (messages, chunkBytes, cuts) => {
        const writer = new ChunkWriter();
        const reader = new ChunkReader();
        writer.setChunkSize(chunkBytes);
        reader.setChunkSize(chunkBytes);
        const bytes = Buffer.concat(messages.flatMap((message) => writer.encode(message)));
        const received: RtmpMessage[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = cuts[i % cuts.length] as number;
          reader.write(bytes.subarray(at, at + length));
          at += length;
          received.push(...readAll(reader));
        }
        expect(received).toEqual(messages);
        expect(reader.bufferedBytes).toBe(0);
      },
    ),
  );
});

test('any bytes give messages or a GatewayError, within the limits', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3_000 }), (bytes) => {
      const reader = new ChunkReader({ maxChunkStreams: 8, maxMessageBytes: 65_536, maxBufferedBytes: 131_072 });
      try {
        reader.write(Buffer.from(bytes));
        readAll(reader);
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
      expect(reader.bufferedBytes).toBeLessThanOrEqual(131_072);
    }),
  );
});

test('messages on two chunk streams may interleave', () => {
  const [a, b] = [3, 4].map((chunkStreamId) => ({
    chunkStreamId,
    type: 9,
    streamId: 1,
    timestamp: 40,
    payload: Buffer.alloc(200, chunkStreamId),
  })) as [RtmpMessage, RtmpMessage];
  const [aHead, aFirst, aNext, aSecond] = new ChunkWriter().encode(a) as [Buffer, Buffer, Buffer, Buffer];
  const [bHead, bFirst, bNext, bSecond] = new ChunkWriter().encode(b) as [Buffer, Buffer, Buffer, Buffer];
  const reader = new ChunkReader();
  reader.write(Buffer.concat([aHead, aFirst, bHead, bFirst, bNext, bSecond, aNext, aSecond]));
  expect(readAll(reader)).toEqual([b, a]);
});

test('a message that begins with type 3 adds the last field again, also after type 0', () => {
  const reader = new ChunkReader();
  reader.write(Buffer.from('03000017000001090100000055', 'hex')); // type 0, timestamp 23, one byte
  reader.write(Buffer.from('c366', 'hex'));
  reader.write(Buffer.from('8300000a77', 'hex')); // type 2, ten later
  reader.write(Buffer.from('c388', 'hex'));
  expect(readAll(reader).map((message) => message.timestamp)).toEqual([23, 46, 56, 66]);
});

test('timestamps pass 2^32 and continue from 0', () => {
  const reader = new ChunkReader();
  reader.write(Buffer.from('03ffffff0000010901000000fffffff055', 'hex'));
  reader.write(Buffer.from('8300002066', 'hex'));
  expect(readAll(reader).map((message) => message.timestamp)).toEqual([0xfffffff0, 0x10]);
});

test.each([
  ['repeat', true],
  ['leave out', false],
])('chunks of type 3 may %s the extended timestamp', (_word, hasExtended) => {
  const payload = Buffer.alloc(200, 7);
  const head = Buffer.from('03ffffff0000c8090100000001020304', 'hex');
  const separator = hasExtended ? Buffer.from('c301020304', 'hex') : Buffer.from('c3', 'hex');
  const reader = new ChunkReader();
  reader.write(Buffer.concat([head, payload.subarray(0, 128), separator, payload.subarray(128)]));
  expect(readAll(reader)).toEqual([{ chunkStreamId: 3, type: 9, streamId: 1, timestamp: 0x01020304, payload }]);
});

test('400 headers that promise 16 MB each allocate nothing and end at the limit', () => {
  const reader = new ChunkReader({ maxChunkStreams: 32, maxMessageBytes: 0xffffff, maxBufferedBytes: 1_048_576 });
  const headers = Array.from({ length: 400 }, (_, i) =>
    Buffer.concat([Buffer.of(1, i & 0xff, i >> 8), Buffer.from('000000ffffff0901000000', 'hex'), Buffer.alloc(1)]),
  );
  expect(() => {
    reader.setChunkSize(1);
    for (const header of headers) {
      reader.write(header);
      readAll(reader);
    }
  }).toThrow('More than 32 RTMP chunk streams');
  expect(reader.bufferedBytes).toBeLessThanOrEqual(1_048_576);
});

test('an aborted message is forgotten and its chunk stream goes on', () => {
  const reader = new ChunkReader();
  reader.write(Buffer.concat([Buffer.from('030000000000c80901000000', 'hex'), Buffer.alloc(128)]));
  expect(readAll(reader)).toEqual([]);
  reader.abort(3);
  reader.write(Buffer.from('03000001000001090100000055', 'hex'));
  expect(readAll(reader)).toMatchObject([{ timestamp: 1, payload: Buffer.of(0x55) }]);
});

function readAll(reader: ChunkReader): RtmpMessage[] {
  const messages: RtmpMessage[] = [];
  for (let message = reader.read(); message; message = reader.read()) messages.push(message);
  return messages;
}
