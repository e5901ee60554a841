import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { test } from 'vitest';
import { rfc4475, rfc5118 } from '#test/support/sip-torture.ts';
import { StreamFramer } from './framing.ts';
import type { SipMessage } from './message.ts';
import { defaultParseLimits, parseMessage } from './parse.ts';
import { faultOfRequest, isUsableResponse } from './validate.ts';

// What the application will read the accepted ones with: it must not throw on them.
const SrfMessage = createRequire(import.meta.url)('drachtio-srf/lib/sip-parser/message') as new (
  text: string,
) => { getParsedHeader(name: string): unknown };

const runs = Number(process.env.SIP_FUZZ_RUNS ?? 3000);
const seeds = [...rfc4475, ...rfc5118].map(({ bytes }) => bytes);
const nasty = [
  '\r\n',
  '\r\n ',
  '\0',
  '"',
  '<',
  '>',
  ';',
  ',',
  ':',
  '=',
  '@',
  '[',
  ']',
  '\\',
  'tag=',
  'SIP/2.0',
  '%00',
  ' '.repeat(300),
];

const mutation = fc.record({
  /** Ten-thousandths of the message: doubles of fast-check crowd around 0. */
  at: fc.integer({ min: 0, max: 9999 }),
  remove: fc.integer({ min: 0, max: 40 }),
  insert: fc.oneof(fc.constantFrom(...nasty), fc.string({ maxLength: 8 }), fc.string({ unit: 'binary', maxLength: 4 })),
});
const mutated = fc
  .tuple(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 6 }))
  .map(([seed, mutations]) => {
    let bytes = seed;
    for (const { at, remove, insert } of mutations) {
      const start = Math.floor((at / 10_000) * bytes.length);
      bytes = Buffer.concat([bytes.subarray(0, start), Buffer.from(insert, 'latin1'), bytes.subarray(start + remove)]);
    }
    return bytes;
  });

/** Everything that is read of a message once it is accepted. */
function use(message: SipMessage): void {
  message.toBuffer();
  if (message.isRequest ? faultOfRequest(message) : !isUsableResponse(message)) return;
  const forApp = new SrfMessage(message.toString());
  for (const name of ['from', 'to', 'cseq', 'via']) forApp.getParsedHeader(name);
  if (message.has('contact')) forApp.getParsedHeader('contact');
}

test(`${runs} mutated torture messages: none throws here, and none that is accepted throws in drachtio-srf`, () => {
  fc.assert(
    fc.property(mutated, (bytes) => {
      const read = parseMessage(bytes);
      if (read.ok) use(read.message);
    }),
    { numRuns: runs },
  );
});

test('a message that is accepted says the same when it is written and read again', () => {
  fc.assert(
    fc.property(mutated, (bytes) => {
      const read = parseMessage(bytes);
      if (!read.ok) return;
      const again = parseMessage(read.message.toBuffer());
      assert.ok(again.ok, 'what was written parses');
      assert.equal(again.message.toString(), read.message.toString());
    }),
    { numRuns: Math.ceil(runs / 3) },
  );
});

test('a stream cut anywhere gives the same messages as in one piece', () => {
  const first = rfc4475.find(({ name }) => name === 'wsinv')?.bytes ?? Buffer.alloc(0);
  const second = rfc4475.find(({ name }) => name === 'semiuri')?.bytes ?? Buffer.alloc(0);
  const stream = Buffer.concat([Buffer.from('\r\n\r\n'), first, second, Buffer.from('\r\n'), first]);
  for (let cut = 1; cut < stream.length; cut++) {
    const methods: string[] = [];
    const framer = new StreamFramer({
      limits: defaultParseLimits,
      maxMessageBytes: 65_535,
      onMessage: (message) => methods.push(`${message.method} ${message.body.length}`),
      onFault: (fault) => assert.fail(fault.reason),
      onPing: () => methods.push('ping'),
    });
    assert.ok(framer.push(stream.subarray(0, cut)));
    assert.ok(framer.push(stream.subarray(cut)));
    // Where the cut falls into the four bytes of a ping, two keep-alives of two bytes are the same to us.
    assert.deepEqual(
      methods.filter((each) => each !== 'ping'),
      ['INVITE 150', 'OPTIONS 0', 'INVITE 150'],
      `cut at ${cut}`,
    );
  }
});

test('a stream of noise is given up, not collected', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 5000 }), { minLength: 1, maxLength: 20 }),
      (chunks) => {
        const framer = new StreamFramer({
          limits: defaultParseLimits,
          maxMessageBytes: 65_535,
          onMessage: use,
          onFault: () => undefined,
          onPing: () => undefined,
        });
        for (const chunk of chunks) if (!framer.push(Buffer.from(chunk))) return;
      },
    ),
    { numRuns: 200 },
  );
});
