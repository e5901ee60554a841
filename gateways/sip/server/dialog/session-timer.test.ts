import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test, vi } from 'vitest';
import type { ControlSession } from '../control/control-session.ts';
import { SipMessage } from '../message/message.ts';
import { Dialog } from './dialog.ts';
import { retransmit } from './retransmission.ts';
import { applySessionTimer, parseSessionExpires } from './session-timer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function dialog(): Dialog {
  const options = {
    id: 'i',
    role: 'uas',
    method: 'INVITE',
    session: {} as ControlSession,
    callId: 'c',
    localTag: 'l',
    localHeader: '<sip:a@b>;tag=l',
    localCSeq: 1,
  } as const;
  return new Dialog(options, {
    tag: 'r',
    header: '<sip:r@x>;tag=r',
    target: 'sip:r@192.0.2.9',
    routeSet: [],
    flow: undefined,
  });
}
const ok = (value: string): SipMessage => SipMessage.response(200, 'OK').add('session-expires', value);

describe('session timers', () => {
  test.each([
    ['1800;refresher=uas', false, 'refresh', 900_000],
    ['1800;refresher=uac', true, 'refresh', 900_000],
    ['1800;refresher=uac', false, 'expire', 1_768_000],
    ['90;refresher=uas', true, 'expire', 60_000],
  ])('%s, asked by us: %s → %s after %i ms', (value, isOurRequest, what, afterMs) => {
    const happened: string[] = [];
    applySessionTimer(dialog(), ok(value), isOurRequest, {
      minSessionSec: 90,
      onRefresh: () => happened.push('refresh'),
      onExpired: () => happened.push('expire'),
    });
    vi.advanceTimersByTime(afterMs - 1);
    assert.deepEqual(happened, []);
    vi.advanceTimersByTime(1);
    assert.deepEqual(happened, [what]);
  });

  test('a refresh starts it anew, the end of the call stops it', () => {
    const happened: string[] = [];
    const hooks = {
      minSessionSec: 90,
      onRefresh: () => happened.push('refresh'),
      onExpired: () => happened.push('expire'),
    };
    const call = dialog();
    applySessionTimer(call, ok('90;refresher=uac'), false, hooks);
    vi.advanceTimersByTime(50_000);
    applySessionTimer(call, ok('90;refresher=uac'), false, hooks);
    vi.advanceTimersByTime(50_000);
    assert.deepEqual(happened, []);
    call.end();
    vi.advanceTimersByTime(100_000);
    assert.deepEqual([happened, call.cleanups.size], [[], 0]);
  });

  test('what is no Session-Expires is none', () => {
    assert.deepEqual([parseSessionExpires('x'), parseSessionExpires(undefined)], [undefined, undefined]);
    assert.deepEqual(parseSessionExpires('120 ; Refresher=UAC'), { intervalSec: 120, refresher: 'uac' });
  });
});

test('a 2xx is repeated at T1 doubling to T2 and given up after 64*T1', () => {
  const at: number[] = [];
  let isGivenUp = false;
  const start = Date.now();
  retransmit({
    timers: { t1Ms: 500, t2Ms: 4000, t4Ms: 5000 },
    send: () => at.push(Date.now() - start),
    onGivenUp: () => {
      isGivenUp = true;
    },
    isCapped: true,
  });
  vi.advanceTimersByTime(32_000);
  assert.deepEqual(at.slice(0, 5), [500, 1500, 3500, 7500, 11_500]);
  assert.ok(isGivenUp);
});

test('strict and loose routes lead the request as RFC 3261 §12.2.1.1 says', () => {
  const call = dialog();
  call.remote = { ...call.remote, routeSet: ['<sip:p1;lr>', '<sip:p2;lr>'] };
  const loose = call.newRequest('BYE');
  assert.deepEqual(
    [loose.uri, loose.all('route'), call.nextHop],
    ['sip:r@192.0.2.9', ['<sip:p1;lr>', '<sip:p2;lr>'], 'sip:p1;lr'],
  );
  call.remote = { ...call.remote, routeSet: ['<sip:p1>', '<sip:p2;lr>'] };
  const strict = call.newRequest('BYE');
  assert.deepEqual([strict.uri, strict.all('route')], ['sip:p1', ['<sip:p2;lr>', '<sip:r@192.0.2.9>']]);
});
