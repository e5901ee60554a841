/** How Vitest runs are counted for their closing line. Pure. */

/**
 * @typedef {object} TestCount
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 */

/** @typedef {TestCount & { failedTests: string[] }} FileResult with the full names of those that failed */

/**
 * @typedef {object} RunResult
 * @property {ReadonlyMap<string, FileResult>} files by path
 * @property {number} strayFailures a run that ended badly without a test that failed: errors outside of tests, no report
 */

/** @typedef {{ name: string, status: string, assertionResults: { status: string, fullName: string }[] }} FileReport */

/**
 * A file that cannot be loaded holds no test that failed, and an error outside of any test fails none: each is counted as
 * one failure, so that a run which ended badly never looks well.
 * @param {string | undefined} report Vitest's JSON report, undefined where it wrote none
 * @param {number} exitCode Vitest's
 * @returns {RunResult}
 */
export function readResults(report, exitCode) {
  /** @type {FileReport[]} */
  const reports = report ? JSON.parse(report).testResults : [];
  const files = new Map(reports.map((file) => [file.name, countFile(file)]));
  const hasFailed = [...files.values()].some(({ failed }) => failed > 0);
  return { files, strayFailures: !report || (exitCode !== 0 && !hasFailed) ? 1 : 0 };
}

/**
 * @param {FileReport} file
 * @returns {FileResult}
 */
function countFile({ status, assertionResults }) {
  const passed = assertionResults.filter((test) => test.status === 'passed').length;
  const failedTests = assertionResults.filter((test) => test.status === 'failed').map(({ fullName }) => fullName);
  const skipped = assertionResults.length - passed - failedTests.length;
  const isBroken = status === 'failed' && failedTests.length === 0;
  return { passed, failed: isBroken ? 1 : failedTests.length, skipped, failedTests };
}

/**
 * @param {RunResult[]} runs in their order
 * @returns {Map<string, FileResult>} by path: of a file that ran more than once the last run counts
 */
function lastResults(runs) {
  return new Map(runs.flatMap(({ files }) => [...files]));
}

/**
 * @param {RunResult[]} runs in their order
 * @returns {Map<string, string[]>} the files in which something failed when they ran last, with the tests that did
 */
export function stillFailing(runs) {
  const failing = [...lastResults(runs)].filter(([, { failed }]) => failed > 0);
  return new Map(failing.map(([name, { failedTests }]) => [name, failedTests]));
}

/**
 * @param {RunResult[]} runs in their order
 * @returns {TestCount}
 */
export function countRuns(runs) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of lastResults(runs).values()) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  for (const { strayFailures } of runs) total.failed += strayFailures;
  return total;
}

/**
 * @param {TestCount} count
 * @returns {string}
 */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
