import { existsSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectDir } from './cache.mjs';
import { ensureUdpBatch } from './udp-batch.mjs';

const target = join(projectDir, '.cache', 'udp-batch.node');

test.runIf(process.platform === 'linux')('is compiled once, and again when it is gone', () => {
  ensureUdpBatch();
  const first = statSync(target).ino;
  ensureUdpBatch();
  expect(statSync(target).ino).toBe(first);
  rmSync(target);
  ensureUdpBatch();
  expect(existsSync(target)).toBe(true);
  expect(Object.keys(createRequire(import.meta.url)(target)).sort()).toEqual([
    'close',
    'connect',
    'open',
    'receive',
    'send',
  ]);
});
