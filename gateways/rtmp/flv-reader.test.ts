import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RtmpMessage } from './chunk.ts';
import { FlvReader } from './flv-reader.ts';

const header = Buffer.from('464c5601050000000900000000', 'hex');

function tag(type: number, timestamp: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(11);
  head[0] = type;
  head.writeUIntBE(payload.length, 1, 3);
  head.writeUIntBE(timestamp & 0xffffff, 4, 3);
  head[7] = timestamp >>> 24;
  const trailer = Buffer.alloc(4);
  trailer.writeUInt32BE(payload.length + 11);
  return Buffer.concat([head, payload, trailer]);
}

test('tags come out whole however the bytes come in', () => {
  const file = Buffer.concat([
    header,
    tag(18, 0, Buffer.from('meta')),
    tag(9, 0x12345678, Buffer.alloc(300, 1)),
    tag(8, 40, Buffer.alloc(0)),
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: file.length }), (step) => {
      const messages: RtmpMessage[] = [];
      const reader = new FlvReader();
      for (let at = 0; at < file.length; at += step) {
        reader.push(file.subarray(at, at + step), (message) => messages.push(message));
      }
      expect(messages.map(({ type, timestamp, payload }) => [type, timestamp, payload.length])).toEqual([
        [18, 0, 4],
        [9, 0x12345678, 300],
        [8, 40, 0],
      ]);
    }),
  );
});

test.each([
  ['a page', Buffer.from('<!doctype html>'), 'unsupported_media_type'],
  ['a header without end', Buffer.from('464c560105ffffffff', 'hex'), 'unsupported_media_type'],
  ['a tag of 16 MB', Buffer.concat([header, Buffer.from('09ffffff00000000000000', 'hex')]), 'too_large'],
])('%s is refused', (_what, data, code) => {
  expect(() => new FlvReader().push(data, () => undefined)).toThrowError(expect.objectContaining({ code }));
});
