import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderStore } from './segment-store.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'segments-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test('a file that cannot be put where it belongs leaves nothing behind, and the next one is written', async () => {
  const store = await FolderStore.create(join(folder, 'live.m3u8'), [folder]);
  await mkdir(join(folder, 'video-1.m4s'));
  await expect(store.put('video-1.m4s', Buffer.from('one'))).rejects.toMatchObject({ code: 'upstream_failed' });
  expect(await readdir(folder)).toEqual(['video-1.m4s']);
  await store.put('video-2.m4s', Buffer.from('two'));
  expect(await readFile(join(folder, 'video-2.m4s'), 'utf8')).toBe('two');
});
