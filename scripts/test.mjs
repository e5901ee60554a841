#!/usr/bin/env node
/**
 * `npm test`: sets up what is missing, runs Vitest (what follows `--` is handed to it) and ends with one plain line,
 * "N passed, N failed".
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDir, readIfThere } from './setup/cache.mjs';
import { runInstead } from './setup/child-process.mjs';
import { prepare } from './setup/prepare.mjs';
import { reportFailure } from './setup/progress.mjs';
import { closingLine, countResults } from './setup/test-count.mjs';

const reportDir = mkdtempSync(join(tmpdir(), 'switchyard-test-'));
const reportFile = join(reportDir, 'report.json');

try {
  const { node, env } = await prepare({ worker: true, web: true, testPackages: true });
  const vitest = join(projectDir, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const args = [vitest, 'run', ...reporters, ...process.argv.slice(2)];
  const exitCode = await runInstead(node, args, { env, cwd: projectDir });
  const count = countResults(readIfThere(reportFile), exitCode);
  console.log(closingLine(count));
  process.exitCode = exitCode || (count.failed > 0 ? 1 : 0);
} catch (error) {
  process.exitCode = reportFailure(error);
} finally {
  rmSync(reportDir, { recursive: true, force: true });
}
