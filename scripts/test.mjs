#!/usr/bin/env node
/**
 * `npm test`: sets up what is missing, runs Vitest (what follows `--` is handed to it) and ends with one plain line,
 * "N passed, N failed". Without arguments it runs everything: tests with real peers in two lanes side by side, pages two at
 * a time, those that take the whole machine alone, and then the files in which a test failed once more, alone, since a
 * browser and a phone in real time are at the mercy of the machine, and whatever waits for a process or a disk is on a busy
 * one. What passed only then is named.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDir, readIfThere } from './setup/cache.mjs';
import { runInstead } from './setup/child-process.mjs';
import { prepare } from './setup/prepare.mjs';
import { reportFailure } from './setup/progress.mjs';
import { closingLine, countRuns, failedFiles, readResults } from './setup/test-count.mjs';

/** @typedef {import('./setup/test-count.mjs').RunResult} RunResult */

const reportDir = mkdtempSync(join(tmpdir(), 'switchyard-test-'));
let runs = 0;
/** Somebody has pressed Ctrl-C, or a process manager wants us gone. */
let isStopped = false;

try {
  const { node, env } = await prepare({ worker: true, web: true, testPackages: true });

  /**
   * @param {string[]} args
   * @returns {Promise<RunResult>}
   */
  const vitest = async (...args) => {
    runs += 1;
    const reportFile = join(reportDir, `${runs}.json`);
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
    const script = join(projectDir, 'node_modules', 'vitest', 'vitest.mjs');
    const exitCode = await runInstead(node, [script, 'run', ...reporters, ...args], { env, cwd: projectDir });
    isStopped ||= exitCode > 128;
    return readResults(readIfThere(reportFile), exitCode);
  };

  const given = process.argv.slice(2);
  const results = given.length > 0 ? [await vitest(...given)] : await runAll(vitest);
  const count = countRuns(results);
  console.log(closingLine(count));
  process.exitCode = count.failed > 0 ? 1 : 0;
} catch (error) {
  process.exitCode = reportFailure(error);
} finally {
  rmSync(reportDir, { recursive: true, force: true });
}

/**
 * @param {(...args: string[]) => Promise<RunResult>} vitest
 * @returns {Promise<RunResult[]>}
 */
async function runAll(vitest) {
  const unit = await vitest('--project=unit', '--project=native');
  if (isStopped) return [unit];
  const peers = await Promise.all(['integration', 'interop'].map((project) => vitest(`--project=${project}`)));
  if (!isStopped) peers.push(await vitest('--project=pages', '--maxWorkers=2'));
  if (!isStopped) peers.push(await vitest('--project=alone'));
  const first = [unit, ...peers];
  const files = first.flatMap(failedFiles);
  if (files.length === 0 || isStopped) return first;
  console.log(`\nOnce more, alone: ${files.length} files with a test that failed\n`);
  const again = await vitest(...files);
  const stillFailed = new Set(again.failedTests);
  const onlyThen = first.flatMap(({ failedTests }) => failedTests).filter((name) => !stillFailed.has(name));
  for (const name of onlyThen) console.log(`Passed only at the second try: ${name}`);
  return [...first, again];
}
