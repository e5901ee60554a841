import { randomFillSync } from 'node:crypto';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { PassingMap } from '#core/passing-map.ts';
import type { SipMessage } from '../message/message.ts';
import type { Fault } from '../message/parse.ts';
import { formatHostPort } from '../message/uri.ts';
import { faultOfRequest, isUsableResponse } from '../message/validate.ts';
import { branchCookie, type Via } from '../message/via.ts';
import type { RequestScreen } from '../options.ts';
import type { Flow, FlowHandler } from '../transport/flow.ts';
import type { TransportLayer } from '../transport/transport-layer.ts';
import { ClientTransaction, type ClientTransactionOwner, type ClientTransactionUser } from './client-transaction.ts';
import { DueQueue } from './due-queue.ts';
import { responsePortOf, serverKey, stampVia } from './request-origin.ts';
import { reasonOf, responseTo } from './responses.ts';
import { ServerTransaction, type ServerTransactionOwner } from './server-transaction.ts';
import type { TimerSettings } from './timers.ts';

export interface TransactionOptions {
  readonly timers: TimerSettings;
  /** Server transactions at once; requests past it get 503 without state. */
  readonly maxServerTransactions: number;
  /** Asked of each INVITE that begins a call, and of others outside of any that an application would have to look at. */
  readonly screen?: RequestScreen | undefined;
  /** Responses go to the port that the request came from, whether or not it asked by rport (RFC 3581). */
  readonly forcesRport: boolean;
}

/** What transactions hand up. All are called with requests that are valid. */
export interface TransactionUser {
  onRequest(transaction: ServerTransaction, request: SipMessage): void;
  /** ACK of a 2xx. */
  onAck(request: SipMessage, flow: Flow): void;
  /** Answered 200 already; one that there is nothing to cancel for is answered 481, and not handed up. */
  onCancel(invite: ServerTransaction, cancel: SipMessage): void;
  /** 2xx of an INVITE whose transaction is gone. */
  onStrayResponse(response: SipMessage, flow: Flow): void;
}

/** Sees every message that comes and goes. */
export interface MessageTap {
  /** @param bytes where they are at hand */
  onMessage(direction: 'in' | 'out', flow: Flow, message: SipMessage, bytes?: Buffer): void;
}

/** Matches messages to transactions (RFC 3261 §17), and answers by itself what needs no transaction user. */
export class TransactionLayer extends Owned implements FlowHandler, ServerTransactionOwner, ClientTransactionOwner {
  readonly timers: TimerSettings;
  readonly #options: TransactionOptions;
  readonly #user: TransactionUser;
  readonly #tap: MessageTap;
  #transports: TransportLayer | undefined;
  readonly #servers = new PassingMap<string, ServerTransaction>();
  readonly #clients = new PassingMap<string, ClientTransaction>();
  /** By how long it takes: T4 or 64*T1. */
  readonly #ending = new Map<number, DueQueue<ServerTransaction | ClientTransaction>>();
  /** Merge key to transaction key. */
  readonly #merges = new Map<string, string>();
  /** In each branch of ours, so that our own requests are known when they come round. */
  readonly #branchMark = `${branchCookie}sy${randomHex(4)}`;
  readonly counters = {
    malformed: 0,
    merged: 0,
    shed: 0,
    late: 0,
    unmatchedResponses: 0,
    retransmissions: 0,
    internalErrors: 0,
  };

  constructor(options: TransactionOptions, user: TransactionUser, tap: MessageTap) {
    super();
    this.#options = options;
    this.timers = options.timers;
    this.#user = user;
    this.#tap = tap;
  }

  set transports(transports: TransportLayer) {
    this.#transports = transports;
  }

  get serverCount(): number {
    return this.#servers.size;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Puts our Via on top of `request` and sends it; responses go to `user`. */
  request(request: SipMessage, flow: Flow, user: ClientTransactionUser, branch = this.#newBranch()): ClientTransaction {
    this.#addVia(request, flow, branch);
    const key = `${branch} ${request.method}`;
    const transaction = new ClientTransaction(this, user, key, request, flow);
    this.#clients.set(key, transaction);
    transaction.start();
    return transaction;
  }

  /** For the ACK of a 2xx, which is no transaction. Returns the bytes, to send again when the 2xx comes again. */
  sendOutside(request: SipMessage, flow: Flow): Buffer {
    this.#addVia(request, flow, this.#newBranch());
    const bytes = request.toBuffer();
    this.send(flow, bytes, request);
    return bytes;
  }

  /** A CANCEL that was made by `cancelFor`: same branch as its INVITE, so its Via stands already. */
  sendCancel(cancel: SipMessage, flow: Flow, user: ClientTransactionUser): void {
    const branch = cancel.topVia?.params.get('branch') ?? '';
    const key = `${branch} CANCEL`;
    if (this.#clients.has(key)) return;
    const transaction = new ClientTransaction(this, user, key, cancel, flow);
    this.#clients.set(key, transaction);
    transaction.start();
  }

  send(flow: Flow, bytes: Buffer, message: SipMessage | undefined, onFailure?: (error: Error) => void): void {
    if (message) this.#tap.onMessage('out', flow, message, bytes);
    else this.counters.retransmissions++;
    flow.send(bytes, onFailure);
  }

  /** For the ladder: a response that a server transaction is about to send. */
  noteSent(flow: Flow, response: SipMessage, bytes: Buffer): void {
    this.#tap.onMessage('out', flow, response, bytes);
  }

  /** Answers without keeping state: the same request again gets the same answer. */
  refuse(request: SipMessage, flow: Flow, fault: Fault, headers: Readonly<Record<string, string>> = {}): void {
    if (request.method === 'ACK' || fault.status === 0) return;
    // Without these there is no answer that the sender could match to anything (RFC 4475 §3.3.1).
    if (!request.has('via') || !request.has('cseq')) return;
    const response = responseTo(request, fault.status, fault.reason, statelessTag(request));
    for (const [name, value] of Object.entries(headers)) response.add(name, value);
    this.send(this.#flowForResponse(request, flow), response.toBuffer(), response);
  }

  // ── from the transports ─────────────────────────────────────────────────────────────────────────────────────────

  onMessage(flow: Flow, message: SipMessage, bytes?: Buffer): void {
    this.#receive(flow, message, bytes, false);
  }

  onLate(flow: Flow, message: SipMessage, bytes: Buffer): void {
    this.#receive(flow, message, bytes, true);
  }

  /** Nothing is kept of it, and the ladder tells of it when it is begun: it may yet be refused, with thousands of others. */
  onWaiting(flow: Flow, invite: SipMessage): void {
    this.#bear(() => {
      const via = invite.topVia;
      if (!via || !invite.isRequest || !invite.has('cseq')) return;
      stampVia(invite, via, flow);
      // A copy of one that was begun has had what answer there is.
      if (this.#servers.has(serverKey(invite, via, invite.method))) return;
      this.#flowForResponse(invite, flow).send(responseTo(invite, 100, reasonOf(100), '').toBuffer());
    });
  }

  #receive(flow: Flow, message: SipMessage, bytes: Buffer | undefined, isLate: boolean): void {
    this.#bear(() => {
      if (message.isRequest) this.#receiveRequest(flow, message, bytes, isLate);
      else this.#receiveResponse(flow, message, bytes);
    });
  }

  #bear(receive: () => void): void {
    if (this.isClosed) return;
    try {
      receive();
    } catch (cause) {
      // A bug of ours in one message must not end every call; it still has to be seen.
      this.counters.internalErrors++;
      process.emitWarning(`a SIP message failed: ${cause instanceof Error ? cause.stack : String(cause)}`);
    }
  }

  onFault(flow: Flow, fault: Fault, message: SipMessage | undefined): void {
    this.counters.malformed++;
    if (!message || this.isClosed) return;
    this.#tap.onMessage('in', flow, message);
    const via = message.topVia;
    if (via) stampVia(message, via, flow);
    this.refuse(message, flow, fault);
  }

  #receiveRequest(flow: Flow, request: SipMessage, bytes: Buffer | undefined, isLate: boolean): void {
    const via = request.topVia;
    if (via) stampVia(request, via, flow);
    const key = via && serverKey(request, via, request.method === 'ACK' ? 'INVITE' : request.method);
    const known = key === undefined ? undefined : this.#servers.get(key);
    if (known) {
      if (request.method !== 'ACK') {
        this.counters.retransmissions++;
        known.receiveCopy();
        return;
      }
      if (known.receiveAck()) {
        this.#tap.onMessage('in', flow, request, bytes);
        return;
      }
    }
    // A call that is on goes on, and a call whose INVITE was in time may be cancelled.
    if (isLate && request.method === 'INVITE' && request.toTag === '') {
      this.counters.late++;
      this.#refuseUnseen(flow, request, tooMany, lateRetryMs);
    } else if (!this.#isScreened(flow, request)) this.#receiveNew(flow, request, bytes, key);
  }

  #receiveNew(flow: Flow, request: SipMessage, bytes: Buffer | undefined, key: string | undefined): void {
    const via = request.topVia;
    this.#tap.onMessage('in', flow, request, bytes);
    const fault = faultOfRequest(request) ?? this.#faultOfLoop(request);
    if (fault || !via || key === undefined) {
      this.counters.malformed++;
      this.onRefused(request, flow, fault ?? { status: 400, reason: 'Bad Via' });
      return;
    }
    if (request.method === 'ACK') this.#user.onAck(request, flow);
    else if (request.method === 'CANCEL') this.#receiveCancel(flow, request, via, key);
    else this.#begin(flow, request, via, key);
  }

  /** Refused, and nothing is kept of it, nor of the ACK to that: of calls that are on there is to be something to look at. */
  #isScreened(flow: Flow, request: SipMessage): boolean {
    const { screen } = this.#options;
    const { method } = request;
    if (method === 'ACK') return request.toTag.startsWith(screenedTag);
    if (!screen || !screened.has(method)) return false;
    if (request.toTag !== '' || !request.has('via') || !request.has('cseq')) return false;
    const { remoteAddress: address, remotePort: port, protocol } = flow;
    const refusal = screen({
      method,
      source: { address, port, protocol },
      uri: request.uri,
      header: (name) => request.get(name),
    });
    if (!refusal) return false;
    this.#refuseUnseen(flow, request, refusal.reason, refusal.retryAfterMs);
    return true;
  }

  #refuseUnseen(flow: Flow, request: SipMessage, reason: string, retryAfterMs: number): void {
    if (!request.has('via') || !request.has('cseq')) return;
    this.counters.shed++;
    const response = responseTo(request, 503, reasonOf(503), screenedTag + statelessTag(request))
      .add('warning', `399 switchyard "${reason.replaceAll(/["\\]/g, ' ')}"`)
      .add('retry-after', String(Math.ceil(retryAfterMs / 1_000)));
    this.#flowForResponse(request, flow).send(response.toBuffer());
  }

  onRefused(request: SipMessage, flow: Flow, fault: Fault & { headers?: Readonly<Record<string, string>> }): void {
    this.refuse(request, flow, fault, fault.headers);
  }

  #begin(flow: Flow, request: SipMessage, via: Via, key: string): void {
    if (this.#servers.size >= this.#options.maxServerTransactions) {
      this.counters.shed++;
      this.refuse(request, flow, { status: 503, reason: 'Service Unavailable' }, { 'retry-after': '5' });
      return;
    }
    const transaction = new ServerTransaction(this, key, request, flow, responsePortOf(via, flow));
    if (transaction.mergeKey !== '' && this.#merges.has(transaction.mergeKey)) {
      this.counters.merged++;
      this.refuse(request, flow, { status: 482, reason: 'Loop Detected' });
      return;
    }
    this.#servers.set(transaction.key, transaction);
    if (transaction.mergeKey !== '') this.#merges.set(transaction.mergeKey, transaction.key);
    this.#user.onRequest(transaction, request);
  }

  #receiveCancel(flow: Flow, cancel: SipMessage, via: Via, key: string): void {
    const invite = this.#servers.get(serverKey(cancel, via, 'INVITE'));
    if (!invite) {
      // Nothing bounds how many of these come: none is kept, and its copies get the same answer.
      this.refuse(cancel, flow, { status: 481, reason: 'Call/Transaction Does Not Exist' });
      return;
    }
    const transaction = new ServerTransaction(this, key, cancel, flow, responsePortOf(via, flow));
    this.#servers.set(transaction.key, transaction);
    const response = responseTo(cancel, 200, 'OK', invite.toTag || statelessTag(cancel));
    const bytes = response.toBuffer();
    this.#tap.onMessage('out', flow, response, bytes);
    transaction.respond(200, bytes);
    this.#user.onCancel(invite, cancel);
  }

  #receiveResponse(flow: Flow, response: SipMessage, bytes: Buffer | undefined): void {
    if (!isUsableResponse(response)) {
      this.counters.malformed++;
      return;
    }
    const via = response.topVia;
    const cseq = response.cseq;
    if (!via || !cseq) return;
    const transaction = this.#clients.get(`${via.params.get('branch') ?? ''} ${cseq.method}`);
    if (!transaction && !this.#transports?.isOwn(via.host, via.port)) {
      // RFC 3261 §18.1.2: a response whose top Via is not ours was not for us.
      this.counters.unmatchedResponses++;
      return;
    }
    this.#tap.onMessage('in', flow, response, bytes);
    if (transaction) transaction.receive(response, flow);
    else if (cseq.method === 'INVITE' && response.status >= 200 && response.status < 300) {
      this.#user.onStrayResponse(response, flow);
    } else this.counters.unmatchedResponses++;
  }

  /** @see RFC 3261 §16.3: a Via of ours below the top means that the request came round */
  #faultOfLoop(request: SipMessage): Fault | undefined {
    if (request.toTag !== '' || !this.#transports) return undefined;
    const { names, values } = request;
    for (let i = 0; i < names.length; i++) {
      if (names[i]?.name !== 'via' || !values[i]?.includes(this.#branchMark)) continue;
      return { status: 482, reason: 'Loop Detected' };
    }
    return undefined;
  }

  // ── for the transactions ────────────────────────────────────────────────────────────────────────────────────────

  sendResponse(transaction: ServerTransaction, bytes: Buffer): void {
    const { flow } = transaction;
    this.#flowBack(flow, transaction.responsePort).send(bytes);
  }

  terminateLater(transaction: ServerTransaction | ClientTransaction, delayMs: number): void {
    let ending = this.#ending.get(delayMs);
    if (!ending) {
      ending = new DueQueue(delayMs, (due) => due.terminate());
      this.#ending.set(delayMs, ending);
    }
    ending.add(transaction);
  }

  terminated(transaction: ServerTransaction | ClientTransaction): void {
    if (transaction instanceof ClientTransaction) {
      this.#clients.delete(transaction.key);
      return;
    }
    this.#servers.delete(transaction.key);
    if (transaction.mergeKey !== '' && this.#merges.get(transaction.mergeKey) === transaction.key) {
      this.#merges.delete(transaction.mergeKey);
    }
  }

  #flowForResponse(request: SipMessage, flow: Flow): Flow {
    const via = request.topVia;
    return via && !flow.isReliable ? this.#flowBack(flow, responsePortOf(via, flow)) : flow;
  }

  /** RFC 3261 §18.2.2: to where the request came from, or to its address at the port that its Via names. */
  #flowBack(flow: Flow, port: number): Flow {
    const isToSource = flow.isReliable || this.#options.forcesRport || port === flow.remotePort;
    if (flow.protocol === 'ws' || flow.protocol === 'wss' || (flow.isOpen && isToSource)) return flow;
    return this.#transports?.flowTo({ protocol: flow.protocol, address: flow.remoteAddress, port }) ?? flow;
  }

  #newBranch(): string {
    return this.#branchMark + randomHex(8);
  }

  #addVia(request: SipMessage, flow: Flow, branch: string): void {
    const sentBy = formatHostPort(flow.localAddress, flow.localPort);
    request.prepend('via', `SIP/2.0/${flow.protocol.toUpperCase()} ${sentBy};branch=${branch};rport`);
  }

  protected override onClose(_reason: CloseReason): void {
    for (const transaction of [...this.#servers.values()]) transaction.terminate();
    for (const transaction of [...this.#clients.values()]) transaction.terminate();
    for (const ending of this.#ending.values()) ending.clear();
  }
}

const randomPool = Buffer.alloc(4096);
let randomUsed = randomPool.length;

/** Hex text that nobody guesses; 64 bits keep an off-path sender from forging a response. */
export function randomHex(bytes: number): string {
  if (randomUsed + bytes > randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  const text = randomPool.toString('hex', randomUsed, randomUsed + bytes);
  randomUsed += bytes;
  return text;
}

export function newTag(): string {
  return randomHex(6);
}

const screened = new Set([
  ...['INVITE', 'REGISTER', 'OPTIONS', 'MESSAGE', 'SUBSCRIBE', 'PUBLISH', 'NOTIFY', 'REFER', 'INFO'],
]);
const tooMany = 'There are too many new calls; try again later.';
const lateRetryMs = 5_000;
/** Begins the To tag of refusals of which nothing is kept. */
const screenedTag = 'scr-';

/** The same for each copy of a request (RFC 3261 §8.2.6.2 wants that of a stateless server). */
function statelessTag(request: SipMessage): string {
  let hash = 0x811c9dc5;
  const text = `${request.callId} ${request.get('from') ?? ''} ${request.get('cseq') ?? ''}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `sl${(hash >>> 0).toString(16)}`;
}
