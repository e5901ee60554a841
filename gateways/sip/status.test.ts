import { expect, test, vi } from 'vitest';
import { CallRejected } from '#core/call-rejected.ts';
import { GatewayError } from '#core/errors.ts';
import type { SipQuestion } from './dialog.ts';
import { refuse, refusedBy } from './status.ts';

function told(error: GatewayError): readonly unknown[] {
  const answers: unknown[] = [];
  const respond: SipQuestion['respond'] = (status, { headers = {} } = {}) =>
    answers.push(status, headers.warning, headers['retry-after']);
  refuse({ respond }, error);
  return answers;
}

test.each([
  ['the reason', new GatewayError('not_found', 'There is none.'), [404, '399 switchyard "There is none."', undefined]],
  ['when to call again', new GatewayError('overloaded', 'Full.'), [503, '399 switchyard "Full."', '5']],
  ['nothing of our faults', new GatewayError('internal', 'x'), [500, '399 switchyard "internal error"', undefined]],
  [
    'no line of its own by quotes or line breaks',
    new CallRejected(486, 'forbidden', 'No"\r\nX: y'),
    [486, '399 switchyard "No   X: y"', undefined],
  ],
  [
    'no address of ours that a webhook was asked at',
    new CallRejected(480, 'forbidden', '10.1.2.3:80 could not be reached.', 'It does not decide.'),
    [480, '399 switchyard "It does not decide."', undefined],
  ],
])('who is refused is told %s', (_what, error, answer) => {
  expect(told(error)).toEqual(answer);
});

test('a message of another kind is refused with the kind that is taken', () => {
  const respond = vi.fn<SipQuestion['respond']>();
  refuse({ respond }, new GatewayError('unsupported_media_type', 'No.'));
  expect(respond).toHaveBeenCalledWith(415, { headers: { warning: '399 switchyard "No."', accept: 'text/plain' } });
});

test.each([
  [
    302,
    '"Bob" <sip:bob@other.example;transport=tcp>;q=0.9, <sip:desk@pbx>',
    ', and is to be called at sip:bob@other.example;transport=tcp instead',
  ],
  [301, 'sip:bob@other.example;q=1', ', and is to be called at sip:bob@other.example instead'],
  [302, undefined, ''],
  [486, '<sip:bob@other.example>', ''],
])('a %d with Contact %s is said with where it leads', (status, contact, where) => {
  const header = (name: string) => (name === 'contact' ? contact : undefined);
  expect(refusedBy({ status, reason: 'R', header }).message).toBe(`The other side answered ${status} R${where}.`);
});
