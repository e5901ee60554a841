import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { avatarOf, maxAvatarBytes } from './avatar.ts';
import { GatewayError } from './errors.ts';

function png(width: number, height: number, length = 64): Buffer {
  const data = Buffer.alloc(length);
  data.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  data.writeUInt32BE(width, 16);
  data.writeUInt32BE(height, 20);
  return data;
}

/** An APP0 segment, then a progressive frame. */
const jpeg = (width: number, height: number) =>
  Buffer.from([
    ...[0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc2, 0, 17, 8],
    ...[height >> 8, height & 255, width >> 8, width & 255, 3, 0, 0, 0, 0, 0, 0],
  ]);

test.each([
  ['image/png', png(256, 128)],
  ['image/jpeg', jpeg(1_024, 16)],
])('%s of a fair size is an avatar, the same id for the same picture', (mimeType, data) => {
  const avatar = avatarOf(data);
  assert.equal(avatar.mimeType, mimeType);
  assert.equal(avatarOf(Buffer.from(data)).id, avatar.id);
});

test.each([
  ['a bomb', png(60_000, 60_000), /sides/],
  ['a JPEG without end', jpeg(65_000, 65_000), /sides/],
  ['a dot', png(1, 1), /sides/],
  ['too many bytes', png(64, 64, maxAvatarBytes + 1), /at most/],
  ['text', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), /PNG or a JPEG/],
  ['nothing', Buffer.alloc(0), /PNG or a JPEG/],
  ['half a JPEG', jpeg(64, 64).subarray(0, 12), /PNG or a JPEG/],
])('%s is refused with its reason', (_title, data, message) => {
  expect(() => avatarOf(data)).toThrow(message);
});

test('whatever is given is an avatar or a refusal', () => {
  const start = fc.constantFrom([], [0xff, 0xd8], [...png(64, 64).subarray(0, 16)]);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), (head, rest) => {
      try {
        avatarOf(Uint8Array.of(...head, ...rest));
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.code === 'invalid_request');
      }
    }),
  );
});
