import { statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectDir } from './cache.mjs';
import { ensureNativeAddons } from './native-addons.mjs';

test.runIf(process.platform === 'linux').each([
  ['udp-batch', ['close', 'connect', 'open', 'receive', 'send', 'useRing']],
  ['planes', ['find', 'place', 'turn']],
  ['h264-encode', ['close', 'encode', 'look', 'open', 'shown']],
  ['x264-encode', ['close', 'encode', 'look', 'open']],
])('%s is compiled once, and again where it was made of something else', (name, functions) => {
  const target = join(projectDir, '.cache', `${name}.node`);
  ensureNativeAddons();
  const first = statSync(target).ino;
  ensureNativeAddons();
  expect(statSync(target).ino).toBe(first);
  // Not taken away: other tests load it meanwhile.
  writeFileSync(join(projectDir, '.cache', `${name}.built-from`), 'of another source');
  ensureNativeAddons();
  expect(statSync(target).ino).not.toBe(first);
  expect(Object.keys(createRequire(import.meta.url)(target)).sort()).toEqual(functions);
});
