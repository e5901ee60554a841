import { EventEmitter } from 'node:events';
import { GatewayError } from '#core/errors.ts';
import { authorize, chooseChallenge, type SipCredentials } from './digest.ts';
import { sessionBodyOf } from './session-body.ts';
import {
  type Headers,
  headerOf,
  ownHeaders,
  type SrfDialog,
  type SrfIncoming,
  type SrfMessage,
  type SrfReply,
} from './srf-shapes.ts';

export interface SipAnswer {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
  header(name: string): string | undefined;
}

/** A request of the peer's, to be answered once. */
export interface SipQuestion {
  readonly method: string;
  readonly body: string;
  readonly contentType: string;
  header(name: string): string | undefined;
  /** Answers it; a second answer is ignored. */
  respond(status: number, options?: { reason?: string; headers?: Headers; body?: string }): void;
}

export interface SipDialogEvents {
  /** The call is over, by whom and why. Nothing comes after it. */
  ended: [by: 'peer' | 'us' | 'server' | 'lost', reason: string];
  /** The peer acknowledged our answer; `sdp` is its answer to an offer of ours. */
  acknowledged: [sdp: string];
  /** A re-INVITE or UPDATE: must be answered. Without a listener it gets the last SDP of ours. */
  offered: [question: SipQuestion];
  /** INFO, MESSAGE, REFER, NOTIFY, OPTIONS: must be answered. Without a listener 200. */
  asked: [question: SipQuestion];
}

export interface AskOptions {
  readonly headers?: Headers;
  readonly body?: string;
}

const maxGlareRetries = 4;
const byeTimeoutMs = 40_000;

/**
 * A call on drachtio-srf, with its traps closed: re-INVITEs are queued here and tried again after 491 (srf's own
 * `modify` hangs for ever after a failure), digests use the Request-URI that went out, and `ended` comes exactly once,
 * even when the link to the server is what ended.
 */
export class SipDialog {
  readonly events = new EventEmitter<SipDialogEvents>();
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly #dialog: SrfDialog;
  readonly #credentials: SipCredentials | undefined;
  readonly #wasCaller: boolean;
  #localSdp: string;
  #isEnded = false;
  #queue: Promise<unknown> = Promise.resolve();
  #nonceCount = 0;
  readonly #pending = new Set<(error: GatewayError) => void>();

  /** Attach synchronously where srf hands the dialog over: a BYE may follow in the same breath. */
  constructor(
    dialog: SrfDialog,
    options: { localSdp: string; credentials?: SipCredentials | undefined; wasCaller: boolean },
  ) {
    this.#dialog = dialog;
    this.#credentials = options.credentials;
    this.#wasCaller = options.wasCaller;
    this.#localSdp = options.localSdp;
    this.callId = dialog.sip.callId;
    this.localTag = dialog.sip.localTag;
    this.remoteTag = dialog.sip.remoteTag;
    dialog.on('destroy', (bye: SrfMessage, reason?: string) => {
      const isServer = reason !== undefined && reason !== 'normal release';
      this.#end(isServer ? 'server' : 'peer', (isServer ? reason : headerOf(bye, 'reason')) ?? '');
    });
    dialog.on('ack', (ack: SrfMessage) => this.events.emit('acknowledged', ack.body ?? ''));
    for (const method of ['modify', 'update']) {
      dialog.on(method, (request: SrfIncoming, reply: SrfReply) => this.#offered(request, reply));
    }
    for (const method of ['info', 'message', 'refer', 'notify', 'options']) {
      dialog.on(method, (request: SrfIncoming, reply: SrfReply) => this.#asked(request, reply));
    }
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get remoteSdp(): string {
    return this.#dialog.remote.sdp ?? '';
  }

  /** Where it is to be reached within this call. */
  get contact(): string {
    return this.#dialog.local.contact;
  }

  /** Contact of the peer. */
  get remoteUri(): string {
    return this.#dialog.remote.uri;
  }

  /** What the peer says that it takes: `Allow` of its INVITE, or of its answer to ours. */
  get remoteAllow(): string {
    const message = this.#wasCaller ? this.#dialog.res : this.#dialog.req;
    return headerOf(message, 'allow') ?? '';
  }

  get localSdp(): string {
    return this.#localSdp;
  }

  /** Sends a request and waits for its final answer, whatever that is. @throws GatewayError `closed`, `signalling_lost` */
  async ask(method: string, options: AskOptions = {}): Promise<SipAnswer> {
    const answer = await this.#send(method, options);
    const name = answer.status === 401 ? 'authorization' : 'proxy-authorization';
    const challenge = chooseChallenge(
      answer.header(answer.status === 401 ? 'www-authenticate' : 'proxy-authenticate') ?? '',
    );
    if ((answer.status !== 401 && answer.status !== 407) || !challenge || !this.#credentials) return answer;
    const uri = answer.sentUri;
    const value = authorize(challenge, this.#credentials, {
      method,
      uri,
      body: options.body ?? '',
      nonceCount: ++this.#nonceCount,
    });
    return this.#send(method, { ...options, headers: { ...ownHeaders(options.headers), [name]: value } });
  }

  /**
   * Offers `sdp` in a re-INVITE, after those that are waiting. Glare (491) is waited out as RFC 3261 §14.1 says.
   * @returns the final answer; its body is the peer's SDP when it is a 2xx
   */
  reinvite(sdp: string, headers?: Headers): Promise<SipAnswer> {
    const run = async (): Promise<SipAnswer> => {
      for (let attempt = 0; ; attempt++) {
        const answer = await this.ask('INVITE', {
          body: sdp,
          headers: { contact: this.#dialog.local.contact, ...headers },
        });
        if (answer.status < 300) {
          this.#localSdp = sdp;
          this.#dialog.local.sdp = sdp;
          this.#dialog.remote.sdp = answer.body;
        }
        if (answer.status !== 491 || attempt >= maxGlareRetries || this.#isEnded) return answer;
        // The owner of the Call-ID waits longer than the other, so that they do not meet again.
        await delay(this.#wasCaller ? 2100 + Math.random() * 1900 : Math.random() * 2000);
      }
    };
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** Hangs up; resolves when the peer has answered, or does not. Never rejects. */
  async bye(headers?: Headers): Promise<void> {
    if (this.#isEnded) return;
    const done = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, byeTimeoutMs);
      this.#dialog.destroy({ headers: ownHeaders(headers) }, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#end('us', headers?.reason ?? headers?.Reason ?? '');
    await done;
  }

  /** The link to the server is gone, and every call on it. */
  lose(): void {
    this.#dialog.connected = false;
    this.#end('lost', 'The link to the SIP server was lost.');
  }

  #send(method: string, { headers, body }: AskOptions): Promise<SipAnswer & { readonly sentUri: string }> {
    if (this.#isEnded) return Promise.reject(new GatewayError('closed', 'The call is over.'));
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      this.#dialog.request({ method, headers: ownHeaders(headers), body }, (error, response) => {
        // Called for provisional responses too.
        if (!error && response && response.status < 200) return;
        this.#pending.delete(reject);
        if (error || !response) reject(new GatewayError('closed', 'The call is over.', { cause: error }));
        else resolve({ ...answerOf(response), sentUri: sentUriOf(response) });
      });
    });
  }

  #offered(request: SrfIncoming, reply: SrfReply): void {
    const asked = questionOf(request, reply, (sdp) => {
      this.#localSdp = sdp;
      this.#dialog.local.sdp = sdp;
    });
    const read = sessionBodyOf(asked.body, asked.header);
    if (read.kind === 'refused') {
      asked.respond(read.status, { headers: ownHeaders(read.headers) });
      return;
    }
    const question = { ...asked, body: read.sdp, respond: keepingSession(asked) };
    if (this.events.listenerCount('offered') > 0) this.events.emit('offered', question);
    else question.respond(200, { body: this.#localSdp });
  }

  #asked(request: SrfIncoming, reply: SrfReply): void {
    const question = questionOf(request, reply);
    if (this.events.listenerCount('asked') > 0) this.events.emit('asked', question);
    else question.respond(200);
  }

  #end(by: SipDialogEvents['ended'][0], reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#pending.size > 0) {
      const error = new GatewayError(by === 'lost' ? 'signalling_lost' : 'closed', reason || 'The call is over.');
      for (const reject of this.#pending) reject(error);
      this.#pending.clear();
    }
    this.events.emit('ended', by, reason);
  }
}

export function answerOf(response: SrfMessage): SipAnswer {
  return {
    status: response.status,
    reason: response.reason,
    body: response.body ?? '',
    header: (name) => headerOf(response, name),
  };
}

/** RFC 4028 §9: a refresh by UPDATE is answered with what it asks for, which a drachtio-server leaves to us. */
function keepingSession({ method, header, respond }: SipQuestion): SipQuestion['respond'] {
  const asked = header('session-expires');
  if (method !== 'UPDATE' || asked === undefined) return respond;
  const agreed = /;\s*refresher\s*=/i.test(asked) ? asked : `${asked};refresher=uac`;
  return (status, options = {}) => {
    const headers = { 'session-expires': agreed, ...options.headers };
    respond(status, status >= 200 && status < 300 ? { ...options, headers } : options);
  };
}

/** Of the request that a response is to: the digest is over this and nothing else. */
function sentUriOf(response: SrfMessage): string {
  return (response as { req?: SrfMessage }).req?.uri ?? '';
}

export function questionOf(request: SrfMessage, reply: SrfReply, onSdp?: (sdp: string) => void): SipQuestion {
  return {
    method: request.method,
    body: request.body ?? '',
    contentType: headerOf(request, 'content-type') ?? '',
    header: (name) => headerOf(request, name),
    respond: (status, { reason, headers, body } = {}) => {
      if (reply.finalResponseSent) return;
      if (status < 300 && body !== undefined && onSdp) onSdp(body);
      reply.send(status, reason, { headers: ownHeaders(headers), body }, () => undefined);
    },
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
