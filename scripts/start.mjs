#!/usr/bin/env node
/** `npm start`: sets up what is missing, then runs the gateway; flags after `--` are its own. */
import { join } from 'node:path';
import { projectDir } from './setup/cache.mjs';
import { runInstead } from './setup/child-process.mjs';
import { prepare } from './setup/prepare.mjs';
import { reportFailure } from './setup/progress.mjs';

/** Every other command talks to a gateway that runs elsewhere, or reads a file: no worker and no pages for them. */
const [first = 'start'] = process.argv.slice(2);
const isService = first.startsWith('-') || ['start', 'doctor'].includes(first);

const followParent = new URL('./setup/follow-parent.mjs', import.meta.url).href;

try {
  const { node, env } = await prepare(isService ? { worker: true, web: true } : { isQuiet: true });
  const main = join(projectDir, 'src', 'main.ts');
  const args = [...(isService ? ['--import', followParent] : []), main, ...process.argv.slice(2)];
  process.exitCode = await runInstead(node, args, { env, isService });
} catch (error) {
  process.exitCode = reportFailure(error);
}
