#!/usr/bin/env node
/** `npm start`: sets up what is missing, then runs the gateway; flags after `--` are its own. */
import { join } from 'node:path';
import { projectDir } from './setup/cache.mjs';
import { runInstead } from './setup/child-process.mjs';
import { prepare } from './setup/prepare.mjs';
import { reportFailure } from './setup/progress.mjs';

const followParent = new URL('./setup/follow-parent.mjs', import.meta.url).href;

try {
  const { node, env } = await prepare({ worker: true, web: true });
  const main = join(projectDir, 'src', 'main.ts');
  const args = ['--import', followParent, main, ...process.argv.slice(2)];
  process.exitCode = await runInstead(node, args, { env, isService: true });
} catch (error) {
  process.exitCode = reportFailure(error);
}
