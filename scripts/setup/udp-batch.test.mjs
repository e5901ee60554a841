import { statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectDir } from './cache.mjs';
import { ensureUdpBatch } from './udp-batch.mjs';

const target = join(projectDir, '.cache', 'udp-batch.node');
const stamp = join(projectDir, '.cache', 'udp-batch.built-from');

test.runIf(process.platform === 'linux')('is compiled once, and again where it was made of something else', () => {
  ensureUdpBatch();
  const first = statSync(target).ino;
  ensureUdpBatch();
  expect(statSync(target).ino).toBe(first);
  // Not taken away: other tests load it meanwhile.
  writeFileSync(stamp, 'of another source');
  ensureUdpBatch();
  expect(statSync(target).ino).not.toBe(first);
  expect(Object.keys(createRequire(import.meta.url)(target)).sort()).toEqual([
    'close',
    'connect',
    'open',
    'receive',
    'send',
    'useRing',
  ]);
});
