import { expect, test } from 'vitest';
import type { RecordingPart, RecordingRecord } from '#core/recording-record.ts';
import { recordingView } from './recording-view.ts';

const part = (number: number, track: number, startedAtMs: number, durationMs: number): RecordingPart => ({
  ...{ number, track, startedAtMs, durationMs, file: `${number}.mkv`, bytes: 1_000, streams: [] },
  ...{ isIndexed: true, isLocal: true },
});

const recordingOf = (parts: readonly RecordingPart[], endedAtMs?: number) =>
  ({
    ...{ id: 'RC_1', roomId: 'RM_1', roomName: 'demo', state: 'finished', reason: 'stopped', message: '' },
    ...{ format: 'mkv', audioCodec: 'opus', source: { kind: 'streams' }, hasAudio: true, video: 'auto' },
    ...{ template: '{room}', changedAtMs: 0, startedAtMs: 0, endedAtMs, parts, tracks: [] },
  }) as unknown as RecordingRecord;

test.each([
  ['parts of one track follow each other', [part(1, 1, 0, 10_000), part(2, 1, 9_990, 5_000)], 15_000],
  [
    'tracks beside each other are as long as the time they cover',
    [part(1, 1, 0, 10_000), part(2, 2, 4_000, 8_000)],
    12_000,
  ],
  ['a pause in which no track ran does not count', [part(1, 1, 0, 3_000), part(2, 2, 60_000, 2_000)], 5_000],
  ['a track within another adds nothing', [part(1, 1, 0, 9_000), part(2, 2, 2_000, 1_000)], 9_000],
])('once it has ended, and after a restart as well: %s', (_, parts, expectedMs) => {
  // After a restart nothing is known but what is kept.
  expect(recordingView(recordingOf(parts, 70_000), { recordedMs: 0, bytes: 0 }).durationMs).toBe(expectedMs);
  expect(recordingView(recordingOf(parts, 70_000)).durationMs).toBe(expectedMs);
});

test('while it goes on its length is what was recorded so far', () => {
  expect(recordingView(recordingOf([part(1, 1, 0, 3_000)]), { recordedMs: 4_500, bytes: 9 }).durationMs).toBe(4_500);
});
