import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeMediaMessage, type MediaMessage, MediaPipeReader } from './media-pipe.ts';

const bytes = fc.uint8Array({ maxLength: 2_000 }).map((data) => Buffer.from(data));
const time = fc.double({ noNaN: true, noDefaultInfinity: true });
const streamId = fc.nat(0x7fffffff);
const unit = fc.oneof(
  fc.record({
    kind: fc.constant('access_unit' as const),
    streamId,
    ptsUs: time,
    dtsUs: time,
    isKey: fc.boolean(),
    data: bytes,
  }),
  fc.record({ kind: fc.constantFrom('rtp' as const, 'rtcp' as const), streamId, data: bytes }),
);
const jobId = fc.stringMatching(/^[A-Za-z0-9_]{1,64}$/);
const message: fc.Arbitrary<MediaMessage> = fc.oneof(
  fc.record({ type: fc.constant('deliverUnit' as const), jobId, unit, isReplay: fc.boolean() }),
  fc.record({
    type: fc.constant('sourceEnded' as const),
    jobId,
    end: fc.constant({ reason: 'peer_left', mayReturn: true }),
  }),
  fc.record({
    type: fc.constant('describeStream' as const),
    jobId,
    stream: fc.constant({ id: 1, kind: 'audio' as const, codec: 'aac' as const, framing: { kind: 'bare' as const } }),
  }),
);

test('messages come out as they went in and in their order, however the pipe cuts them', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), fc.integer({ min: 1, max: 5_000 }), (messages, pieceBytes) => {
      const whole = Buffer.concat(messages.flatMap((one) => encodeMediaMessage(one)));
      const reader = new MediaPipeReader();
      const got: MediaMessage[] = [];
      for (let at = 0; at < whole.length; at += pieceBytes) {
        reader.push(whole.subarray(at, at + pieceBytes), (one) => got.push(one));
      }
      expect(got).toEqual(messages);
    }),
  );
});

test.each([
  ['a length of nothing', Buffer.alloc(4)],
  ['a length of 4 GB', Buffer.from('ffffffff02', 'hex')],
  ['a unit that is cut off', Buffer.from('000000030200ff', 'hex')],
])('%s is refused', (_, piece) => {
  expect(() => new MediaPipeReader().push(piece, () => undefined)).toThrow();
});
