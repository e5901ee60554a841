// Owns: recording a call that a rule, a trunk or who made it says is recorded. May import: core, its siblings.
import { toGatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import type { CallRecordingWish, RecordCall } from '#core/recorded-call.ts';
import type { SipCall } from './call.ts';

interface RecorderParts {
  readonly recordCall: RecordCall;
  readonly log: Logger;
}

/**
 * From when it is in its room, which is its answer unless a PIN, a menu or a waiting room is before that: there is nobody to be
 * recorded with then, and no room to list it with. A call that cannot be recorded goes on, and says why.
 */
export function recordOnceIn(call: SipCall, wish: CallRecordingWish, parts: RecorderParts): void {
  const review = () => {
    if (call.info.state !== 'connected') return;
    call.events.off('changed', review);
    void record(call, wish, parts);
  };
  call.events.on('changed', review);
}

async function record(call: SipCall, wish: CallRecordingWish, { recordCall, log }: RecorderParts): Promise<void> {
  try {
    await recordCall(call.room.id, call.forRecording(), wish);
  } catch (thrown) {
    if (call.isOver) return;
    const { code, message } = toGatewayError(thrown);
    log.error({ err: thrown, call: call.id, code }, 'call not recorded');
    call.noteRecordingFailed(message);
  }
}
