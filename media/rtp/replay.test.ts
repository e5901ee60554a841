import { expect, test } from 'vitest';
import { buildRtp, rtpTimestampOffset } from './packet.ts';
import { Replay } from './replay.ts';

/** Pictures of two packets each, a thirtieth of a second apart. */
function group(pictures: number): Buffer[] {
  return Array.from({ length: pictures * 2 }, (_, n) =>
    buildRtp(
      { payloadType: 96, marker: n % 2 === 1, sequenceNumber: n, timestamp: Math.floor(n / 2) * 3_000, ssrc: 1 },
      Buffer.of(n),
    ),
  );
}

const timesOf = (packets: readonly Buffer[]) => packets.map((packet) => packet.readUInt32BE(rtpTimestampOffset));

/** Packets that keep their times, in pictures of two: the SFU may have sent them on before the rest comes. */
const kept = 15;

test('the last packets keep their times, and no picture before them has a later one', () => {
  const sent = group(40);
  const times = timesOf(new Replay().hasten(sent, 7, 0));
  expect(times.slice(-2 * kept)).toEqual(timesOf(sent).slice(-2 * kept));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect((times.at(-2 * kept) ?? 0) - (times[0] ?? 0)).toBe((40 - kept) * 18);
  const few = group(5);
  expect(timesOf(new Replay().hasten(few, 7, 0))).toEqual(timesOf(few));
});

test('who asks again at once gets the same packets, and the new ones between the old last and the new last', () => {
  const replay = new Replay();
  const once = timesOf(replay.hasten(group(40), 7, 0));
  const again = timesOf(replay.hasten(group(80), 7, 400_000));
  expect(again.slice(0, 80)).toEqual(once);
  expect(again).toEqual(again.toSorted((a, b) => a - b));
  expect(again.at(-1)).toBe(79 * 3_000);
});

test('who asks later, or for another group, gets pictures that all lie close to the last ones', () => {
  const replay = new Replay();
  const spanOf = (times: number[]) => (times.at(-2 * kept) ?? 0) - (times[0] ?? 0);
  replay.hasten(group(40), 7, 0);
  expect(spanOf(timesOf(replay.hasten(group(60), 7, 1_500_000)))).toBe((60 - kept) * 18);
  expect(spanOf(timesOf(replay.hasten(group(50), 8, 1_600_000)))).toBe((50 - kept) * 18);
});
