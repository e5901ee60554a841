// Owns: telling the phone that sent a REFER what comes of it. @see RFC 3515 §2.4.4, RFC 3420
import type { SipDialog, SipQuestion } from '../dialog.ts';
import { fragment } from './refer-words.ts';

const lastsSec = 180;

export class ReferReport {
  readonly #dialog: SipDialog;
  readonly #event: string;
  readonly #isWanted: boolean;
  #isOver = false;
  #sent: Promise<unknown> = Promise.resolve();

  /** Answers the REFER. @param isFirst in its dialog: later ones are told apart by their number */
  constructor(dialog: SipDialog, question: SipQuestion, isFirst: boolean) {
    this.#dialog = dialog;
    const [number = '0'] = (question.header('cseq') ?? '').trim().split(/\s+/);
    this.#event = isFirst ? 'refer' : `refer;id=${number}`;
    // RFC 4488 §4: who does not want to be told is not.
    this.#isWanted = !/^\s*false\b/i.test(question.header('refer-sub') ?? '');
    question.respond(202, { headers: this.#isWanted ? { contact: dialog.contact } : { 'refer-sub': 'false' } });
  }

  /** One after the other; what cannot be told any more is left out. A final status is the last. */
  tell(status: number, reason: string): void {
    if (this.#isOver || !this.#isWanted) return;
    this.#isOver = status >= 200;
    const state = this.#isOver ? 'terminated;reason=noresource' : `active;expires=${lastsSec}`;
    const headers = {
      event: this.#event,
      'subscription-state': state,
      'content-type': 'message/sipfrag;version=2.0',
      contact: this.#dialog.contact,
    };
    const send = () => this.#dialog.ask('NOTIFY', { headers, body: fragment(status, reason) });
    // It has hung up, or does not want to hear of it.
    this.#sent = this.#sent.then(send).catch(() => undefined);
  }

  /** What was told has arrived, or cannot. */
  get delivered(): Promise<unknown> {
    return this.#sent;
  }
}
