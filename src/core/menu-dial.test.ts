import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';
import { allowedNumber, dialNumberPattern } from './menu-dial.ts';
import { defaultNumberPlan } from './number-plan.ts';

const german = { countryCode: '49', nationalPrefix: '0', internationalPrefix: '00' };

test('a number is called that a pattern allows, whole however it was typed, or as the keys that were pressed', () => {
  const rows: [string, string[], string | undefined][] = [
    ['004930123', ['+4930*'], '+4930123'],
    ['030123456', ['+4930*'], '+4930123456'],
    ['040123456', ['+4930*'], undefined],
    ['004930', ['+4930*'], '+4930'],
    ['212', ['2??'], '212'],
    ['2123', ['2??'], undefined],
    ['21', ['2??'], undefined],
    ['300', ['2??', '300'], '300'],
    // Nobody gets abroad by a pattern for extensions.
    ['0019005550100', ['1*'], undefined],
    ['0019005550100', ['+49*', '1??'], undefined],
    ['1900', ['1*'], '1900'],
    // Longer than any number that there is.
    ['0049301234567890123', ['+4930*'], undefined],
    ['', ['2??'], undefined],
  ];
  for (const [typed, patterns, number] of rows) {
    assert.equal(allowedNumber(typed, patterns, german), number, `${typed} by ${patterns}`);
  }
  assert.equal(allowedNumber('4930123', ['+4930*'], defaultNumberPlan), '+4930123');
});

test('what is called begins with what the pattern begins with, whatever is typed', () => {
  const pattern = fc.stringMatching(/^\+?[1-9][0-9?]{0,5}\*?$/);
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9]{0,17}$/), pattern, (typed, one) => {
      assert.ok(dialNumberPattern.test(one));
      const number = allowedNumber(typed, [one], german);
      const start = one.split(/[?*]/)[0] ?? '';
      if (number !== undefined) assert.ok(number.startsWith(start) && /^\+?\d{1,15}$/.test(number), `${typed} ${one}`);
    }),
  );
});
