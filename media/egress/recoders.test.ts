import { expect, test } from 'vitest';
import type { RecodeSpec } from '#core/egress-messages.ts';
import { numberedPicture } from '../av/test-signals.ts';
import { VideoEncoder } from '../av/video-encoder.ts';
import { Recoders, recodeKey } from './recoders.ts';
import type { EgressStream, EgressUnit } from './sink.ts';

const size = { width: 320, height: 180 };
const source: EgressStream = { kind: 'video', codec: 'h264', config: Uint8Array.of(1), ...size };
const hevc: RecodeSpec = { codec: 'h265', bitrateBps: 500_000, framerateHz: 30 };
const answered = () => new Promise<void>((resolve) => setImmediate(resolve));

function keyPicture(): EgressUnit {
  using encoder = new VideoEncoder({ codec: 'h264', ...size, framerateHz: 30, bitrateBps: 1_000_000 });
  using picture = numberedPicture(size.width, size.height, 1);
  const units: EgressUnit[] = [];
  encoder.encode(picture, 0, ({ data, isKey }) => {
    units.push({ kind: 'video', ptsUs: 0, dtsUs: 0, durationUs: 33_333, isKey, data });
  });
  const [unit] = units;
  if (!unit) throw new Error('The encoder made nothing of a picture.');
  return unit;
}

/** @param answers to what is asked for, one after the other; then all is granted */
function someRecoders(answers: (string | undefined)[] = []) {
  const asked: number[] = [];
  const failed: [key: string, message: string, isOverloaded: boolean][] = [];
  const recoders = new Recoders({
    described: () => undefined,
    unit: () => undefined,
    failed: (...failure) => failed.push(failure),
    askCost: async (costMsPerS) => {
      asked.push(costMsPerS);
      return answers.shift();
    },
  });
  recoders.describe(source);
  return { recoders, asked, failed };
}

test('one that was refused is asked for once, and again when it is wanted anew', async () => {
  const { recoders, asked, failed } = someRecoders(['too busy']);
  using _ = recoders;
  const unit = keyPicture();
  recoders.setWanted([hevc]);
  recoders.write(unit);
  await answered();
  expect(failed).toEqual([[recodeKey(hevc), 'too busy', true]]);
  recoders.write(unit);
  await answered();
  expect(asked).toHaveLength(1);
  recoders.setWanted([hevc]);
  recoders.write(unit);
  await answered();
  recoders.write({ ...unit, ptsUs: 33_333, dtsUs: 33_333 });
  expect(asked).toHaveLength(2);
  expect(failed).toHaveLength(1);
});

test('one that cannot be made any more is not given to who wants the same later', async () => {
  const { recoders, asked, failed } = someRecoders();
  using _ = recoders;
  recoders.describe({ ...source, width: 1, height: 1 });
  recoders.setWanted([hevc]);
  recoders.write(keyPicture());
  await answered();
  recoders.write(keyPicture());
  expect(failed).toMatchObject([[recodeKey(hevc), expect.stringContaining('1x1'), false]]);
  recoders.describe(source);
  recoders.setWanted([hevc]);
  await answered();
  recoders.write(keyPicture());
  await answered();
  expect(asked.at(-1)).toBeGreaterThan(0);
  expect(failed).toHaveLength(1);
});

test('what is made for nobody any more costs nothing, also where leave for it was still being asked', async () => {
  const { recoders, asked } = someRecoders();
  using _ = recoders;
  const unit = keyPicture();
  recoders.setWanted([hevc]);
  recoders.write(unit);
  await answered();
  recoders.setWanted([]);
  expect(asked).toEqual([expect.any(Number), 0]);
  expect(asked[0]).toBeGreaterThan(0);
  await answered();
  recoders.setWanted([hevc]);
  recoders.write(unit);
  recoders.setWanted([]);
  await answered();
  expect(asked).toEqual([asked[0], 0, asked[0], 0]);
});
