// Owns: a call from a room to a phone, from its INVITE to its answer or refusal.
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import type { SipCall } from './call.ts';
import type { DialPlan } from './dial-plan.ts';
import { hunt } from './hunt.ts';
import type { SipLink } from './link.ts';
import type { CallSpeech } from './offer-answer.ts';
import type { CallOutcome } from './outbound-call.ts';
import type { Headers } from './srf-shapes.ts';
import { isOfNobody, refusedBy } from './status.ts';

export interface DialOutOptions {
  readonly link: SipLink;
  readonly call: SipCall;
  readonly speech: CallSpeech;
  readonly headers: Headers;
  readonly plan: Pick<DialPlan, 'hunt' | 'credentials'>;
  readonly digits: string | undefined;
  readonly ringTimeoutMs: number;
  readonly log: Logger;
}

/** Settles when the call is answered or has ended; never rejects. */
export async function dialOut(options: DialOutOptions): Promise<void> {
  const { link, call, speech, headers, plan, digits, ringTimeoutMs, log } = options;
  const { credentials } = plan;
  const guarded = (act: () => void) => {
    try {
      act();
    } catch (error) {
      call.fail(toGatewayError(error));
    }
  };
  let isAnswered = false;
  const hear = (sdp: string) => {
    if (sdp === '') return;
    call.speak(speech.accept(sdp));
    isAnswered = true;
  };
  const outbound = hunt(link, plan.hunt, {
    sdp: speech.offer(),
    headers,
    ...(credentials && { credentials }),
    onProgress: ({ status, body }) => {
      if (status > 100) call.ringing();
      guarded(() => hear(body));
    },
    // RFC 3311 §5.2: two offers at once are none.
    onUpdate: (question) => (isAnswered ? void call.offered(question) : question.respond(491)),
    onDialog: (dialog) => {
      guarded(() => {
        call.attach(dialog);
        hear(dialog.remoteSdp);
        // RFC 3261 §13.2.2.4: it takes the call, and nobody knows where its sound is to go.
        if (!isAnswered) throw new GatewayError('upstream_refused', 'The other side answered without SDP.');
      });
    },
  });
  const timer = setTimeout(() => {
    call.fail(new GatewayError('timeout', `Nobody answered within ${Math.round(ringTimeoutMs / 1_000)} s.`));
  }, ringTimeoutMs).unref();
  const cancel = () => outbound.cancel();
  call.signal.addEventListener('abort', cancel, { once: true });
  try {
    conclude(call, await outbound.outcome);
    clearTimeout(timer);
    if (digits !== undefined && !call.isClosed) await call.sendDtmf(digits);
  } catch (error) {
    if (call.info.state === 'connected') log.warn({ err: error, call: call.id }, 'digits not sent');
    else call.fail(toGatewayError(error));
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener('abort', cancel);
  }
}

function conclude(call: SipCall, outcome: CallOutcome): void {
  if (outcome.kind === 'answered') return;
  const { status } = outcome.answer;
  const error = refusedBy(outcome.answer);
  if (isOfNobody(outcome.answer)) {
    const reason = status === 408 ? 'no_answer' : 'unreachable';
    call.finish({ by: 'server', reason, message: error.message, code: error.code });
    return;
  }
  call.finish({ by: 'peer', reason: 'refused', message: error.message, code: error.code, sipStatus: status });
}
