import type { ControlSession } from '../control/control-session.ts';
import { nextId } from '../control/frames.ts';
import type { Dialog } from '../dialog/dialog.ts';
import { parseSessionExpires } from '../dialog/session-timer.ts';
import type { SipMessage } from '../message/message.ts';
import type { ServerTransaction } from '../transaction/server-transaction.ts';
import type { Flow } from '../transport/flow.ts';
import { tellNetwork } from './app-frames.ts';
import { remoteEndAt } from './contacts.ts';
import type { AgentContext } from './context.ts';
import { dialogMakers, InboundAnswers } from './inbound-answers.ts';
import { PendingRequests } from './pending-requests.ts';

/** Requests from the network: which dialog they belong to, whether they are in order, and on to the application. */
export class Inbound {
  readonly #context: AgentContext;
  readonly #pending: PendingRequests;
  readonly #answers: InboundAnswers;

  constructor(context: AgentContext) {
    this.#context = context;
    this.#pending = new PendingRequests(context);
    this.#answers = new InboundAnswers(context, this.#pending);
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  onRequest(transaction: ServerTransaction, request: SipMessage): void {
    const { minSessionSec } = this.#context.options;
    const expires = parseSessionExpires(request.get('session-expires'));
    const hasTimer = request.method === 'INVITE' || request.method === 'UPDATE';
    if (hasTimer && expires && expires.intervalSec < minSessionSec) {
      this.#pending.answer(transaction, request, 422, { 'min-se': String(minSessionSec) });
    } else if (request.toTag === '') this.#outside(transaction, request);
    else this.#inside(transaction, request);
  }

  #outside(transaction: ServerTransaction, request: SipMessage): void {
    const { apps } = this.#context;
    // Drachtio-srf makes no dialog without a Contact; in RFC 2543 the From stood for it.
    if (dialogMakers.has(request.method) && !request.has('contact') && request.from) {
      request.add('contact', `<${request.from.uri}>`);
    }
    const session = apps.pick(request.method);
    if (!session) {
      const allow = apps.routedMethods();
      if (allow.length === 0) this.#pending.answer(transaction, request, 503, { 'retry-after': '5' });
      else this.#pending.answer(transaction, request, 405, { allow: [...allow, 'ACK', 'CANCEL', 'BYE'].join(', ') });
      return;
    }
    this.#pending.take(transaction, request, session, undefined);
    if (request.method === 'INVITE') this.#context.cdr('attempt', 'network', request);
  }

  #inside(transaction: ServerTransaction, request: SipMessage): void {
    const { dialogs } = this.#context;
    const dialog = dialogs.byTag(request.callId, request.toTag);
    const isKnown = dialog && (dialog.remote.tag === request.fromTag || !dialog.isConfirmed);
    if (!isKnown || dialog.session.isClosed) {
      // A BYE that crossed ours, or came twice: the peer wants to hear that the call is over, not that it never was.
      const wasOurs = request.method === 'BYE' && (isKnown || dialogs.hasEnded(request.callId, request.toTag));
      this.#pending.answer(transaction, request, wasOurs ? 200 : 481);
      if (isKnown) dialogs.remove(dialog);
      return;
    }
    if (!dialog.acceptsCSeq(request.cseq?.number ?? 0)) {
      this.#pending.answer(transaction, request, 500, { 'retry-after': '0' });
      return;
    }
    dialog.remote = remoteEndAt(dialog.remote, request, transaction.flow);
    if (request.method === 'INVITE' && !this.#admitsInvite(dialog, transaction, request)) return;
    if (request.method === 'PRACK' && !this.#pending.byId(dialog.incomingInvite)?.reliable.acknowledge(request)) {
      this.#pending.answer(transaction, request, 481);
      return;
    }
    if (request.method === 'BYE' && this.#endsEarly(dialog, transaction, request)) return;
    if (request.method === 'BYE') this.#context.cdr('stop', 'network', request, 'normal-release');
    const inbound = this.#pending.take(transaction, request, dialog.session, dialog);
    if (request.method === 'INVITE') dialog.incomingInvite = inbound.id;
  }

  /** @see RFC 3261 §14.2 */
  #admitsInvite(dialog: Dialog, transaction: ServerTransaction, request: SipMessage): boolean {
    if (dialog.outgoingInvite !== '') {
      this.#pending.answer(transaction, request, 491);
      return false;
    }
    const open = this.#pending.byId(dialog.incomingInvite);
    if (open) {
      this.#pending.answer(transaction, request, 500, { 'retry-after': String(Math.floor(Math.random() * 11)) });
      return false;
    }
    if (dialog.incomingInvite !== '') {
      // Our 2xx to the one before still waits for its ACK.
      this.#pending.answer(transaction, request, 491);
      return false;
    }
    return true;
  }

  /** A caller that gives up by BYE rather than CANCEL (RFC 3261 §15.1.2). */
  #endsEarly(dialog: Dialog, transaction: ServerTransaction, request: SipMessage): boolean {
    const invite = this.#pending.byId(dialog.incomingInvite);
    if (dialog.isConfirmed || !invite) return false;
    this.#pending.answer(transaction, request, 200);
    this.#pending.cancelled(invite, request);
    return true;
  }

  onAck(ack: SipMessage, flow: Flow): void {
    const dialog = this.#context.dialogs.byTag(ack.callId, ack.toTag);
    if (!dialog || dialog.awaitedAck !== ack.cseq?.number) return;
    dialog.awaitedAck = -1;
    dialog.incomingInvite = '';
    dialog.stopRepeating();
    tellNetwork(dialog.session, ack, flow, { transactionId: nextId('t'), dialogId: dialog.id, isOutside: false });
    this.#context.acknowledged(dialog);
  }

  onCancel(transaction: ServerTransaction, cancel: SipMessage): void {
    const inbound = this.#pending.byTransaction(transaction);
    // RFC 3261 §9.2: no effect once a final response went out.
    if (inbound && transaction.isProceeding) this.#pending.cancelled(inbound, cancel);
  }

  respond(session: ControlSession, messageId: string, transactionId: string, answer: SipMessage): void {
    this.#answers.respond(session, messageId, transactionId, answer);
  }

  /** The application is gone: what it left unanswered is refused. */
  rejectAllOf(session: ControlSession): void {
    this.#pending.rejectAllOf(session);
  }

  /** For a proxy: takes a request away from the application, which answers it no more. */
  release(
    session: ControlSession,
    transactionId: string,
  ): { transaction: ServerTransaction; request: SipMessage } | undefined {
    const inbound = this.#pending.of(session, transactionId);
    if (!inbound || inbound.dialog) return undefined;
    this.#pending.forget(inbound);
    return { transaction: inbound.transaction, request: inbound.request };
  }
}
