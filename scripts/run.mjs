#!/usr/bin/env node
/**
 * Runs a developer's task, or any command line, on the project's runtime:
 *   node scripts/run.mjs typecheck | lint | format | knip | build:web
 *   node scripts/run.mjs vitest run src/core        node scripts/run.mjs node src/main.ts --data /tmp/x
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from './setup/cache.mjs';
import { runInstead } from './setup/child-process.mjs';
import { prepare } from './setup/prepare.mjs';
import { reportFailure } from './setup/progress.mjs';

const typescriptProjects = ['.', 'web', 'scripts'].filter((dir) => existsSync(join(projectDir, dir, 'tsconfig.json')));

/** @type {Record<string, string[][]>} */
const tasks = {
  typecheck: typescriptProjects.map((dir) => ['tsc', '-p', dir]),
  lint: [['biome', 'check']],
  format: [['biome', 'check', '--write']],
  knip: [['knip']],
  'build:web': existsSync(join(projectDir, 'web', 'vite.config.ts')) ? [['vite', 'build', 'web']] : [],
};

const [name = '', ...args] = process.argv.slice(2);
const task = tasks[name];

try {
  if (!name) throw new Error(`say what to run: ${Object.keys(tasks).join(', ')}, or a command line`);
  const { env } = await prepare({ worker: !task, isQuiet: true });
  process.exitCode = task ? await runTask(task, env) : await runInstead(name, args, { env });
} catch (error) {
  process.exitCode = reportFailure(error);
}

/**
 * Runs all commands of a task even when one fails, so that one look shows everything.
 * @param {string[][]} commands
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} the first exit code that is not 0
 */
async function runTask(commands, env) {
  let exitCode = 0;
  for (const [command = '', ...rest] of commands) {
    const code = await runInstead(command, [...rest, ...args], { env, cwd: projectDir });
    exitCode ||= code;
  }
  return exitCode;
}
