// Owns: one call of ours to several places: in turn, until one takes it, or at the same time, for the first that does.
import type { SipDialog } from './dialog.ts';
import type { SipLink } from './link.ts';
import type { CallOptions, CallOutcome, OutboundCall } from './outbound-call.ts';
import type { Headers } from './srf-shapes.ts';
import { answerOfNobody, isOfNobody, wordsOf } from './status.ts';

export interface HuntTarget {
  readonly uri: string;
  readonly proxy?: string | undefined;
  /** Named to `onResult`. */
  readonly host?: string | undefined;
  /** Where its packets come from, if that is known. */
  readonly address?: string | undefined;
}

export interface HuntOptions {
  readonly targets: readonly HuntTarget[];
  /** All ring at once; else one after the other. */
  readonly isTogether?: boolean | undefined;
  /** A place that has said nothing by then, not even 100, is given up for the next. */
  readonly noAnswerMs?: number | undefined;
  readonly onResult?: ((host: string, failure: string | undefined) => void) | undefined;
}

type Link = Pick<SipLink, 'call'>;

/** The same as `link.call()`, over all targets. */
export function hunt(link: Link, options: HuntOptions, call: CallOptions): OutboundCall {
  return options.isTogether && options.targets.length > 1
    ? callTogether(link, options, call)
    : callInTurn(link, options, call);
}

function callInTurn(link: Link, { targets, noAnswerMs, onResult }: HuntOptions, options: CallOptions): OutboundCall {
  let current: OutboundCall | undefined;
  let cancelHeaders: Headers | undefined;
  const run = async (): Promise<CallOutcome> => {
    let last: CallOutcome = refusal(480, 'There is nowhere to call');
    for (const [place, target] of targets.entries()) {
      const attempt = tryOne(link, target, options, noAnswerMs);
      current = attempt;
      if (cancelHeaders) attempt.cancel(cancelHeaders);
      const isLast = place === targets.length - 1;
      last = await (isLast ? attempt.outcome : attempt.outcome.catch((error: Error) => refusal(503, error.message)));
      // Who has heard it ring is not called again by another way, whatever became of it here.
      const failure = attempt.hasRung() ? undefined : failureOf(last);
      if (target.host !== undefined) onResult?.(target.host, failure);
      if (failure === undefined || cancelHeaders) return last;
    }
    return last;
  };
  return {
    outcome: run(),
    cancel: (headers = {}) => {
      cancelHeaders = headers;
      current?.cancel(headers);
    },
  };
}

/** Why the next place may do better: nobody was there, or it could not. What a person or their PBX says is final. */
function failureOf(outcome: CallOutcome): string | undefined {
  if (outcome.kind === 'answered') return undefined;
  const { status, reason } = outcome.answer;
  if (status !== 408 && (status < 500 || status > 599)) return undefined;
  return isOfNobody(outcome.answer) ? wordsOf(outcome.answer) : `${status} ${reason}`;
}

interface Attempt extends OutboundCall {
  /** It rings at somebody's (180), or waits in somebody's queue (182): 183 may come of the network alone. */
  hasRung(): boolean;
}

/** A place that is given up may still answer: then it is hung up, and nobody hears of it. */
function tryOne(link: Link, target: HuntTarget, options: CallOptions, noAnswerMs: number | undefined): Attempt {
  let isLive = true;
  let isRinging = false;
  let timer: NodeJS.Timeout | undefined;
  const hasRung = () => isRinging;
  const heard = (): boolean => {
    clearTimeout(timer);
    return isLive;
  };
  const { proxy } = target;
  const outbound = link.call(target.uri, {
    ...options,
    ...(proxy !== undefined && { proxy }),
    onProgress: (answer) => {
      isRinging ||= answer.status === 180 || answer.status === 182;
      if (heard()) options.onProgress?.(answer);
    },
    onUpdate: (question) => (heard() && options.onUpdate ? options.onUpdate(question) : question.respond(481)),
    onDialog: (dialog: SipDialog) => (heard() ? options.onDialog?.(dialog) : void dialog.bye()),
  });
  if (noAnswerMs === undefined) return { ...outbound, hasRung };
  const silence = new Promise<CallOutcome>((resolve) => {
    timer = setTimeout(() => {
      isLive = false;
      outbound.cancel();
      resolve(refusal(408, `No answer within ${noAnswerMs} ms`));
    }, noAnswerMs);
    timer.unref();
  });
  const outcome = Promise.race([outbound.outcome, silence]).finally(() => clearTimeout(timer));
  // Should it be refused after nobody waits for it any more.
  outbound.outcome.catch(() => undefined);
  return { outcome, cancel: outbound.cancel, hasRung };
}

/** The first that answers has it; the others are told to stop ringing. */
function callTogether(link: Link, { targets }: HuntOptions, options: CallOptions): OutboundCall {
  const calls: OutboundCall[] = [];
  let winner: number | undefined;
  const { onDialog, onProgress, onUpdate } = options;
  for (const [place, { uri, proxy }] of targets.entries()) {
    const isOurs = () => winner === undefined || winner === place;
    const call = link.call(uri, {
      ...options,
      ...(proxy !== undefined && { proxy }),
      // Early media of several phones at once is nobody's: that one rings is all that is told.
      onProgress: (answer) => isOurs() && onProgress?.({ ...answer, body: '' }),
      onUpdate: (question) => (winner === place && onUpdate ? onUpdate(question) : question.respond(491)),
      onDialog: (dialog) => {
        if (!isOurs()) {
          void dialog.bye();
          return;
        }
        winner = place;
        for (const [other, one] of calls.entries()) if (other !== place) one.cancel();
        onDialog?.(dialog);
      },
    });
    calls.push(call);
  }
  const cancel = (headers?: Headers): void => {
    for (const call of calls) call.cancel(headers);
  };
  return { outcome: firstAnswer(calls), cancel };
}

/** @returns who answered; else the refusal that says most: one by a person before one by the network (RFC 3261 §16.7) */
async function firstAnswer(calls: readonly OutboundCall[]): Promise<CallOutcome> {
  const refusals: CallOutcome[] = [];
  const each = calls.map(async ({ outcome }) => {
    const result = await outcome.catch((error: Error) => refusal(503, error.message));
    if (result.kind === 'answered') return result;
    refusals.push(result);
    throw new Error('refused');
  });
  return Promise.any(each).catch(() => {
    const rank = (one: CallOutcome) => (one.kind === 'refused' ? rankOf(one.answer.status) : 0);
    return refusals.sort((a, b) => rank(a) - rank(b))[0] ?? refusal(480, 'There is nowhere to call');
  });
}

const rankOf = (status: number): number =>
  status >= 600
    ? 0
    : status === 486 || status === 480
      ? 1
      : status === 408 || status === 487
        ? 3
        : status >= 500
          ? 4
          : 2;

function refusal(status: number, reason: string): CallOutcome {
  return { kind: 'refused', answer: answerOfNobody(status, reason) };
}
