import { PassThrough, Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LiveFragment, LiveInit } from '#core/live-media.ts';
import { type LiveMessage, LiveOutlet, LivePipeReader } from './live-pipe.ts';

const init: LiveInit = {
  muxed: Buffer.from('both'),
  tracks: [{ kind: 'video', codecs: 'avc1.42c01f', init: Buffer.from('one'), width: 320, height: 180 }],
};

test('what goes in comes out, in whatever pieces the pipe brings it', () => {
  const fragment = fc.record({
    kind: fc.constantFrom('audio' as const, 'video' as const),
    startUs: fc.integer({ min: 0, max: 1e12 }),
    durationUs: fc.integer({ min: 0, max: 1e7 }),
    isKey: fc.boolean(),
    data: fc.uint8Array({ maxLength: 300 }),
  });
  const feed = fc.integer({ min: 1, max: 0xffffffff });
  const all = fc.array(fc.record({ feed, fragment }), { maxLength: 20 });
  fc.assert(
    fc.property(all, fc.integer({ min: 1, max: 64 }), (sent, pieceBytes) => {
      const pipe = new PassThrough({ highWaterMark: 1e6 });
      const outlet = new LiveOutlet(pipe);
      outlet.init(5, init);
      for (const { feed, fragment } of sent) expect(outlet.fragment(feed, fragment)).toBe(true);
      const bytes = (pipe.read() as Buffer | null) ?? Buffer.alloc(0);
      const got: LiveMessage[] = [];
      const reader = new LivePipeReader();
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        reader.push(bytes.subarray(at, at + pieceBytes), (message) => got.push(message));
      }
      const plain = ({ data, ...rest }: LiveFragment) => ({ ...rest, data: [...data] });
      const [first, ...rest] = got;
      expect(first && 'init' in first && first.init.tracks[0]?.codecs).toBe('avc1.42c01f');
      expect(rest.map((one) => 'fragment' in one && { feed: one.feed, fragment: plain(one.fragment) })).toEqual(
        sent.map(({ feed, fragment }) => ({ feed, fragment: plain(fragment) })),
      );
    }),
    { numRuns: 50 },
  );
});

test('a control process that does not read costs a worker 8 MB and no more', () => {
  const stuck = new Writable({ write: () => undefined });
  const outlet = new LiveOutlet(stuck);
  const fragment = { kind: 'video', startUs: 0, durationUs: 1, isKey: true, data: Buffer.alloc(1_000_000) } as const;
  const taken = Array.from({ length: 50 }, () => outlet.fragment(1, fragment)).filter(Boolean);
  expect(taken.length).toBeLessThan(12);
  expect(stuck.writableLength).toBeLessThan(10_000_000);
});
