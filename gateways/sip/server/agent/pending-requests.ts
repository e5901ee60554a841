// Owns: requests from the network that the application has not finally answered: found by id and by transaction, given up
// when the application is silent, cancelled when their sender gives up. May import: control, dialog, message, transaction.
import { PassingMap } from '#core/passing-map.ts';
import type { ControlSession } from '../control/control-session.ts';
import { nextId } from '../control/frames.ts';
import type { Dialog } from '../dialog/dialog.ts';
import { ReliableProvisionals } from '../dialog/reliable-provisionals.ts';
import type { SipMessage } from '../message/message.ts';
import { reasonOf, responseTo } from '../transaction/responses.ts';
import type { ServerTransaction } from '../transaction/server-transaction.ts';
import { newTag } from '../transaction/transaction-layer.ts';
import { tellNetwork } from './app-frames.ts';
import type { AgentContext } from './context.ts';
import { asCancel } from './inbound-messages.ts';

/** A request from the network that the application has not finally answered. */
export interface InboundRequest {
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

/** An INVITE that is answered sooner, by whatever response, needs no 100 (RFC 3261 §17.2.1). */
const tryingAfterMs = 200;
/** An INVITE that rings for longer has been forgotten by the application. */
const maxRingingMs = 600_000;

export class PendingRequests {
  readonly #context: AgentContext;
  readonly #requests = new PassingMap<string, InboundRequest>();
  /** By the key of the transaction. */
  readonly #byTransaction = new PassingMap<string, InboundRequest>();

  constructor(context: AgentContext) {
    this.#context = context;
  }

  get size(): number {
    return this.#requests.size;
  }

  byId(id: string): InboundRequest | undefined {
    return this.#requests.get(id);
  }

  byTransaction(transaction: ServerTransaction): InboundRequest | undefined {
    return this.#byTransaction.get(transaction.key);
  }

  /** It waits for the application, which may answer only those that are its own. */
  of(session: ControlSession, id: string): InboundRequest | undefined {
    const inbound = this.#requests.get(id);
    return inbound?.session === session ? inbound : undefined;
  }

  take(
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
    transaction.toTag = inbound.localTag;
    this.#requests.set(inbound.id, inbound);
    this.#byTransaction.set(transaction.key, inbound);
    const { appTimeoutMs } = this.#context.options;
    inbound.timer =
      request.method === 'INVITE' && appTimeoutMs > tryingAfterMs
        ? setTimeout(() => this.#try(inbound, appTimeoutMs - tryingAfterMs), tryingAfterMs)
        : setTimeout(() => this.#appIsSilent(inbound), appTimeoutMs);
    // Somebody else may end the transaction (shutdown); a request without one is nothing.
    // By a name: V8 puts a function that is written where it is assigned to a property among the old objects at once, and the
    // whole request would live on with it until those are next collected.
    const forget = (): void => this.forget(inbound);
    transaction.onEnded = forget;
    tellNetwork(session, request, transaction.flow, {
      transactionId: inbound.id,
      dialogId: dialog?.id ?? '',
      isOutside: dialog === undefined,
    });
    return inbound;
  }

  /** An INVITE that the application lets ring. */
  rings(inbound: InboundRequest): void {
    inbound.timer = setTimeout(() => this.#appIsSilent(inbound), maxRingingMs);
  }

  cancelled(inbound: InboundRequest, request: SipMessage): void {
    const { transaction, session, dialog } = inbound;
    this.answer(transaction, inbound.request, 487, {}, inbound.localTag);
    this.forget(inbound);
    if (dialog && !dialog.isConfirmed) this.#context.dialogs.remove(dialog);
    else if (dialog) dialog.incomingInvite = '';
    this.#context.cdr('stop', 'network', request, 'call-canceled');
    const cancel = request.method === 'CANCEL' ? request : asCancel(inbound.request, request);
    tellNetwork(session, cancel, transaction.flow, { transactionId: inbound.id, dialogId: '', isOutside: true });
  }

  #try(inbound: InboundRequest, leftMs: number): void {
    const { transaction, request } = inbound;
    const trying = responseTo(request, 100, 'Trying', '');
    const bytes = trying.toBuffer();
    this.#context.transactions.noteSent(transaction.flow, trying, bytes);
    transaction.respond(100, bytes);
    inbound.timer = setTimeout(() => this.#appIsSilent(inbound), leftMs);
  }

  #appIsSilent(inbound: InboundRequest): void {
    if (inbound.request.method === 'INVITE') this.reject(inbound, 480, reasonOf(480));
    // RFC 4320 §4.2: a 408 to anything else would come after its sender gave up.
    else {
      this.forget(inbound);
      inbound.transaction.terminate();
    }
  }

  /** The application is gone: what it left unanswered is refused. */
  rejectAllOf(session: ControlSession): void {
    for (const inbound of [...this.#requests.values()]) {
      if (inbound.session === session) this.reject(inbound, 503, reasonOf(503));
    }
  }

  reject(inbound: InboundRequest, status: number, reason: string): void {
    const { transaction, dialog, request, session } = inbound;
    this.answer(transaction, request, status, {}, inbound.localTag, reason);
    this.forget(inbound);
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

  answer(
    transaction: ServerTransaction,
    request: SipMessage,
    status: number,
    headers: Readonly<Record<string, string>> = {},
    tag = newTag(),
    reason = reasonOf(status),
  ): void {
    const response = responseTo(request, status, reason, tag);
    for (const [name, value] of Object.entries(headers)) response.add(name, value);
    const bytes = response.toBuffer();
    this.#context.transactions.noteSent(transaction.flow, response, bytes);
    transaction.respond(status, bytes);
  }

  forget(inbound: InboundRequest): void {
    clearTimeout(inbound.timer);
    inbound.reliable.stop();
    inbound.transaction.onEnded = undefined;
    this.#requests.delete(inbound.id);
    this.#byTransaction.delete(inbound.transaction.key);
  }
}
