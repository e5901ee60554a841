import { expect, test } from 'vitest';
import { hasProfile, takeMessage } from './esl-probe.ts';

const status = [
  '                     Name          Type                                       Data      State',
  '            drachtio_mrf       profile           sip:mod_sofia@192.0.2.20:5080      RUNNING (0)',
  '                external       profile                 sip:mod_sofia@[::1]:5060      RUNNING (0)',
].join('\n');

test.each([
  ['drachtio_mrf', true],
  ['drachtio', false],
  // drachtio-fsmrf looks for an IPv4 address.
  ['external', false],
])('the profile %s is there: %s', (profile, isThere) => {
  expect(hasProfile(status, profile)).toBe(isThere);
});

test('a message is taken once it is whole, wherever it was cut', () => {
  const text = 'Content-Type: api/response\nContent-Length: 4\n\nüaäContent-Type: auth/request\n\n';
  const whole = Buffer.from(text.replace('4', '5'));
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const first = takeMessage(Buffer.from(whole.subarray(0, cut)));
    if (cut < 51) expect(first).toBeUndefined();
    else expect(first?.message).toEqual({ contentType: 'api/response', replyText: '', body: 'üaä' });
  }
  const rest = takeMessage(whole)?.rest ?? Buffer.alloc(0);
  expect(takeMessage(Buffer.from(rest))?.message.contentType).toBe('auth/request');
});
