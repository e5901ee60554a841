// Owns: our refusals in the words of SIP. Pure.

import { CallRejected } from '#core/call-rejected.ts';
import { GatewayError } from '#core/errors.ts';
import type { SipAnswer, SipQuestion } from './dialog.ts';
import type { Headers } from './srf-shapes.ts';
import { contactsIn } from './trunks/register-words.ts';

export const allow = 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, UPDATE, PRACK, REFER, NOTIFY, REGISTER';
/** Extensions that we take part in, in either role. */
export const supported = '100rel, timer, path, replaces, norefersub';

/** Refuses it; the reason goes along as Warning (RFC 3261 §20.43), for whoever reads the trace of the caller. */
export function refuse(question: Pick<SipQuestion, 'respond'>, error: GatewayError): void {
  const isOurs = error.code !== 'internal';
  const reason = error instanceof CallRejected ? error.told : error.message;
  const text = (isOurs ? reason : 'internal error').replaceAll(/[\p{C}"\\]/gu, ' ').slice(0, 200);
  const headers: Headers = { warning: `399 switchyard "${text}"` };
  if (error.retryAfterMs !== undefined || statusOf(error) === 503) {
    headers['retry-after'] = String(Math.ceil((error.retryAfterMs ?? 5_000) / 1_000));
  }
  // RFC 3261 §21.4.13: what would have been taken. Offers have answers of their own; this one is of a MESSAGE.
  if (error.code === 'unsupported_media_type') headers.accept = 'text/plain';
  question.respond(statusOf(error), { headers });
}

export function statusOf(error: GatewayError): number {
  return error instanceof CallRejected ? error.sipStatus : error.spec.sip;
}

/** Warn-agent (RFC 3261 §20.43) of what stands for the answer of a place that gave none. */
const madeHere = '399 switchyard-local';

/** What stands for the answer that nobody gave. */
export function answerOfNobody(status: number, reason: string): SipAnswer {
  const warning = `${madeHere} "${reason}"`;
  return { status, reason, body: '', header: (name) => (name.toLowerCase() === 'warning' ? warning : undefined) };
}

/** What the SIP server has made itself, for nobody has answered: it could not send, or heard nothing. */
export function isOfNobody(answer: Pick<SipAnswer, 'header'>): boolean {
  return answer.header('warning')?.startsWith(`${madeHere} `) ?? false;
}

/** In words, for whoever looks why a call failed. */
export function wordsOf(answer: Pick<SipAnswer, 'status' | 'reason' | 'header'>): string {
  const { status, reason } = answer;
  if (!isOfNobody(answer)) return `answered ${status} ${reason}${elsewhereIn(answer)}`;
  if (status === 408) return `did not answer${/ within \d+ ms$/.exec(reason)?.[0] ?? ''}`;
  return `cannot be reached: ${reason.toLowerCase()}`;
}

/** The refusal of a peer as ours, or that there was none. */
export function refusedBy(answer: Pick<SipAnswer, 'status' | 'reason' | 'header'>): GatewayError {
  const { status } = answer;
  const code = status === 408 ? 'timeout' : status >= 500 && status < 600 ? 'upstream_failed' : 'upstream_refused';
  return new GatewayError(code, `The other side ${wordsOf(answer)}.`);
}

/** Where a 3xx says that it is to be called: whoever asked for the call decides about another one, at whose cost it may be. */
function elsewhereIn({ status, header }: Pick<SipAnswer, 'status' | 'header'>): string {
  const [contact] = status < 400 ? contactsIn(header('contact') ?? '') : [];
  return contact ? `, and is to be called at ${contact.uri.replaceAll(/\p{C}/gu, '').slice(0, 256)} instead` : '';
}
