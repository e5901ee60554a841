import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { hashFiles, withLock } from './cache.mjs';

/** @type {string} */
let dir;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-cache-'));
  vi.stubEnv('SWITCHYARD_CACHE', dir);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

test('two pieces of work under one lock run one after the other', async () => {
  /** @type {string[]} */
  const log = [];
  const work = (/** @type {string} */ name) =>
    withLock('build', async () => {
      log.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      log.push(`${name} ends`);
    });
  await Promise.all([work('a'), work('b')]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('a lock is given back when its work fails', async () => {
  await expect(withLock('build', () => Promise.reject(new Error('no compiler')))).rejects.toThrow('no compiler');
  expect(await withLock('build', async () => 'done')).toBe('done');
});

test.each([
  ['whose process is gone', JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), at: Date.now() })],
  ['older than any work takes', JSON.stringify({ pid: 1, host: 'elsewhere', at: Date.now() - 2 * 60 * 60 * 1000 })],
])('a lock %s is taken over', async (_, content) => {
  mkdirSync(join(dir, 'locks'));
  writeFileSync(join(dir, 'locks', 'build.json'), content);
  expect(await withLock('build', async () => 'done')).toBe('done');
});

test('the hash of files changes with a name, a content and a new file, and not with what is not counted', () => {
  mkdirSync(join(dir, 'web', 'ui'), { recursive: true });
  writeFileSync(join(dir, 'web', 'ui', 'tile.tsx'), 'a');
  const hash = () => hashFiles(dir, ['web', 'lock.json', 'not-there'], (name) => !name.endsWith('.test.ts'));
  const seen = [hash()];
  writeFileSync(join(dir, 'web', 'ui', 'tile.tsx'), 'b');
  seen.push(hash());
  writeFileSync(join(dir, 'web', 'grid.tsx'), '');
  seen.push(hash());
  writeFileSync(join(dir, 'lock.json'), '{}');
  seen.push(hash());
  expect(new Set(seen).size).toBe(4);
  writeFileSync(join(dir, 'web', 'grid.test.ts'), 'not counted');
  mkdirSync(join(dir, 'web', 'dist'));
  writeFileSync(join(dir, 'web', 'dist', 'index.html'), 'not counted');
  expect(hash()).toBe(seen[3]);
});
