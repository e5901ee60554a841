import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { RecordingFolder } from './files.ts';

test('a gateway that has never recorded has a disk, and nothing on it', async () => {
  const data = await mkdtemp(join(tmpdir(), 'switchyard-files-'));
  try {
    const folder = new RecordingFolder({ folder: join(data, 'recordings'), minFreeBytes: 0, log: new KeepingLog() });
    const { recordingsBytes, totalBytes } = await folder.usage();
    expect(recordingsBytes).toBe(0);
    expect(totalBytes).toBeGreaterThan(0);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
