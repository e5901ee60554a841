import { expect, test } from 'vitest';
import { closingLine, countResults } from './test-count.mjs';

/** @param {object} counts */
const report = (counts) =>
  JSON.stringify({
    numPassedTests: 5,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [],
    ...counts,
  });
const brokenFile = { status: 'failed', assertionResults: [] };
const failedFile = { status: 'failed', assertionResults: [{ status: 'failed' }] };

test.each([
  ['a good run', report({}), 0, '5 passed, 0 failed'],
  ['skipped and todo tests', report({ numPendingTests: 2, numTodoTests: 1 }), 0, '5 passed, 0 failed, 3 skipped'],
  ['a failed test', report({ numFailedTests: 1, testResults: [failedFile] }), 1, '5 passed, 1 failed'],
  ['a file that cannot be loaded', report({ testResults: [brokenFile] }), 1, '5 passed, 1 failed'],
  ['both', report({ numFailedTests: 1, testResults: [failedFile, brokenFile] }), 1, '5 passed, 2 failed'],
  ['an error outside of any test', report({}), 1, '5 passed, 1 failed'],
  ['no report at all', undefined, 137, '0 passed, 1 failed'],
])('%s closes with its own line', (_, text, exitCode, line) => {
  expect(closingLine(countResults(text, exitCode))).toBe(line);
});
