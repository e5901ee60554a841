import { expect, test } from 'vitest';
import type { RtpFrame } from '../rtp/depacketise.ts';
import { HeldFrames } from './held-frames.ts';

const frame = (timestamp: number) => ({ timestamp, data: Buffer.alloc(1), isKey: false, isDamaged: false }) as RtpFrame;
const times = (frames: readonly RtpFrame[]) => frames.map(({ timestamp }) => timestamp);

test('each is let go so long after it was captured, in the order of coming', () => {
  const held = new HeldFrames();
  held.delayUs = 100_000;
  for (const at of [0, 33_000, 30_000, 66_000]) held.push(frame(at), at);
  expect(times(held.take(99_999))).toEqual([]);
  expect(times(held.take(100_000))).toEqual([0]);
  expect(times(held.take(132_000))).toEqual([]);
  expect(times(held.take(133_000))).toEqual([33_000, 30_000]);
  held.delayUs = 0;
  expect(times(held.take(133_000))).toEqual([66_000]);
});

test('a delay that is never over holds no more than so many', () => {
  const held = new HeldFrames();
  held.delayUs = 1e12;
  for (let at = 0; at < 300; at++) held.push(frame(at), at);
  expect(held.take(1_000)).toHaveLength(180);
});
