// Owns: asking a phone to call somebody else, and what it tells of that. @see RFC 3515, RFC 5589
import type { CallTransferState } from '#core/call-transfer.ts';
import type { SipDialog, SipQuestion } from '../dialog.ts';
import { isTerminated, type Replaced, readFragment, referTo } from './refer-words.ts';

export interface ReferralOptions {
  readonly dialog: SipDialog;
  readonly uri: string;
  /** The call of ours that the new one takes the place of. */
  readonly replaces?: Omit<Replaced, 'isEarlyOnly'> | undefined;
  readonly timeoutMs: number;
  readonly onProgress: (progress: ReferralProgress) => void;
}

export interface ReferralProgress {
  readonly state: CallTransferState;
  readonly sipStatus: number | undefined;
  readonly message: string;
}

/** @returns how it ended; never rejects */
export async function refer(options: ReferralOptions): Promise<ReferralProgress> {
  const { dialog, uri, replaces, timeoutMs, onProgress } = options;
  const outcome = Promise.withResolvers<ReferralProgress>();
  let last: ReferralProgress | undefined;
  const heard = (question: SipQuestion) => {
    if (question.method !== 'NOTIFY' || !/^\s*refer\b/i.test(question.header('event') ?? '')) return;
    const said = progressOf(question, last);
    last = said;
    if (said.state === 'trying' || said.state === 'ringing') onProgress(said);
    else outcome.resolve(said);
  };
  const left = () =>
    outcome.resolve({
      state: 'left',
      sipStatus: last?.sipStatus,
      message: 'The phone hung up before it said what came of it.',
    });
  // Some tell of it before they have answered.
  dialog.events.on('asked', heard);
  dialog.events.on('ended', left);
  const message = `Nothing was told of it within ${Math.round(timeoutMs / 1_000)} s.`;
  const timer = setTimeout(
    () => outcome.resolve({ state: 'failed', sipStatus: last?.sipStatus, message }),
    timeoutMs,
  ).unref();
  try {
    const headers = { 'refer-to': referTo(uri, replaces), 'referred-by': '<sip:localhost>', contact: dialog.contact };
    const { status, reason, header } = await dialog.ask('REFER', { headers });
    if (status >= 300)
      return { state: 'failed', sipStatus: status, message: `The phone answered ${status} ${reason}.` };
    // RFC 4488: it will not tell; that it takes it is all there is to know.
    if (/^\s*false\b/i.test(header('refer-sub') ?? '')) {
      return { state: 'done', sipStatus: status, message: 'The phone takes it, and does not tell what comes of it.' };
    }
    return await outcome.promise;
  } catch {
    // Over before it was answered.
    return { state: 'left', sipStatus: undefined, message: 'The call is over.' };
  } finally {
    clearTimeout(timer);
    dialog.events.off('asked', heard);
    dialog.events.off('ended', left);
  }
}

function progressOf(question: SipQuestion, last: ReferralProgress | undefined): ReferralProgress {
  const said = readFragment(question.body);
  const isOver = isTerminated(question.header('subscription-state'));
  if (!said)
    return last && !isOver
      ? last
      : {
          state: isOver ? 'failed' : 'trying',
          sipStatus: undefined,
          message: 'The phone does not say what came of it.',
        };
  const { status, reason } = said;
  const message = `${status} ${reason}`.trim();
  if (status >= 200) return { state: status < 300 ? 'done' : 'failed', sipStatus: status, message };
  if (isOver) return { state: 'failed', sipStatus: status, message: `The phone stopped telling after ${message}.` };
  return { state: status > 100 ? 'ringing' : 'trying', sipStatus: status, message };
}
