import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { parseMessage } from './parse.ts';
import { rfc4475, type TortureMessage } from './torture-rfc4475.fixture.ts';
import { rfc5118 } from './torture-rfc5118.fixture.ts';
import { faultOfRequest, isUsableResponse } from './validate.ts';

/** What becomes of one datagram before any transaction. */
function judge(bytes: Buffer): TortureMessage['expected'] {
  const read = parseMessage(bytes);
  if (!read.ok) return read.message && read.fault.status !== 0 ? read.fault.status : 'drop';
  if (read.message.isRequest) return faultOfRequest(read.message)?.status ?? 'accept';
  // A response with several Vias parses, and is then dropped for them (RFC 3261 §8.1.3.3).
  return read.message.cseq ? 'accept' : 'drop';
}

describe.each([
  ['RFC 4475', rfc4475],
  ['RFC 5118', rfc5118],
])('%s', (_name, messages) => {
  test.each(messages.map((message) => [message.section, message.name, message.expected, message.bytes] as const))(
    '§%s %s: %s',
    (_section, name, expected, bytes) => {
      assert.equal(judge(bytes), expected, name);
    },
  );
});

test('all 49 messages of RFC 4475 are here', () => {
  assert.equal(new Set(rfc4475.map(({ name }) => name)).size, 49);
});

test('the tortuous INVITE is read as the RFC means it', () => {
  const [first] = rfc4475;
  assert.ok(first);
  const read = parseMessage(first.bytes);
  assert.ok(read.ok);
  const { message } = read;
  assert.equal(message.toTag, '1918181833n');
  assert.equal(message.fromTag, '98asjd8');
  assert.deepEqual(message.cseq, { number: 9, method: 'INVITE' });
  assert.equal(message.list('via').length, 3);
  assert.equal(
    message.get('contact'),
    '"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam = newvalue ; secondparam ; q = 0.33',
  );
  assert.equal(message.get('newfangledheader'), 'newfangled value continued newfangled value');
  assert.equal(message.body.length, 150);
});

test('a response with a second Via, as of a broadcast probe, is not used', () => {
  const broadcast = rfc4475.find(({ name }) => name === 'bcast');
  assert.ok(broadcast);
  const read = parseMessage(broadcast.bytes);
  assert.ok(read.ok);
  assert.equal(isUsableResponse(read.message), false);
});
