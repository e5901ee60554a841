// Owns: an INVITE from the network until it is answered or refused: provisional answers, which are reliable where they have
// to be (RFC 3262), and what the caller offers before the answer (RFC 3311).
import { EventEmitter } from 'node:events';
import { GatewayError } from '#core/errors.ts';
import { questionOf, type SipDialog, type SipQuestion } from './dialog.ts';
import { sessionBodyOf } from './session-body.ts';
import { type Headers, headerOf, ownHeaders, type SrfIncoming, type SrfMessage, type SrfReply } from './srf-shapes.ts';

/** A request from the network outside any call. */
export interface InboundRequest extends SipQuestion {
  readonly uri: string;
  readonly callId: string;
  readonly source: { readonly address: string; readonly port: number; readonly protocol: string };
}

export type InboundCallEvents = {
  /** The caller gave up, or is not to be reached any more. */
  cancelled: [];
  /** An offer before the answer, by UPDATE or PRACK: must be answered at once. Without a listener it is put off. */
  offered: [question: SipQuestion];
};

export interface ProgressOptions {
  /** For early media: our answer, or our offer where the INVITE had none. */
  readonly sdp?: string;
  readonly headers?: Headers;
}

/** `body` is the caller's SDP, or '' for one who wants our offer. Provisional answers by `respond` go by `progress` too. */
export interface InboundCall extends InboundRequest {
  readonly events: EventEmitter<InboundCallEvents>;
  readonly isCancelled: boolean;
  /** It counts on provisional answers that it acknowledges (RFC 3262 §3). */
  readonly requiresReliable: boolean;
  /**
   * Sends a 18x: reliably to callers that require it, and with SDP to those that can. One goes out after the other.
   * @returns when it has arrived, with the SDP of the caller's PRACK or ''; at once where nobody acknowledges
   * @throws GatewayError `closed` when the caller gave up
   */
  progress(status: number, options?: ProgressOptions): Promise<string>;
  /**
   * 200 with `sdp`. `onDialog` runs before anything else of the call can happen: attach listeners there.
   * @throws GatewayError `closed` when the caller was faster
   */
  answer(sdp: string, onDialog: (dialog: SipDialog) => void, headers?: Headers): Promise<SipDialog>;
}

export type DialogMaker = (sdp: string, headers: Headers, onDialog: (dialog: SipDialog) => void) => Promise<SipDialog>;

/** The server gives up sooner; this is for one that does not. */
const prackTimeoutMs = 40_000;

/**
 * @param minSessionSec less is refused (RFC 4028 §5). The embedded server does so itself, a drachtio-server only within calls
 * @returns undefined when it was refused here, for a body that is no SDP or a session that would be too short
 */
export function inboundCallOf(
  request: SrfIncoming,
  reply: SrfReply,
  minSessionSec: number,
  make: DialogMaker,
): InboundCall | undefined {
  const asked = inboundOf(request, reply);
  if (Number.parseInt(asked.header('session-expires') ?? '', 10) < minSessionSec) {
    asked.respond(422, { headers: { 'min-se': String(minSessionSec) } });
    return undefined;
  }
  const read = sessionBodyOf(asked.body, asked.header);
  if (read.kind === 'sdp') return new WaitingCall(request, reply, { ...asked, body: read.sdp }, make);
  asked.respond(read.status, { headers: ownHeaders(read.headers) });
  return undefined;
}

export function inboundOf(request: SrfIncoming, reply: SrfReply): InboundRequest {
  return {
    ...questionOf(request, reply),
    uri: request.uri,
    callId: headerOf(request, 'call-id') ?? '',
    source: { address: request.source_address, port: request.source_port, protocol: request.protocol },
  };
}

class WaitingCall implements InboundCall {
  readonly events = new EventEmitter<InboundCallEvents>();
  readonly method: string;
  readonly body: string;
  readonly contentType: string;
  readonly uri: string;
  readonly callId: string;
  readonly source: InboundRequest['source'];
  readonly header: SipQuestion['header'];
  readonly requiresReliable: boolean;
  readonly #reply: SrfReply;
  readonly #refuse: SipQuestion['respond'];
  readonly #make: DialogMaker;
  readonly #canBeReliable: boolean;
  #isCancelled = false;
  /** The reliable provisional answer that is under way, and those that wait for it. */
  #underWay: Promise<string> | undefined;

  constructor(request: SrfIncoming, reply: SrfReply, asked: InboundRequest, make: DialogMaker) {
    this.method = asked.method;
    this.body = asked.body;
    this.contentType = asked.contentType;
    this.uri = asked.uri;
    this.callId = asked.callId;
    this.source = asked.source;
    this.header = asked.header;
    this.#refuse = asked.respond;
    this.#reply = reply;
    this.#make = make;
    this.requiresReliable = hasTag(asked.header('require'), '100rel');
    this.#canBeReliable = this.requiresReliable || hasTag(asked.header('supported'), '100rel');
    request.on('cancel', () => {
      this.#isCancelled = true;
      this.events.emit('cancelled');
    });
    request.on('update', (update: SrfIncoming, answer: SrfReply) => this.#offered(update, answer));
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  respond(status: number, options: Parameters<SipQuestion['respond']>[1] = {}): void {
    if (status >= 200) this.#refuse(status, options);
    else {
      const { headers, body } = options;
      // Who gave up is told by `cancelled`.
      this.progress(status, { ...(headers && { headers }), ...(body && { sdp: body }) }).catch(() => undefined);
    }
  }

  progress(status: number, { sdp = '', headers }: ProgressOptions = {}): Promise<string> {
    const isReliable = this.requiresReliable || (this.#canBeReliable && sdp !== '');
    // RFC 3261 §13.2.1: the first reliable answer to an INVITE without an offer has ours in it. The 200 will have it.
    if (isReliable && sdp === '' && this.body === '') return Promise.resolve('');
    const send = (): Promise<string> => this.#sendProvisional(status, sdp, ownHeaders(headers), isReliable);
    const sent = this.#underWay ? this.#underWay.then(send) : send();
    if (!isReliable && !this.#underWay) return sent;
    this.#underWay = sent;
    const done = (): void => {
      if (this.#underWay === sent) this.#underWay = undefined;
    };
    sent.then(done, done);
    return sent;
  }

  async answer(sdp: string, onDialog: (dialog: SipDialog) => void, headers?: Headers): Promise<SipDialog> {
    // RFC 3262 §3: a final answer may not overtake an offer or answer that has not arrived.
    await this.#underWay;
    return this.#make(sdp, ownHeaders(headers), onDialog);
  }

  /** What drachtio-srf throws is a rejection as well: some of it is sent by timers. */
  async #sendProvisional(status: number, sdp: string, headers: Headers, isReliable: boolean): Promise<string> {
    if (this.#isCancelled || this.#reply.finalResponseSent) throw goneAway();
    if (sdp !== '') headers['content-type'] = 'application/sdp';
    const body = sdp === '' ? undefined : sdp;
    if (!isReliable) {
      this.#reply.send(status, undefined, { headers, body });
      return '';
    }
    headers.require = '100rel';
    return new Promise((resolve, reject) => {
      const giveUp = (error: GatewayError): void => {
        clearTimeout(timer);
        this.events.off('cancelled', onCancelled);
        reject(error);
      };
      const onCancelled = (): void => giveUp(goneAway());
      const timer = setTimeout(() => {
        this.#refuse(504);
        giveUp(new GatewayError('timeout', 'The caller does not acknowledge provisional answers.'));
      }, prackTimeoutMs);
      this.events.once('cancelled', onCancelled);
      this.#reply.send(
        status,
        undefined,
        { headers, body },
        (error) => error && giveUp(new GatewayError('closed', 'The answer could not be sent.', { cause: error })),
        (prack) => {
          clearTimeout(timer);
          this.events.off('cancelled', onCancelled);
          this.#acknowledged(prack);
          resolve(this.body === '' ? (prack.body ?? '') : '');
        },
      );
    });
  }

  /** Drachtio-srf would answer every PRACK 200, an offer in it as well. */
  #acknowledged(prack: SrfMessage): void {
    const { res } = prack as SrfMessage & { res?: SrfReply };
    if (!res) return;
    if (this.body !== '' && prack.body) this.#offered(prack, res);
    else res.send(200, undefined, {}, () => undefined);
  }

  #offered(request: SrfMessage, reply: SrfReply): void {
    const question = questionOf(request, reply);
    if (question.body === '') question.respond(200);
    else if (this.events.listenerCount('offered') > 0) this.events.emit('offered', question);
    // RFC 3311 §5.2: the offer of the INVITE has no answer yet.
    else question.respond(500, { headers: { 'retry-after': String(Math.floor(Math.random() * 11)) } });
  }
}

function goneAway(): GatewayError {
  return new GatewayError('closed', 'The caller has hung up.');
}

function hasTag(value: string | undefined, tag: string): boolean {
  return (value ?? '')
    .toLowerCase()
    .split(/\s*,\s*/)
    .includes(tag);
}
