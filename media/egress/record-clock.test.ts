import { expect, test } from 'vitest';
import type { MediaKind } from '#core/rtp.ts';
import { RecordClock } from './record-clock.ts';
import type { EgressUnit } from './sink.ts';

const pictureUs = 33_333;
const aacFrameUs = (1_024 * 1e6) / 48_000;

/** A meeting as it comes: a picture every 33 ms, a key picture each second, AAC that is a little behind. */
function* meeting(fromMs: number, untilMs: number, soundLagMs = 70): Generator<EgressUnit> {
  const make = (kind: MediaKind, n: number, everyUs: number): EgressUnit => {
    const [ptsUs, nextUs] = [Math.round(n * everyUs), Math.round((n + 1) * everyUs)];
    const times = { ptsUs, dtsUs: ptsUs, durationUs: nextUs - ptsUs };
    return { kind, ...times, isKey: kind === 'audio' || n % 30 === 0, data: Uint8Array.of(kind === 'audio' ? 9 : 0) };
  };
  let sound = Math.ceil((fromMs * 1_000) / aacFrameUs);
  for (let picture = Math.ceil((fromMs * 1_000) / pictureUs); picture * pictureUs < untilMs * 1_000; picture++) {
    yield make('video', picture, pictureUs);
    for (; sound * aacFrameUs < picture * pictureUs - soundLagMs * 1_000; sound++)
      yield make('audio', sound, aacFrameUs);
  }
}

function record(clock: RecordClock, units: Iterable<EgressUnit>): EgressUnit[] {
  return [...units].flatMap((unit) => clock.place(unit));
}

/** Where one kind leaves a gap, or is twice, microseconds. */
function joints(units: readonly EgressUnit[], kind: MediaKind): number[] {
  const line = units.filter((unit) => unit.kind === kind);
  return line.slice(1).map(({ dtsUs }, n) => dtsUs - (line[n]?.dtsUs ?? 0) - (line[n]?.durationUs ?? 0));
}

test('AAC is one line without a gap through pauses, and stays where its pictures are', () => {
  const clock = new RecordClock({ hasVideo: true, sound: 'aac' });
  const placed = record(clock, meeting(0, 2_500));
  const shifts: number[] = [];
  for (let n = 1; n <= 5; n++) {
    clock.pause();
    expect(record(clock, meeting(n * 10_000 - 2_000, n * 10_000 - 1_000))).toEqual([]);
    clock.resume();
    const units = [...meeting(n * 10_000, n * 10_000 + 1_700)];
    const after = record(clock, units);
    placed.push(...after);
    const key = after.find((unit) => unit.kind === 'video');
    const cameAt = units.find((unit) => unit.kind === 'video' && unit.isKey)?.dtsUs ?? 0;
    const [heard] = units.filter((unit) => unit.kind === 'audio').slice(-1);
    const [written] = after.filter((unit) => unit.kind === 'audio').slice(-1);
    shifts.push((written?.dtsUs ?? 0) - (heard?.dtsUs ?? 0) - ((key?.dtsUs ?? 0) - cameAt));
  }
  expect(joints(placed, 'audio').filter((us) => Math.abs(us) > 2)).toEqual([]);
  expect(Math.min(...joints(placed, 'video'))).toBeGreaterThanOrEqual(-2);
  expect(shifts.filter((us) => Math.abs(us) > aacFrameUs / 2 + 2)).toEqual([]);
});

test('AAC that begins after its picture has silence before it', () => {
  const clock = new RecordClock({ hasVideo: true, sound: 'aac' });
  const placed = record(
    clock,
    [...meeting(0, 2_000)].filter(({ kind, dtsUs }) => kind === 'video' || dtsUs > 400_000),
  );
  const sound = placed.filter(({ kind }) => kind === 'audio');
  expect(sound[0]?.dtsUs).toBe(0);
  expect(joints(placed, 'audio').filter((us) => Math.abs(us) > 2)).toEqual([]);
  // The first that was heard, where it belongs.
  const first = sound.find(({ data }) => data[0] === 9);
  expect(Math.abs((first?.dtsUs ?? 0) - Math.ceil(400_000 / aacFrameUs) * aacFrameUs)).toBeLessThan(aacFrameUs / 2 + 2);
});
