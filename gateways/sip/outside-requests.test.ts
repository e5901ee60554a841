import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { InboundRequest } from './inbound-call.ts';
import { OutsideRequests } from './outside-requests.ts';
import { allow } from './status.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

function outside(problem?: GatewayError) {
  const registered: string[] = [];
  const assertRoomForCalls = () => {
    if (problem) throw problem;
  };
  const requests = new OutsideRequests({
    calls: { live: [], assertRoomForCalls } as never,
    defence: { isScanner: ({ header }: InboundRequest) => header('user-agent') === 'sipvicious' } as never,
    registrar: { take: (request: InboundRequest) => registered.push(request.method) } as never,
  });
  const ask = (method: string, headers: Record<string, string> = {}): Answer | undefined => {
    let answer: Answer | undefined;
    requests.take({
      ...{ method, body: '', contentType: '', uri: 'sip:demo@h', callId: 'x' },
      source: { address: '192.0.2.1', port: 5060, protocol: 'udp' },
      header: (name) => headers[name],
      respond: (status, { headers: given = {} } = {}) => {
        answer = { status, headers: given as Answer['headers'] };
      },
    });
    return answer;
  };
  return { ask, registered };
}

test('OPTIONS is answered with what is taken here, and with 503, when and why while no calls are', () => {
  expect(outside().ask('OPTIONS')).toEqual({
    status: 200,
    headers: {
      allow,
      supported: expect.stringContaining('100rel'),
      accept: expect.stringContaining('application/sdp'),
    },
  });
  for (const code of ['draining', 'overloaded'] as const) {
    const full = outside(new GatewayError(code, 'There are 400 calls.', { retryAfterMs: 7_200 }));
    expect(full.ask('OPTIONS')).toEqual({
      status: 503,
      headers: { warning: '399 switchyard "There are 400 calls."', 'retry-after': '8' },
    });
  }
});

test('what is not taken is refused with 405 and what is, and nothing is said to be taken that is not', () => {
  const { ask, registered } = outside();
  for (const method of ['SUBSCRIBE', 'PUBLISH', 'INFO', 'NOTIFY']) {
    expect(ask(method)).toEqual({ status: 405, headers: { allow } });
  }
  expect(allow).not.toMatch(/SUBSCRIBE|PUBLISH/);
  ask('REGISTER');
  expect(registered).toEqual(['REGISTER']);
});

test('who calls itself a scanner learns nothing', () => {
  const { ask, registered } = outside();
  for (const method of ['OPTIONS', 'REGISTER']) {
    expect(ask(method, { 'user-agent': 'sipvicious' })).toEqual({ status: 403, headers: {} });
  }
  expect(registered).toEqual([]);
});

test('a MESSAGE of somebody who is in no room is refused with the reason', () => {
  const { status, headers } = outside().ask('MESSAGE', { from: '<sip:bob@h>' }) ?? {};
  expect([status, headers?.warning]).toEqual([403, expect.stringContaining('call it first')]);
});
