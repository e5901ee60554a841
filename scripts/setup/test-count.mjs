/** How Vitest runs are counted for their closing line. Pure. */

/**
 * @typedef {object} TestCount
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 */

/**
 * @typedef {object} RunResult
 * @property {ReadonlyMap<string, TestCount>} files by path
 * @property {string[]} failedTests full names
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
  const failedTests = reports.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
  );
  const hasFailed = [...files.values()].some(({ failed }) => failed > 0);
  return { files, failedTests, strayFailures: !report || (exitCode !== 0 && !hasFailed) ? 1 : 0 };
}

/**
 * @param {FileReport} file
 * @returns {TestCount}
 */
function countFile({ status, assertionResults }) {
  const count = (/** @type {(status: string) => boolean} */ isOne) =>
    assertionResults.filter((test) => isOne(test.status)).length;
  const passed = count((of) => of === 'passed');
  const failed = count((of) => of === 'failed');
  const isBroken = status === 'failed' && failed === 0;
  return { passed, failed: isBroken ? 1 : failed, skipped: assertionResults.length - passed - failed };
}

/**
 * @param {RunResult} result
 * @returns {string[]}
 */
export function failedFiles({ files }) {
  return [...files].filter(([, { failed }]) => failed > 0).map(([name]) => name);
}

/**
 * @param {RunResult[]} runs in their order: of a file that ran twice the later one counts
 * @returns {TestCount}
 */
export function countRuns(runs) {
  const last = new Map(runs.flatMap(({ files }) => [...files]));
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of last.values()) {
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
