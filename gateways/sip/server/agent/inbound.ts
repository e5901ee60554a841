import type { ControlSession } from '../control/control-session.ts';
import { nextId } from '../control/frames.ts';
import { Dialog } from '../dialog/dialog.ts';
import { ReliableProvisionals, supportsReliable } from '../dialog/reliable-provisionals.ts';
import { retransmit } from '../dialog/retransmission.ts';
import { minSessionExpiresSec, parseSessionExpires } from '../dialog/session-timer.ts';
import { watchSubscription } from '../dialog/subscription.ts';
import type { SipMessage } from '../message/message.ts';
import { reasonOf, responseTo } from '../transaction/responses.ts';
import type { ServerTransaction } from '../transaction/server-transaction.ts';
import { newTag } from '../transaction/transaction-layer.ts';
import type { Flow } from '../transport/flow.ts';
import { replySentResponse, tellNetwork } from './app-frames.ts';
import { addAppHeaders, completeContentType, isSdp } from './app-headers.ts';
import { contactFor, remoteEndOf } from './contacts.ts';
import type { AgentContext } from './context.ts';
import { asCancel, completeResponse } from './inbound-messages.ts';

/** A request from the network that the application has not finally answered. */
interface InboundRequest {
  readonly id: string;
  readonly transaction: ServerTransaction;
  readonly request: SipMessage;
  readonly session: ControlSession;
  /** The To tag of every response of ours; the application may choose it with its first. */
  localTag: string;
  dialog: Dialog | undefined;
  timer: NodeJS.Timeout | undefined;
  readonly reliable: ReliableProvisionals;
}

/** An INVITE that rings for longer has been forgotten by the application. */
const maxRingingMs = 600_000;
const dialogMakers = new Set(['INVITE', 'SUBSCRIBE']);
const refreshers = new Set(['INVITE', 'UPDATE', 'SUBSCRIBE', 'NOTIFY', 'REFER']);

/** Requests from the network: to the application, and its answers back. */
export class Inbound {
  readonly #context: AgentContext;
  readonly #requests = new Map<string, InboundRequest>();
  readonly #byTransaction = new Map<ServerTransaction, InboundRequest>();

  constructor(context: AgentContext) {
    this.#context = context;
  }

  get pendingCount(): number {
    return this.#requests.size;
  }

  onRequest(transaction: ServerTransaction, request: SipMessage): void {
    const expires = parseSessionExpires(request.get('session-expires'));
    const hasTimer = request.method === 'INVITE' || request.method === 'UPDATE';
    if (hasTimer && expires && expires.intervalSec < minSessionExpiresSec) {
      this.#answer(transaction, request, 422, { 'min-se': String(minSessionExpiresSec) });
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
      if (allow.length === 0) this.#answer(transaction, request, 503, { 'retry-after': '5' });
      else this.#answer(transaction, request, 405, { allow: [...allow, 'ACK', 'CANCEL', 'BYE'].join(', ') });
      return;
    }
    this.#take(transaction, request, session, undefined);
    if (request.method === 'INVITE') this.#context.cdr('attempt', 'network', request);
  }

  #inside(transaction: ServerTransaction, request: SipMessage): void {
    const { dialogs } = this.#context;
    const dialog = dialogs.byTag(request.callId, request.toTag);
    const isKnown = dialog && (dialog.remote.tag === request.fromTag || !dialog.isConfirmed);
    if (!isKnown || dialog.session.isClosed) {
      // A BYE that crossed ours, or came twice: the peer wants to hear that the call is over, not that it never was.
      const wasOurs = request.method === 'BYE' && (isKnown || dialogs.hasEnded(request.callId, request.toTag));
      this.#answer(transaction, request, wasOurs ? 200 : 481);
      if (isKnown) dialogs.remove(dialog);
      return;
    }
    if (!dialog.acceptsCSeq(request.cseq?.number ?? 0)) {
      this.#answer(transaction, request, 500, { 'retry-after': '0' });
      return;
    }
    if (request.method === 'INVITE' && !this.#admitsInvite(dialog, transaction, request)) return;
    if (request.method === 'PRACK' && !this.#requests.get(dialog.incomingInvite)?.reliable.acknowledge(request)) {
      this.#answer(transaction, request, 481);
      return;
    }
    if (request.method === 'BYE' && this.#endsEarly(dialog, transaction, request)) return;
    if (request.method === 'BYE') this.#context.cdr('stop', 'network', request, 'normal-release');
    const inbound = this.#take(transaction, request, dialog.session, dialog);
    if (request.method === 'INVITE') dialog.incomingInvite = inbound.id;
  }

  /** @see RFC 3261 §14.2 */
  #admitsInvite(dialog: Dialog, transaction: ServerTransaction, request: SipMessage): boolean {
    if (dialog.outgoingInvite !== '') {
      this.#answer(transaction, request, 491);
      return false;
    }
    const open = this.#requests.get(dialog.incomingInvite);
    if (open) {
      this.#answer(transaction, request, 500, { 'retry-after': String(Math.floor(Math.random() * 11)) });
      return false;
    }
    if (dialog.incomingInvite !== '') {
      // Our 2xx to the one before still waits for its ACK.
      this.#answer(transaction, request, 491);
      return false;
    }
    return true;
  }

  /** A caller that gives up by BYE rather than CANCEL (RFC 3261 §15.1.2). */
  #endsEarly(dialog: Dialog, transaction: ServerTransaction, request: SipMessage): boolean {
    const invite = this.#requests.get(dialog.incomingInvite);
    if (dialog.isConfirmed || !invite) return false;
    this.#answer(transaction, request, 200);
    this.#cancelled(invite, request);
    return true;
  }

  #take(
    transaction: ServerTransaction,
    request: SipMessage,
    session: ControlSession,
    dialog: Dialog | undefined,
  ): InboundRequest {
    const inbound: InboundRequest = {
      id: nextId('t'),
      transaction,
      request,
      session,
      localTag: request.toTag === '' ? newTag() : request.toTag,
      dialog,
      timer: undefined,
      reliable: new ReliableProvisionals(request.cseq?.number),
    };
    this.#requests.set(inbound.id, inbound);
    this.#byTransaction.set(transaction, inbound);
    const isInvite = request.method === 'INVITE';
    if (isInvite) {
      const trying = responseTo(request, 100, 'Trying', '');
      this.#context.transactions.noteSent(transaction.flow, trying);
      transaction.respond(100, trying.toBuffer());
    }
    inbound.timer = setTimeout(() => this.#appIsSilent(inbound), this.#context.options.appTimeoutMs);
    // Somebody else may end the transaction (shutdown); a request without one is nothing.
    transaction.onEnded = () => this.#forget(inbound);
    tellNetwork(session, request, transaction.flow, {
      transactionId: inbound.id,
      dialogId: dialog?.id ?? '',
      isOutside: dialog === undefined,
    });
    return inbound;
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
    const inbound = this.#byTransaction.get(transaction);
    // RFC 3261 §9.2: no effect once a final response went out.
    if (inbound && transaction.isProceeding) this.#cancelled(inbound, cancel);
  }

  #cancelled(inbound: InboundRequest, request: SipMessage): void {
    const { transaction, session, dialog } = inbound;
    this.#answer(transaction, inbound.request, 487, {}, inbound.localTag);
    this.#forget(inbound);
    if (dialog && !dialog.isConfirmed) this.#context.dialogs.remove(dialog);
    else if (dialog) dialog.incomingInvite = '';
    this.#context.cdr('stop', 'network', request, 'call-canceled');
    const cancel = request.method === 'CANCEL' ? request : asCancel(inbound.request, request);
    tellNetwork(session, cancel, transaction.flow, { transactionId: inbound.id, dialogId: '', isOutside: true });
  }

  // ── answers of the application ──────────────────────────────────────────────────────────────────────────────────

  respond(session: ControlSession, messageId: string, transactionId: string, answer: SipMessage): void {
    const inbound = this.#requests.get(transactionId);
    if (!inbound || inbound.session !== session) {
      session.refuse(messageId, 'Response not sent due to unknown transaction');
      return;
    }
    const { transaction, request } = inbound;
    const status = answer.status;
    if (status <= 100) {
      session.refuse(messageId, '100 Trying is sent by the server');
      return;
    }
    const chosen = answer.toTag;
    if (chosen !== '' && !inbound.dialog && /^[\w.!%*+`'~-]{1,128}$/.test(chosen)) inbound.localTag = chosen;
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
    this.#context.transactions.noteSent(transaction.flow, response);
    if (isReliable) {
      const { transactions, options } = this.#context;
      inbound.reliable.repeat({
        timers: options.timers,
        send: () => transactions.sendResponse(transaction, bytes),
        // RFC 3262 §3: the original request is to be rejected with a 5xx.
        onGivenUp: () => this.#reject(inbound, 504, 'No PRACK'),
      });
    }
    if (status < 200) {
      inbound.timer = setTimeout(() => this.#appIsSilent(inbound), maxRingingMs);
      transaction.respond(status, bytes);
      return;
    }
    this.#forget(inbound);
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

  #appIsSilent(inbound: InboundRequest): void {
    if (inbound.request.method === 'INVITE') this.#reject(inbound, 480, reasonOf(480));
    // RFC 4320 §4.2: a 408 to anything else would come after its sender gave up.
    else {
      this.#forget(inbound);
      inbound.transaction.terminate();
    }
  }

  /** The application is gone: what it left unanswered is refused. */
  rejectAllOf(session: ControlSession): void {
    for (const inbound of [...this.#requests.values()]) {
      if (inbound.session === session) this.#reject(inbound, 503, reasonOf(503));
    }
  }

  #reject(inbound: InboundRequest, status: number, reason: string): void {
    const { transaction, dialog, request, session } = inbound;
    this.#answer(transaction, request, status, {}, inbound.localTag, reason);
    this.#forget(inbound);
    if (dialog && !dialog.isConfirmed) this.#context.dialogs.remove(dialog);
    else if (dialog && request.method === 'INVITE') dialog.incomingInvite = '';
    if (request.method !== 'INVITE') return;
    // For the application the call is as gone as if the caller had cancelled.
    tellNetwork(session, asCancel(request, undefined), transaction.flow, {
      transactionId: inbound.id,
      dialogId: '',
      isOutside: true,
    });
  }

  #answer(
    transaction: ServerTransaction,
    request: SipMessage,
    status: number,
    headers: Readonly<Record<string, string>> = {},
    tag = newTag(),
    reason = reasonOf(status),
  ): void {
    const response = responseTo(request, status, reason, tag);
    for (const [name, value] of Object.entries(headers)) response.add(name, value);
    this.#context.transactions.noteSent(transaction.flow, response);
    transaction.respond(status, response.toBuffer());
  }

  #forget(inbound: InboundRequest): void {
    clearTimeout(inbound.timer);
    inbound.reliable.stop();
    inbound.transaction.onEnded = undefined;
    this.#requests.delete(inbound.id);
    this.#byTransaction.delete(inbound.transaction);
  }

  /** For a proxy: takes a request away from the application, which answers it no more. */
  release(
    session: ControlSession,
    transactionId: string,
  ): { transaction: ServerTransaction; request: SipMessage } | undefined {
    const inbound = this.#requests.get(transactionId);
    if (!inbound || inbound.session !== session || inbound.dialog) return undefined;
    this.#forget(inbound);
    return { transaction: inbound.transaction, request: inbound.request };
  }
}
