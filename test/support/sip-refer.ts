// Owns: the words of SIPp for REFER and what is told of it.
import { recv, recvRequest, request, response } from './sipp.ts';

export const refer = (to: string, cseq = 2): string =>
  request({
    ...{ method: 'REFER', uri: '[next_url]', cseq, isInDialog: true, retransMs: 500 },
    headers: ['[routes]', `Refer-To: ${to}`],
  });

/** The gateway tells. */
export const told = (status: string, state: string): string[] => [
  recvRequest('NOTIFY', { expect: { body: `SIP/2.0 ${status}`, 'Subscription-State': state, Event: 'refer' } }),
  response('200 OK', { tag: false }),
];

/** The phone tells. */
export const tell = (cseq: number, status: string, state: string): string[] => [
  request({
    ...{ method: 'NOTIFY', uri: '[next_url]', cseq, isInDialog: true, retransMs: 500 },
    headers: ['[routes]', 'Event: refer', `Subscription-State: ${state}`],
    ...{ body: `SIP/2.0 ${status}`, contentType: 'message/sipfrag;version=2.0' },
  }),
  recv(200),
];
