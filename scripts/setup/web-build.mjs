/** The browser side, bundled by Vite into web/dist. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashFiles, projectDir, readIfThere, withLock } from './cache.mjs';
import { runQuietly } from './child-process.mjs';
import { step } from './progress.mjs';

/** What goes into the bundle: the pages, the contracts they share with the server, and the packages. */
const inputs = ['web', 'src/api/contract', 'src/api/contract.ts', 'src/signalling', 'src/core', 'package-lock.json'];

/**
 * @param {NodeJS.ProcessEnv} env environment of the runtime
 */
export async function ensureWebBuild(env) {
  if (!existsSync(join(projectDir, 'web', 'vite.config.ts'))) return;
  if (isBuilt()) return;
  await withLock('web-build', async () => {
    const hash = inputsHash();
    if (isBuilt()) return;
    const vite = join(projectDir, 'node_modules', 'vite', 'bin', 'vite.js');
    await step('Building the web pages', () =>
      runQuietly('node', [vite, 'build', 'web', '--logLevel', 'warn'], { cwd: projectDir, env }),
    );
    writeFileSync(stampPath(), hash);
  });
}

function isBuilt() {
  return readIfThere(stampPath()) === inputsHash();
}

function inputsHash() {
  return hashFiles(projectDir, inputs, (name) => !/\.test\.tsx?$/.test(name));
}

function stampPath() {
  return join(projectDir, 'web', 'dist', '.built-from');
}
