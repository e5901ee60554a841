import { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { giveUpMs, type TimerSettings } from './timers.ts';

export interface ClientTransactionOwner {
  readonly timers: TimerSettings;
  send(flow: Flow, bytes: Buffer, message: SipMessage | undefined, onFailure?: (error: Error) => void): void;
  /** Calls its `terminate()` then. */
  terminateLater(transaction: ClientTransaction, delayMs: number): void;
  terminated(transaction: ClientTransaction): void;
}

export interface ClientTransactionUser {
  /** Each provisional, the final one, and for INVITE every further 2xx (RFC 6026 §7.2). */
  onResponse(response: SipMessage, flow: Flow): void;
  /** Timer B or F, or the transport: nobody answers. Nothing comes after it. */
  onFailure(reason: 'timeout' | 'transport'): void;
}

type State = 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated';

/**
 * One request of ours and the responses to it.
 *
 *     INVITE      calling ─1xx─> proceeding ─2xx─> accepted ─M─> terminated     (RFC 6026 §8.4)
 *                     └───────────────┴─300-699─> completed ─D─> terminated
 *     non-INVITE  calling ─1xx─> proceeding ─final─> completed ─K─> terminated
 */
export class ClientTransaction {
  readonly key: string;
  readonly method: string;
  readonly flow: Flow;
  readonly #owner: ClientTransactionOwner;
  readonly #user: ClientTransactionUser;
  /** Kept until the final response: it makes the ACK. */
  #request: SipMessage | undefined;
  readonly #unsubscribe: () => void;
  #bytes: Buffer | undefined;
  #ack: Buffer | undefined;
  #state: State = 'calling';
  #timer: NodeJS.Timeout | undefined;
  #giveUp: NodeJS.Timeout | undefined;

  /** @param request with its top Via in place; kept until the final response, for the ACK or CANCEL made from it */
  constructor(
    owner: ClientTransactionOwner,
    user: ClientTransactionUser,
    key: string,
    request: SipMessage,
    flow: Flow,
  ) {
    this.#owner = owner;
    this.#user = user;
    this.key = key;
    this.method = request.method;
    this.flow = flow;
    this.#request = request;
    this.#unsubscribe = flow.whenClosed(() => this.#fail('transport'));
  }

  get isProceeding(): boolean {
    return this.#state === 'proceeding';
  }

  get isOpen(): boolean {
    return this.#state === 'calling' || this.#state === 'proceeding';
  }

  start(): void {
    const request = this.#request;
    if (!request) return;
    this.#bytes = request.toBuffer();
    const { timers } = this.#owner;
    this.#giveUp = setTimeout(() => this.#fail('timeout'), giveUpMs(timers)); // Timers B and F
    if (!this.flow.isReliable) this.#repeat(timers.t1Ms);
    this.#owner.send(this.flow, this.#bytes, request, () => this.#fail('transport'));
  }

  receive(response: SipMessage, flow: Flow): void {
    const { status } = response;
    if (this.#state === 'completed') {
      if (status >= 300 && this.#ack) this.#owner.send(this.flow, this.#ack, undefined);
      return;
    }
    if (this.#state === 'accepted') {
      if (status >= 200 && status < 300) this.#user.onResponse(response, flow);
      return;
    }
    if (this.#state === 'terminated') return;
    if (status < 200) this.#proceed();
    else this.#finish(response);
    this.#user.onResponse(response, flow);
  }

  /** For INVITE, after which a lost final response must not keep it for ever (RFC 3261 §9.1). */
  limitTo(delayMs: number): void {
    if (!this.isOpen) return;
    clearTimeout(this.#giveUp);
    this.#giveUp = setTimeout(() => this.#fail('timeout'), delayMs);
  }

  #proceed(): void {
    if (this.#state !== 'calling') return;
    this.#state = 'proceeding';
    if (this.method !== 'INVITE') return;
    clearTimeout(this.#timer);
    clearTimeout(this.#giveUp);
    this.#bytes = undefined;
  }

  #finish(response: SipMessage): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#giveUp);
    this.#bytes = undefined;
    const { timers } = this.#owner;
    if (this.method !== 'INVITE') {
      this.#state = 'completed';
      this.#terminateAfter(this.flow.isReliable ? 0 : timers.t4Ms); // Timer K
    } else if (response.status < 300) {
      this.#state = 'accepted';
      this.#terminateAfter(giveUpMs(timers)); // Timer M
    } else {
      this.#state = 'completed';
      if (this.#request) {
        const ack = ackFor(this.#request, response);
        this.#ack = ack.toBuffer();
        this.#owner.send(this.flow, this.#ack, ack);
      }
      this.#terminateAfter(this.flow.isReliable ? 0 : giveUpMs(timers)); // Timer D, at least 32 s
    }
    this.#request = undefined;
  }

  /** Timer A doubles without end (64*T1 ends it), timer E up to T2 and stays there once something came. */
  #repeat(afterMs: number): void {
    this.#timer = setTimeout(() => {
      const { t2Ms } = this.#owner.timers;
      if (this.#bytes) this.#owner.send(this.flow, this.#bytes, undefined);
      const next = this.method !== 'INVITE' && this.#state === 'proceeding' ? t2Ms : afterMs * 2;
      this.#repeat(this.method === 'INVITE' ? next : Math.min(next, t2Ms));
    }, afterMs);
  }

  #fail(reason: 'timeout' | 'transport'): void {
    if (!this.isOpen) return;
    this.terminate();
    this.#user.onFailure(reason);
  }

  #terminateAfter(delayMs: number): void {
    this.#unsubscribe();
    if (delayMs === 0) this.terminate();
    else this.#owner.terminateLater(this, delayMs);
  }

  /** Its time is over, or it is given up: the user is not told. */
  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    clearTimeout(this.#timer);
    clearTimeout(this.#giveUp);
    this.#unsubscribe();
    this.#bytes = undefined;
    this.#ack = undefined;
    this.#owner.terminated(this);
  }
}

/** @see RFC 3261 §17.1.1.3: same branch and Route, To of the response */
function ackFor(request: SipMessage, response: SipMessage): SipMessage {
  return hopByHop(request, 'ACK', response.get('to') ?? '');
}

/** @see RFC 3261 §9.1 */
export function cancelFor(request: SipMessage): SipMessage {
  return hopByHop(request, 'CANCEL', request.get('to') ?? '');
}

function hopByHop(request: SipMessage, method: 'ACK' | 'CANCEL', to: string): SipMessage {
  const message = SipMessage.request(method, request.uri);
  message.add('via', request.get('via') ?? '');
  for (const route of request.all('route')) message.add('route', route);
  message.add('from', request.get('from') ?? '');
  message.add('to', to);
  message.add('call-id', request.callId);
  message.add('cseq', `${request.cseq?.number ?? 1} ${method}`);
  message.add('max-forwards', '70');
  return message;
}
