import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { test } from 'vitest';
import { rfc4475, rfc5118 } from '#test/support/sip-torture.ts';
import { parseMessage } from './server/message/parse.ts';
import { type ParseMessage, quickParser } from './srf-messages.ts';

// Nothing of this process has taught it anything: tests of Vitest have modules of their own.
const original = createRequire(import.meta.url)('drachtio-srf/lib/sip-parser/parser') as {
  parseSipMessage: ParseMessage;
  getHeaderName(name: string): string;
};
const plain = { parseSipMessage: original.parseSipMessage, getHeaderName: original.getHeaderName };
const quick = quickParser(plain);

const seeds = [...rfc4475, ...rfc5118].map(({ bytes }) => bytes.toString('utf8'));
const ordinary =
  'INVITE sip:demo@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP a\r\n' +
  'From: "Grüße, x" <sip:a@b>;tag=1\r\nX-Odd: Y\r\nP-Key: 1\r\nm: <sip:c@d>\r\nContent-Type: application/sdp\r\n' +
  'Content-Length: 9\r\n\r\nv=0\r\nü\r\n\r\nrest';

/** With what it throws, and the order of what it has. */
function readBy(parse: ParseMessage, text: string): string {
  try {
    return JSON.stringify(parse(text, true)) ?? 'nothing';
  } catch (error) {
    return `throws ${error}`;
  }
}

const mutated = fc
  .tuple(
    fc.constantFrom(ordinary, ...seeds),
    fc.integer({ min: 0, max: 9999 }),
    fc.integer({ min: 0, max: 30 }),
    fc.oneof(
      fc.constantFrom('\r\n', '\r\n ', ':', ' ', '\t', '0', 'multipart/', '__proto__:', '\r\nconstructor: x\r\n'),
      fc.string({ maxLength: 6 }),
    ),
  )
  .map(([seed, at, removed, inserted]) => {
    const start = Math.floor((at / 10_000) * seed.length);
    return seed.slice(0, start) + inserted + seed.slice(start + removed);
  });

test('messages are read as drachtio-srf reads them: torture, in whole and mutated', () => {
  for (const text of [...seeds, ordinary]) {
    assert.equal(readBy(quick.parseSipMessage, text), readBy(plain.parseSipMessage, text));
  }
  fc.assert(
    fc.property(mutated, (text) => {
      assert.equal(readBy(quick.parseSipMessage, text), readBy(plain.parseSipMessage, text));
    }),
    { numRuns: 3000 },
  );
});

test('a message that is handed over is read as its words would be', () => {
  let handed = 0;
  /** As both have it, in whichever order. */
  const sorted = (value: unknown): unknown =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .sort()
            .map(([name, each]) => [name, sorted(each)]),
        )
      : value;
  const compare = (text: string): void => {
    const read = parseMessage(Buffer.from(text));
    const parsed = read.ok && quick.parsedOf(read.message);
    if (!parsed) return;
    handed++;
    assert.deepEqual(sorted(parsed), sorted(plain.parseSipMessage(read.message.toString(), true)));
  };
  for (const text of [...seeds, ordinary]) compare(text);
  assert.ok(handed > seeds.length / 3, `${handed} of ${seeds.length}`);
  fc.assert(fc.property(mutated, compare), { numRuns: 3000 });
});

test('names of headers are what drachtio-srf makes of them, however often they are asked for', () => {
  for (const name of ['Call-ID', 'i', 'X-Odd', 'P-Key', 'P-Asserted-Identity', 'Diversion', 'f', 'a%20b']) {
    assert.equal(quick.getHeaderName(name), plain.getHeaderName(name));
    assert.equal(quick.getHeaderName(name), plain.getHeaderName(name));
  }
});
