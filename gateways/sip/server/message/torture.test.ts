import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { rfc4475, rfc5118, type TortureOutcome } from '#test/support/sip-torture.ts';
import { parseMessage } from './parse.ts';
import { faultOfRequest, isUsableResponse } from './validate.ts';

/** What becomes of one datagram before any transaction. */
function judge(bytes: Buffer): TortureOutcome {
  const read = parseMessage(bytes);
  if (!read.ok) return read.message && read.fault.status !== 0 ? read.fault.status : 'drop';
  if (read.message.isRequest) return faultOfRequest(read.message)?.status ?? 'accept';
  return isUsableResponse(read.message) ? 'accept' : 'drop';
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

test('all 49 messages of RFC 4475 and 12 of RFC 5118 are here, bytes that no editor keeps included', () => {
  assert.equal(new Set(rfc4475.map(({ name }) => name)).size, 49);
  assert.equal(new Set(rfc5118.map(({ name }) => name)).size, 12);
  const text = (name: string) => rfc4475.find((each) => each.name === name)?.bytes.toString('latin1') ?? '';
  assert.ok(text('intmeth').includes('NUL:\\\0 DEL:\\\x7f'));
  assert.ok(text('trws').startsWith('OPTIONS sip:remote-target@example.com SIP/2.0  \r\n'));
  assert.ok(text('noreason').startsWith('SIP/2.0 100 \r\n'));
  assert.equal(text('longreq').length, 3515);
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
