import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FakeMedia } from '#test/support/fake-media.ts';
import { someRooms } from '#test/support/some-room.ts';
import { someViews } from '#test/support/some-views.ts';
import { Recording } from './recording.ts';
import type { FinishedPart, RawPart, RecordingFiles } from './recording-files.ts';
import type { RecordingRecord } from './recording-record.ts';

const raw = (number: number): RawPart => ({
  ...{ path: `/w/${number}`, track: 1, number, startedAtMs: number, writtenAtMs: 5_000 + number, bytes: 9 },
});
const placed = (file: string): FinishedPart => ({
  ...{ file, bytes: 9, durationMs: 1_000, streams: [], isIndexed: true, startedAtMs: 0 },
});

/** One that a gateway before this one left behind. */
function leftBehind(raws: readonly RawPart[], finish: (raw: RawPart) => Promise<FinishedPart | undefined>) {
  const { log } = someRooms();
  const removed: string[] = [];
  const files = {
    rawParts: async () => raws,
    finish: ({ raw: one }: { raw: RawPart }) => finish(one),
    removeWork: async (id: string) => void removed.push(id),
  } as Partial<RecordingFiles> as RecordingFiles;
  const record = {
    ...{ id: 'RC_x', roomName: 'demo', template: '{room}-{part}', format: 'mp4', video: 'auto' },
    ...{
      state: 'recording',
      reason: 'media_flowing',
      message: '',
      tracks: [],
      parts: [],
      startedAtMs: 0,
      changedAtMs: 1_000,
    },
  } as unknown as RecordingRecord;
  const parts = { media: new FakeMedia(), views: someViews({ ...someRooms(), media: new FakeMedia() }) };
  return { recording: new Recording({ record, ...parts, files, save: () => undefined, log }), removed };
}

describe('a recording that is finished', () => {
  test('loses none of its files to one that cannot be put into its folder, and says where that is', async () => {
    const full = Object.assign(new Error('no'), { code: 'EACCES' });
    const { recording, removed } = leftBehind([raw(1), raw(2)], async ({ number }) => {
      if (number === 1) throw full;
      return placed('demo-001.mp4');
    });
    await recording.recover();
    const { state, reason, message, parts } = recording.record;
    expect({ state, reason, files: parts.map(({ file }) => file) }).toEqual({
      ...{ state: 'failed', reason: 'not_writable', files: ['demo-001.mp4'] },
    });
    expect(message).toMatch(/EACCES.*\.work\/RC_x/);
    expect(removed).toEqual([]);
  });

  test('is finished when all of them are in it, and leaves nothing behind', async () => {
    const { recording, removed } = leftBehind([raw(1)], async () => placed('demo-001.mp4'));
    await recording.recover();
    await setImmediate();
    // It ended when the last of it came, however long nobody started the gateway again.
    expect(recording.record).toMatchObject({ state: 'finished', reason: 'gateway_ended', endedAtMs: 5_001 });
    expect(removed).toEqual(['RC_x']);
  });
});
