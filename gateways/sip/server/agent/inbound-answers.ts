// Owns: what the application answers to requests from the network, until it is in the dialog and on the wire.
import type { ControlSession } from '../control/control-session.ts';
import { Dialog } from '../dialog/dialog.ts';
import { supportsReliable } from '../dialog/reliable-provisionals.ts';
import { retransmit } from '../dialog/retransmission.ts';
import { watchSubscription } from '../dialog/subscription.ts';
import type { SipMessage } from '../message/message.ts';
import { reasonOf, responseTo } from '../transaction/responses.ts';
import type { ServerTransaction } from '../transaction/server-transaction.ts';
import { replySentResponse } from './app-frames.ts';
import { addAppHeaders, completeContentType, isSdp } from './app-headers.ts';
import { contactFor, remoteEndOf } from './contacts.ts';
import type { AgentContext } from './context.ts';
import { completeResponse } from './inbound-messages.ts';
import type { InboundRequest, PendingRequests } from './pending-requests.ts';

/** Methods whose success makes a dialog. */
export const dialogMakers: ReadonlySet<string> = new Set(['INVITE', 'SUBSCRIBE']);
const refreshers = new Set(['INVITE', 'UPDATE', 'SUBSCRIBE', 'NOTIFY', 'REFER']);

export class InboundAnswers {
  readonly #context: AgentContext;
  readonly #pending: PendingRequests;

  constructor(context: AgentContext, pending: PendingRequests) {
    this.#context = context;
    this.#pending = pending;
  }

  respond(session: ControlSession, messageId: string, transactionId: string, answer: SipMessage): void {
    const inbound = this.#pending.of(session, transactionId);
    if (!inbound) {
      session.refuse(messageId, 'Response not sent due to unknown transaction');
      return;
    }
    const { transaction, request } = inbound;
    const status = answer.status;
    if (status <= 100) {
      session.refuse(messageId, '100 Trying is sent by the server');
      return;
    }
    // As drachtio-srf copied it from the request, unless the application has put a tag to it.
    const chosen = answer.get('to') === request.get('to') ? '' : answer.toTag;
    if (chosen !== '' && !inbound.dialog && /^[\w.!%*+`'~-]{1,128}$/.test(chosen)) {
      inbound.localTag = transaction.toTag = chosen;
    }
    const response = responseTo(request, status, answer.reason || reasonOf(status), inbound.localTag);
    const makesDialog = dialogMakers.has(request.method) && status < 300;
    if (makesDialog) for (const route of request.all('record-route')) response.add('record-route', route);
    addAppHeaders(answer, response, transaction.flow);
    if (!completeContentType(response)) {
      session.refuse(messageId, 'missing content-type');
      return;
    }
    const isRefresh = refreshers.has(request.method) && status < 300;
    if ((makesDialog || isRefresh) && !response.has('contact') && request.method !== 'NOTIFY') {
      response.add('contact', inbound.dialog?.contact || contactFor(transaction.flow, request.uri.startsWith('sips:')));
    }
    const isReliable = status < 200 && response.tokens('require').includes('100rel');
    if (isReliable && !supportsReliable(request)) {
      session.refuse(messageId, 'Remote endpoint does not support 100rel');
      return;
    }
    if (isReliable) response.add('rseq', String(inbound.reliable.nextNumber()));
    completeResponse(request, response, this.#context.options);
    if (makesDialog) this.#openDialog(inbound, response);
    this.#send(inbound, response, isReliable);
    replySentResponse(session, messageId, response, transaction.flow, {
      transactionId: inbound.id,
      dialogId: inbound.dialog?.id ?? '',
    });
  }

  #openDialog(inbound: InboundRequest, response: SipMessage): void {
    const { request, transaction, session } = inbound;
    if (!inbound.dialog) {
      const remote = remoteEndOf(request, transaction.flow);
      if (!remote) return;
      const dialog = new Dialog(
        {
          id: `${request.callId};from-tag=${request.fromTag}`,
          role: 'uas',
          method: request.method,
          session,
          callId: request.callId,
          localTag: inbound.localTag,
          localHeader: response.get('to') ?? '',
          localCSeq: Math.floor(Math.random() * 0x3fff_ffff),
        },
        remote,
      );
      dialog.remoteCSeq = request.cseq?.number ?? 0;
      if (request.method === 'INVITE') dialog.incomingInvite = inbound.id;
      inbound.dialog = dialog;
      this.#context.dialogs.add(dialog);
    }
    inbound.dialog.contact = response.get('contact') ?? '';
    if (response.status >= 200) inbound.dialog.isConfirmed = true;
  }

  #send(inbound: InboundRequest, response: SipMessage, isReliable: boolean): void {
    const { transaction, request } = inbound;
    const { status } = response;
    const bytes = response.toBuffer();
    clearTimeout(inbound.timer);
    this.#context.transactions.noteSent(transaction.flow, response, bytes);
    if (isReliable) {
      const { transactions, options } = this.#context;
      inbound.reliable.repeat({
        timers: options.timers,
        send: () => transactions.sendResponse(transaction, bytes),
        // RFC 3262 §3: the original request is to be rejected with a 5xx.
        onGivenUp: () => this.#pending.reject(inbound, 504, 'No PRACK'),
      });
    }
    if (status < 200) {
      this.#pending.rings(inbound);
      transaction.respond(status, bytes);
      return;
    }
    this.#pending.forget(inbound);
    transaction.respond(status, bytes);
    this.#settle(inbound, request, response, bytes);
  }

  /** What a final response changes in the dialog. */
  #settle(inbound: InboundRequest, request: SipMessage, response: SipMessage, bytes: Buffer): void {
    const { dialog, transaction } = inbound;
    const { method } = request;
    const isSuccess = response.status < 300;
    if (method === 'REGISTER' && isSuccess) this.#context.bindings.learn(request, response, transaction.flow);
    if (!dialog) return;
    if (method === 'BYE') {
      this.#context.dialogs.remove(dialog);
      return;
    }
    if (method === 'INVITE' && !isSuccess) {
      dialog.incomingInvite = '';
      if (dialog.isConfirmed) return;
      this.#context.cdr('stop', 'application', response, 'call-rejected');
      this.#context.dialogs.remove(dialog);
      return;
    }
    if (!isSuccess) {
      if (method === dialog.method && !dialog.isConfirmed) this.#context.dialogs.remove(dialog);
      return;
    }
    if (refreshers.has(method)) dialog.refreshTarget(request.get('contact'));
    if (isSdp(response)) dialog.localSdp = response.body;
    if (method === 'INVITE' || method === 'UPDATE') this.#context.sessionAgreed(dialog, response, false);
    if (method === 'INVITE') this.#repeatUntilAck(dialog, transaction, request, bytes, response);
    watchSubscription(this.#context.dialogs, dialog, request, response);
  }

  #repeatUntilAck(
    dialog: Dialog,
    transaction: ServerTransaction,
    request: SipMessage,
    bytes: Buffer,
    response: SipMessage,
  ): void {
    const { transactions, options } = this.#context;
    if (request.toTag === '') this.#context.cdr('start', 'application', response, 'uas');
    dialog.awaitedAck = request.cseq?.number ?? -1;
    dialog.stopRepeating = retransmit({
      timers: options.timers,
      isCapped: true,
      send: () => transactions.sendResponse(transaction, bytes),
      onGivenUp: () => {
        dialog.awaitedAck = -1;
        dialog.incomingInvite = '';
        if (dialog.whenAcknowledged) this.#context.acknowledged(dialog);
        else this.#context.hangUp(dialog, 'SIP;cause=200;text="ACK timeout"');
      },
    });
  }
}
