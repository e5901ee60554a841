import { expect, test } from 'vitest';
import { closingLine, countRuns, readResults, stillFailing } from './test-count.mjs';

/** @param {string} statuses a letter for each test @param {string} [name] */
const file = (statuses, name = 'a.test.ts') => ({
  name,
  status: statuses.includes('f') ? 'failed' : 'passed',
  assertionResults: [...statuses].map((letter, index) => ({
    status: { p: 'passed', f: 'failed', s: 'skipped', t: 'todo' }[letter],
    fullName: `${name} ${index}`,
  })),
});
const brokenFile = { name: 'broken.test.ts', status: 'failed', assertionResults: [] };
/** @param {object[]} testResults */
const report = (...testResults) => JSON.stringify({ testResults });

test.each([
  ['a good run', report(file('ppppp')), 0, '5 passed, 0 failed'],
  ['skipped and todo tests', report(file('pppppss'), file('t', 'b.test.ts')), 0, '5 passed, 0 failed, 3 skipped'],
  ['a failed test', report(file('pppppf')), 1, '5 passed, 1 failed'],
  ['a file that cannot be loaded', report(file('ppppp'), brokenFile), 1, '5 passed, 1 failed'],
  ['both', report(file('pppppf'), brokenFile), 1, '5 passed, 2 failed'],
  ['an error outside of any test', report(file('ppppp')), 1, '5 passed, 1 failed'],
  ['no report at all', undefined, 137, '0 passed, 1 failed'],
])('%s closes with its own line', (_, text, exitCode, line) => {
  expect(closingLine(countRuns([readResults(text, exitCode)]))).toBe(line);
});

test('of a file that ran twice the second run counts, and every run that ended badly', () => {
  const first = readResults(report(file('pf'), file('ff', 'b.test.ts'), file('pp', 'c.test.ts')), 1);
  expect(stillFailing([first])).toEqual(
    new Map([
      ['a.test.ts', ['a.test.ts 1']],
      ['b.test.ts', ['b.test.ts 0', 'b.test.ts 1']],
    ]),
  );
  const again = readResults(report(file('pp'), file('pf', 'b.test.ts')), 1);
  expect(stillFailing([first, again])).toEqual(new Map([['b.test.ts', ['b.test.ts 1']]]));
  expect(countRuns([first, again])).toEqual({ passed: 5, failed: 1, skipped: 0 });
  expect(countRuns([first, again, readResults(undefined, 1)]).failed).toBe(2);
});
