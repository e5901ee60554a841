#!/usr/bin/env node
/** `npm start`: sets up what is missing, then runs the gateway; flags after `--` are its own. */
import { join } from 'node:path';
import { projectDir } from './setup/cache.mjs';
import { runInstead } from './setup/child-process.mjs';
import { prepare } from './setup/prepare.mjs';
import { reportFailure } from './setup/progress.mjs';

try {
  const { node, env } = await prepare({ worker: true, web: true });
  process.exitCode = await runInstead(node, [join(projectDir, 'src', 'main.ts'), ...process.argv.slice(2)], { env });
} catch (error) {
  process.exitCode = reportFailure(error);
}
