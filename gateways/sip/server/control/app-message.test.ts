import assert from 'node:assert/strict';
import fc from 'fast-check';
import { test } from 'vitest';
import { appMessageOf, readAppMessage } from './app-message.ts';

const ids = { messageId: 'a1', transactionId: 't1', dialogId: '' };
const line = fc.oneof(
  fc.constantFrom('', ' ', '\0', '\\\0', 'a\tb', '<sip:a@b>;tag=1', '399 x "ü"'),
  fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, '')),
);
const name = fc.constantFrom(
  'to',
  'contact',
  'X-Odd',
  'x-odd',
  'Allow',
  'content-type',
  'supported',
  'bad name',
  '',
  'ä',
);

test('a response that is handed over is what its words would be', () => {
  let taken = 0;
  const response = fc.record({
    status: fc.oneof(fc.integer({ min: 100, max: 699 }), fc.constantFrom(0, 99, 700, 1000)),
    reason: line.filter((text) => text !== ''),
    headers: fc.dictionary(name, line, { noNullPrototype: true }),
    body: fc.oneof(fc.constant(''), fc.string({ maxLength: 40 }), fc.constant('v=0\r\n\r\nü')),
  });
  fc.assert(
    fc.property(response, ({ status, reason, headers, body }) => {
      const lines = Object.entries(headers).map(([written, value]) => `${written}: ${value}\r\n`);
      const inWords = readAppMessage(`SIP/2.0 ${status} ${reason}\r\n${lines.join('')}\r\n${body}`);
      const handed = appMessageOf({ ...ids, status, reason, headers, body });
      if (handed) taken++;
      assert.equal(handed?.toString(), inWords?.toString());
    }),
    { numRuns: 3000 },
  );
  assert.ok(taken > 100, `${taken} were taken`);
});
