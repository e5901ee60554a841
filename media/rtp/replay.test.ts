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

test('who asks again at once gets the same packets, and the new ones between the old last and the new last', () => {
  const replay = new Replay();
  const once = timesOf(replay.hasten(group(10), 7, 0));
  const again = timesOf(replay.hasten(group(20), 7, 400_000));
  expect(again.slice(0, 20)).toEqual(once);
  expect(again).toEqual(again.toSorted((a, b) => a - b));
  expect(again.at(-1)).toBe(19 * 3_000);
});

test('who asks later, or for another group, gets pictures that all lie close to the last', () => {
  const replay = new Replay();
  replay.hasten(group(10), 7, 0);
  const later = timesOf(replay.hasten(group(20), 7, 1_500_000));
  expect((later.at(-1) ?? 0) - (later[0] ?? 0)).toBe(19 * 18);
  const other = timesOf(replay.hasten(group(30), 8, 1_600_000));
  expect((other.at(-1) ?? 0) - (other[0] ?? 0)).toBe(29 * 18);
});
