import type { Locator } from '../locate/locator.ts';
import type { SipMessage } from '../message/message.ts';
import { type ClientTransaction, type ClientTransactionUser, cancelFor } from '../transaction/client-transaction.ts';
import { synthesized } from '../transaction/responses.ts';
import { giveUpMs } from '../transaction/timers.ts';
import type { TransactionLayer } from '../transaction/transaction-layer.ts';
import type { Flow } from '../transport/flow.ts';
import type { Target, TransportLayer } from '../transport/transport-layer.ts';

/** Where to send: a flow that is there already, or targets to try in turn. */
export type Way = { readonly flow: Flow } | { readonly targets: readonly Target[] };

export interface OutgoingOptions {
  readonly transactions: TransactionLayer;
  readonly transports: TransportLayer;
  readonly locator: Locator;
  readonly failoverMs: number;
  readonly maxUdpBytes: number;
  readonly way: Way;
  /** Makes the request for the flow it is to go over: Contact and From may name our address on it. */
  readonly build: (flow: Flow) => SipMessage;
  readonly onResponse: (response: SipMessage, flow: Flow) => void;
}

/**
 * One request of ours, over as many targets as it takes (RFC 3263 §4.3): a target that is silent, refuses the connection
 * or says 503 is followed by the next. Whatever happens ends in one final response, made here if nobody gave one.
 */
export class OutgoingRequest implements ClientTransactionUser {
  /** As it was last sent, Via included. */
  request: SipMessage | undefined;
  flow: Flow | undefined;
  readonly #options: OutgoingOptions;
  readonly #targets: Target[];
  #target: Target | undefined;
  #transaction: ClientTransaction | undefined;
  #failover: NodeJS.Timeout | undefined;
  #isCancelled = false;
  #isCancelSent = false;
  #hasProvisional = false;
  #isDone = false;
  #cancelHeaders: SipMessage | undefined;

  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.#targets = 'targets' in options.way ? [...options.way.targets] : [];
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Builds it for the first way that there is. False: there is none; the response comes all the same. */
  prepare(): boolean {
    const { way } = this.#options;
    if ('flow' in way) {
      this.#use(way.flow);
      return true;
    }
    return this.#prepareNext();
  }

  send(): void {
    const { request, flow } = this;
    if (!request || !flow) return;
    this.#hasProvisional = false;
    // More ways are left: this one may not take the whole of timer B.
    if (this.#targets.length > 0) {
      this.#failover = setTimeout(() => {
        this.#transaction?.terminate();
        this.onFailure('timeout');
      }, this.#options.failoverMs);
    }
    this.#transaction = this.#options.transactions.request(request, flow, this);
  }

  /**
   * RFC 3261 §9.1: a CANCEL waits for a provisional response, and the INVITE for no longer than 64*T1 after it.
   * @returns false when it is too late
   */
  cancel(headers?: SipMessage): boolean {
    if (this.#isDone) return false;
    if (this.#isCancelled) return true;
    this.#isCancelled = true;
    this.#cancelHeaders = headers;
    clearTimeout(this.#failover);
    if (this.#hasProvisional) this.#sendCancel();
    return true;
  }

  onResponse(response: SipMessage, flow: Flow): void {
    clearTimeout(this.#failover);
    const { status } = response;
    if (status < 200) {
      this.#hasProvisional = true;
      if (this.#isCancelled) this.#sendCancel();
    } else if (status === 503 && !this.#isCancelled && this.#targets.length > 0) {
      this.#tryNext();
      return;
    } else this.#isDone = true;
    this.#options.onResponse(response, flow);
  }

  onFailure(reason: 'timeout' | 'transport'): void {
    clearTimeout(this.#failover);
    if (this.#isDone) return;
    if (this.#target) this.#options.locator.markFailed(this.#target);
    if (!this.#isCancelled && !this.#hasProvisional && this.#targets.length > 0) {
      this.#tryNext();
      return;
    }
    if (this.#isCancelled) this.#finish(487, 'Request Terminated');
    else if (reason === 'timeout') this.#finish(408, 'Request Timeout');
    else this.#finish(503, 'Connection Refused Or Host Unreachable');
  }

  /** Ends it with a response of ours, when no way led anywhere. */
  #finish(status: number, reason: string): void {
    this.#isDone = true;
    const { request, flow } = this;
    if (request && flow) this.#options.onResponse(synthesized(request, status, reason), flow);
  }

  #tryNext(): void {
    if (this.#prepareNext()) this.send();
    else this.#finish(503, 'Connection Refused Or Host Unreachable');
  }

  #prepareNext(): boolean {
    for (;;) {
      const target = this.#targets.shift();
      if (!target) return false;
      const flow = this.#options.transports.flowTo(target);
      if (!flow) continue;
      this.#target = target;
      this.#use(flow);
      if (this.#goesByTcp(target)) {
        this.#targets.unshift(target);
        const tcp = { ...target, protocol: 'tcp' as const };
        this.#isTcpTried = true;
        this.#target = tcp;
        const tcpFlow = this.#options.transports.flowTo(tcp);
        if (tcpFlow) this.#use(tcpFlow);
      }
      return true;
    }
  }

  #isTcpTried = false;

  /** RFC 3261 §18.1.1: what may not fit into one packet goes by TCP, and back to UDP where there is none. */
  #goesByTcp(target: Target): boolean {
    const { maxUdpBytes, transports } = this.#options;
    if (maxUdpBytes === 0 || target.protocol !== 'udp' || this.#isTcpTried || !this.request) return false;
    if (!transports.can('tcp', target.address)) return false;
    // The Via to come adds about a hundred bytes.
    return this.request.head().length + this.request.body.length + 100 > maxUdpBytes;
  }

  #use(flow: Flow): void {
    this.flow = flow;
    this.request = this.#options.build(flow);
  }

  #sendCancel(): void {
    const { request, flow } = this;
    if (this.#isCancelSent || !request || !flow) return;
    this.#isCancelSent = true;
    const cancel = cancelFor(request);
    const reason = this.#cancelHeaders?.get('reason');
    if (reason !== undefined) cancel.add('reason', reason);
    this.#options.transactions.sendCancel(cancel, flow, ignored);
    this.#transaction?.limitTo(giveUpMs(this.#options.transactions.timers));
  }
}

/** The answer to a CANCEL tells nothing that the answer to the INVITE does not. */
const ignored: ClientTransactionUser = { onResponse: () => undefined, onFailure: () => undefined };
