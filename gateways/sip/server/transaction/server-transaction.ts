import { copied } from '../message/grammar.ts';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { giveUpMs, type TimerSettings } from './timers.ts';

export interface ServerTransactionOwner {
  readonly timers: TimerSettings;
  /** Sends where RFC 3261 §18.2.2 and RFC 3581 say, over another flow when that one is gone. */
  sendResponse(transaction: ServerTransaction, bytes: Buffer): void;
  /** Calls its `terminate()` then. */
  terminateLater(transaction: ServerTransaction, delayMs: number): void;
  terminated(transaction: ServerTransaction): void;
}

type State = 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated';

/**
 * One request from the network and the responses to it.
 *
 *     INVITE      proceeding ─2xx─> accepted ─L─> terminated           (RFC 6026 §8.7)
 *                     └─300-699─> completed ─ACK─> confirmed ─I─> terminated,  completed ─H─> terminated
 *     non-INVITE  proceeding ─final─> completed ─J─> terminated
 */
export class ServerTransaction {
  readonly key: string;
  readonly method: string;
  readonly flow: Flow;
  /** Where responses go when not over the flow: host and port of the top Via, as received. */
  readonly responsePort: number;
  /** Key of what makes another request with another branch the same one (RFC 3261 §8.2.2.2); '' in a dialog. */
  readonly mergeKey: string;
  readonly #owner: ServerTransactionOwner;
  #state: State = 'proceeding';
  #last: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The To tag of its responses, once it is known: a CANCEL is answered with the same (RFC 3261 §9.2). */
  toTag = '';
  /** Told when a non-2xx final response was acknowledged or given up. */
  onEnded: (() => void) | undefined;

  constructor(owner: ServerTransactionOwner, key: string, request: SipMessage, flow: Flow, responsePort: number) {
    this.#owner = owner;
    // It outlasts its request by far.
    this.key = copied(key);
    this.method = request.method;
    this.flow = flow;
    this.responsePort = responsePort;
    this.mergeKey = request.toTag === '' ? copied(`${request.callId} ${request.fromTag} ${request.get('cseq')}`) : '';
  }

  get isProceeding(): boolean {
    return this.#state === 'proceeding';
  }

  get isTerminated(): boolean {
    return this.#state === 'terminated';
  }

  /** Sends a response and moves on; in `accepted` only further 2xx pass. */
  respond(status: number, bytes: Buffer): void {
    if (this.#state === 'accepted' && status >= 200 && status < 300) {
      this.#owner.sendResponse(this, bytes);
      return;
    }
    if (this.#state !== 'proceeding') return;
    this.#last = bytes;
    this.#owner.sendResponse(this, bytes);
    if (status < 200) return;
    const { timers } = this.#owner;
    if (this.method !== 'INVITE') {
      this.#state = 'completed';
      // Timer J
      this.#terminateAfter(this.flow.isReliable ? 0 : giveUpMs(timers));
    } else if (status < 300) {
      this.#state = 'accepted';
      // The 2xx is the dialog's to repeat; here it only keeps copies of the INVITE from becoming a second call.
      this.#last = undefined;
      this.#terminateAfter(giveUpMs(timers)); // Timer L
    } else {
      this.#state = 'completed';
      if (!this.flow.isReliable) this.#repeat(timers.t1Ms);
      this.#terminateAfter(giveUpMs(timers)); // Timer H
    }
  }

  /** The same request came again. */
  receiveCopy(): void {
    if (this.#last && (this.#state === 'proceeding' || this.#state === 'completed')) {
      this.#owner.sendResponse(this, this.#last);
    }
  }

  /** @returns whether the ACK was for a final response of this transaction, rather than for a 2xx of the dialog */
  receiveAck(): boolean {
    if (this.#state === 'completed') {
      this.#state = 'confirmed';
      clearTimeout(this.#timer);
      this.#last = undefined;
      this.#ended();
      this.#terminateAfter(this.flow.isReliable ? 0 : this.#owner.timers.t4Ms); // Timer I
      return true;
    }
    return this.#state === 'confirmed';
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    clearTimeout(this.#timer);
    this.#last = undefined;
    this.#ended();
    this.#owner.terminated(this);
  }

  /** Timer G. */
  #repeat(afterMs: number): void {
    this.#timer = setTimeout(() => {
      if (this.#last) this.#owner.sendResponse(this, this.#last);
      this.#repeat(Math.min(afterMs * 2, this.#owner.timers.t2Ms));
    }, afterMs);
  }

  #terminateAfter(delayMs: number): void {
    if (delayMs === 0) this.terminate();
    else this.#owner.terminateLater(this, delayMs);
  }

  #ended(): void {
    const told = this.onEnded;
    this.onEnded = undefined;
    told?.();
  }
}
