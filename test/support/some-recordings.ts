// Owns: recordings for tests of the API: the real ones, in a folder of their own, on whatever runs jobs there.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordingsConfig } from '#config/recordings.ts';
import type { RecordingsOptions } from '#core/recordings.ts';
import { createRecordings, type RecordingParts } from '#recordings/index.ts';
import { endsWithFile } from './opened.ts';

export async function someRecordings(
  options: Pick<RecordingsOptions, 'store' | 'rooms' | 'media' | 'views' | 'log'>,
  config: RecordingsConfig,
): Promise<RecordingParts> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-recordings-'));
  endsWithFile(() => rm(folder, { recursive: true, force: true }));
  return createRecordings(options, { ...config, minFreeBytes: 0 }, folder);
}
