import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newRecordingId } from '#core/ids.ts';
import { encodeFiles } from '#test/support/ffmpeg-clip.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { RecordingFolder } from './files.ts';

let data: string;
let folder: RecordingFolder;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'switchyard-files-'));
  folder = new RecordingFolder({ folder: join(data, 'recordings'), minFreeBytes: 0, log: new KeepingLog() });
});

afterEach(async () => {
  await folder.finisher.close();
  await rm(data, { recursive: true, force: true });
});

test('a gateway that has never recorded has a disk, and nothing on it', async () => {
  const { recordingsBytes, totalBytes } = await folder.usage();
  expect(recordingsBytes).toBe(0);
  expect(totalBytes).toBeGreaterThan(0);
});

test.each([
  ['a file is in the way of a folder', 'taken.m4a/name'],
  ['the name is longer than the file system takes', 'n'.repeat(300)],
])('a recorded file is kept under another name when %s', async (_, target) => {
  const id = newRecordingId();
  const path = join(await folder.makeWorkFolder(id, 1), '0001-1796014415743.m4a');
  await encodeFiles(...['-f', 'lavfi', '-i', 'sine=duration=1', '-c:a', 'aac', path]);
  await mkdir(join(data, 'recordings'), { recursive: true });
  await writeFile(join(data, 'recordings', 'taken.m4a'), 'of somebody');
  const raw = {
    path,
    track: 1,
    number: 1,
    writtenAtMs: 0,
    startedAtMs: 1_796_014_415_743,
    bytes: (await stat(path)).size,
  };
  const finished = await folder.finish({ raw, format: 'm4a', target, otherwise: `${id}-1`, hasVideo: false });
  expect(finished).toMatchObject({ file: `${id}-1.m4a`, isIndexed: true });
  expect((await readdir(join(data, 'recordings'))).sort()).toEqual(['.work', `${id}-1.m4a`, 'taken.m4a'].sort());
});
