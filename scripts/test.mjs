#!/usr/bin/env node
/**
 * `npm test`: sets up what is missing, runs Vitest (what follows `--` is handed to it) and ends with one plain line,
 * "N passed, N failed". Without arguments it runs everything: tests with real peers in two lanes side by side, pages two at
 * a time, those that take the whole machine alone, and then each file in which a test failed by itself, up to twice, since a
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
import { closingLine, countRuns, readResults, stillFailing } from './setup/test-count.mjs';

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
  const all = [unit, ...peers];
  for (const ordinal of ['second', 'third']) {
    // So many are the code's fault.
    if (stillFailing(all).size > 20) break;
    for (const [file, failed] of stillFailing(all)) {
      if (isStopped) return all;
      console.log(`\nBy itself, for the ${ordinal} time: ${file}\n`);
      all.push(await vitest(file));
      const again = stillFailing(all).get(file) ?? [];
      for (const name of failed.filter((one) => !again.includes(one))) {
        console.log(`Passed only at the ${ordinal} try: ${name}`);
      }
    }
  }
  return all;
}
