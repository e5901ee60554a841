// Owns: the words for how calls end, where we are the ones to end them. Constants.
import type { CallEnd, CallInfo } from '#core/call.ts';
import type { ErrorCode } from '#core/errors.ts';
import type { PromptName } from '#core/leg-media.ts';
import type { MenuEnd } from '#core/menu-walk.ts';
import type { PinGateOutcome } from './pin-gate.ts';

export const callEnds = {
  kicked: { by: 'us', reason: 'kicked', message: 'A moderator removed the phone.' },
  roomClosed: { by: 'us', reason: 'room_closed', message: 'The room has closed.' },
  maxDuration: { by: 'us', reason: 'max_duration', message: 'The call was as long as calls may be.' },
  silence: { by: 'us', reason: 'rtp_timeout', message: 'Nothing was heard of the phone.', code: 'timeout' },
  byApi: { by: 'us', reason: 'hung_up', message: 'Hung up by the API.' },
  drained: { by: 'us', reason: 'drained', message: 'The gateway is taken out of service.' },
  shutdown: { by: 'us', reason: 'shutdown', message: 'The gateway is shutting down.' },
  replaced: { by: 'peer', reason: 'replaced', message: 'Another phone took the call over.' },
  noAck: {
    by: 'peer',
    reason: 'no_ack',
    message: 'The caller never acknowledged our answer (no ACK).',
    code: 'timeout',
  },
  otherLeft: { by: 'us', reason: 'other_left', message: 'The other side hung up.' },
  /** Of somebody who was called by a menu. */
  notWaitedFor: { by: 'us', reason: 'cancelled', message: 'The caller did not wait for the answer.' },
  cancelled: { by: 'peer', reason: 'cancelled', message: 'The caller gave up.' },
} as const satisfies Record<string, CallEnd>;

export const gateEnds: Readonly<Record<Exclude<PinGateOutcome, 'right'>, CallEnd>> = {
  wrong: { by: 'us', reason: 'wrong_pin', message: 'No right PIN was entered.', code: 'forbidden' },
  silent: { by: 'us', reason: 'no_pin', message: 'No PIN was entered.', code: 'timeout' },
  left: { by: 'us', reason: 'no_pin', message: 'No PIN was entered in time.', code: 'timeout' },
  locked_out: { by: 'us', reason: 'locked_out', message: 'Too many wrong PINs were entered.', code: 'rate_limited' },
};

/** Of a call that found no room in its menu. */
export function menuEnd(why: MenuEnd, message: string): CallEnd {
  const codes: Partial<Record<MenuEnd, ErrorCode>> = {
    ...{ no_key: 'timeout', left: 'timeout', wrong_key: 'forbidden', going_round: 'forbidden' },
    locked_out: 'rate_limited',
  };
  const reason = why === 'asked' ? 'menu' : why === 'locked_out' ? why : `menu_${why}`;
  return { by: 'us', reason, message, code: codes[why] };
}

/** @param by who hung up after it */
export function transferredEnd(by: 'us' | 'peer', to: string): CallEnd {
  return { by, reason: 'transferred', message: `Transferred to ${to}.` };
}

/** For the log. */
export function factsOf({ direction, from, to, codec, answeredAtMs, endedAtMs, end, stats, isEncrypted }: CallInfo) {
  const { by, reason, message, code, sipStatus } = end ?? {};
  const durationMs = answeredAtMs === undefined ? 0 : (endedAtMs ?? answeredAtMs) - answeredAtMs;
  return { direction, from, to, codec, isEncrypted, durationMs, by, reason, message, code, sipStatus, stats };
}

/** What ended the dialog, if it was not we. */
export function endOfDialog(by: 'peer' | 'us' | 'server' | 'lost', reason: string): CallEnd {
  if (by === 'peer') return { by, reason: 'hung_up', message: reason || 'The phone hung up.' };
  if (by === 'lost') return { by: 'server', reason: 'signalling_lost', message: reason, code: 'signalling_lost' };
  return { by: 'server', reason: 'signalling_timeout', message: reason, code: 'timeout' };
}

/** What somebody hears who was answered and may not come in after all. */
export function farewellFor(code: ErrorCode): readonly PromptName[] {
  if (code === 'room_full') return ['room_full', 'goodbye'];
  if (code === 'meeting_over') return ['room_closed', 'goodbye'];
  return code === 'not_admitted' ? ['removed', 'goodbye'] : ['goodbye'];
}
