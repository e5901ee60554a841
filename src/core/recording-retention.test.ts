import { expect, test } from 'vitest';
import type { RecordingRecord, RecordingState } from './recording-record.ts';
import { chooseExpired } from './recording-retention.ts';

const nowMs = 1_000_000;
const disk = (recordingsBytes: number) => ({ recordingsBytes, freeBytes: 0, totalBytes: 1_000 });

function one(id: string, endedAtMs: number, bytes: number, state: RecordingState = 'finished', isLocal = true) {
  return { id, endedAtMs, changedAtMs: endedAtMs, state, parts: [{ bytes, isLocal }] } as unknown as RecordingRecord;
}

const ids = (records: readonly RecordingRecord[]) => records.map(({ id }) => id);

test('what ended too long ago goes, what still runs stays', () => {
  const records = [one('old', 1, 10), one('new', 999_000, 10), one('runs', 1, 10, 'recording')];
  const rules = { maxAgeMs: 5_000, maxDiskShare: 1 };
  expect(ids(chooseExpired(records, disk(30), rules, nowMs))).toEqual(['old']);
});

test('beyond their share of the disk the oldest go, no more than needed, and only what takes room here', () => {
  const records = [one('c', 30, 300), one('a', 10, 300), one('b', 20, 300), one('away', 5, 300, 'finished', false)];
  const rules = { maxDiskShare: 0.65 };
  expect(ids(chooseExpired(records, disk(900), rules, nowMs))).toEqual(['a']);
  expect(ids(chooseExpired(records, disk(1_200), rules, nowMs))).toEqual(['a', 'b']);
});

test('the newest is not deleted for want of room, as it may be what has filled the disk', () => {
  const rules = { maxDiskShare: 0.5 };
  expect(ids(chooseExpired([one('last', 10, 900)], disk(900), rules, nowMs))).toEqual([]);
  expect(ids(chooseExpired([one('a', 5, 50), one('last', 10, 900)], disk(950), rules, nowMs))).toEqual(['a']);
});
