import { EventEmitter } from 'node:events';
import { GatewayError } from '#core/errors.ts';
import { answerChallenge, maxChallenges, type SipCredentials } from './digest.ts';
import type { ChallengeAnswer } from './server/index.ts';
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
  /** The SIP server has refreshed the session, and the peer says something else than before. */
  refreshed: [sdp: string, before: string];
  /** A re-INVITE or UPDATE: must be answered. Without a listener it gets the last SDP of ours. */
  offered: [question: SipQuestion];
  /** INFO, MESSAGE, REFER, NOTIFY, OPTIONS: must be answered. Without a listener 200. */
  asked: [question: SipQuestion];
}

export interface AskOptions {
  readonly headers?: Headers;
  readonly body?: string;
}

type SentAnswer = SipAnswer & { readonly sentUri: string };

/** A 481 to others is of what they are about: a message, a transfer. */
const ofCall = new Set(['INVITE', 'UPDATE', 'INFO']);
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
  #credentials: SipCredentials | undefined;
  #nonce = { value: '', count: 0 };
  readonly #wasCaller: boolean;
  #localSdp: string;
  #isEnded = false;
  #queue: Promise<unknown> = Promise.resolve();
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

  /** What challenges within the call are answered with: of a call that came by a trunk, those of its way out. */
  useCredentials(credentials: SipCredentials | undefined): void {
    this.#credentials = credentials;
  }

  /** Sends a request and waits for its final answer, whatever that is. @throws GatewayError `closed`, `signalling_lost` */
  async ask(method: string, options: AskOptions = {}): Promise<SipAnswer> {
    let asked = options;
    for (let answered = 0; ; answered++) {
      const answer = await this.#send(method, asked);
      const authorized = answered < maxChallenges ? this.#authorized(method, asked, answer) : undefined;
      if (!authorized) return answer;
      asked = authorized;
    }
  }

  /** The same request once more, with the password that it was asked for. */
  #authorized(method: string, options: AskOptions, answer: SentAnswer): AskOptions | undefined {
    const { headers = {}, body = '' } = options;
    const request = { method, uri: answer.sentUri, body };
    const shown = this.challengeAnswer?.(answer, request, (name) => headers[name] !== undefined);
    return shown && { ...options, headers: { ...ownHeaders(options.headers), [shown.name]: shown.value } };
  }

  /** Answers challenges with the password of this call; it may outlive it. */
  get challengeAnswer(): ChallengeAnswer | undefined {
    const credentials = this.#credentials;
    return (
      credentials &&
      ((challenged, request, hasShown) => answerChallenge(challenged, credentials, request, this.#countOf, hasShown))
    );
  }

  /** How often that nonce has been answered, this time included: some peers give one for the whole call. */
  readonly #countOf = (nonce: string): number => {
    this.#nonce = { value: nonce, count: this.#nonce.value === nonce ? this.#nonce.count + 1 : 1 };
    return this.#nonce.count;
  };

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

  /** By the SIP server, with the SDP of ours that stands. */
  refreshed(sdp: string): void {
    const before = this.remoteSdp;
    if (this.#isEnded || sdp === before) return;
    this.#dialog.remote.sdp = sdp;
    this.events.emit('refreshed', sdp, before);
  }

  /** Hangs up; resolves when the peer has answered, or does not. Never rejects. */
  async bye(headers?: Headers): Promise<void> {
    await this.#leave('us', headers?.reason ?? headers?.Reason ?? '', headers);
  }

  async #leave(by: 'us' | 'server', reason: string, headers: Headers | undefined): Promise<void> {
    if (this.#isEnded) return;
    const options = { ...(headers && { headers }) };
    const done = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, byeTimeoutMs);
      const finish = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#transmit('BYE', options, (answer) => {
        const authorized = answer && this.#authorized('BYE', options, answer);
        if (authorized) this.#transmit('BYE', authorized, finish);
        else finish();
      });
    });
    this.#dialog.connected = false;
    this.#end(by, reason);
    await done;
  }

  /** The link to the server is gone, and every call on it. */
  lose(): void {
    this.#dialog.connected = false;
    this.#end('lost', 'The link to the SIP server was lost.');
  }

  #send(method: string, options: AskOptions): Promise<SentAnswer> {
    if (this.#isEnded) return Promise.reject(new GatewayError('closed', 'The call is over.'));
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      this.#transmit(method, options, (answer, error) => {
        this.#pending.delete(reject);
        if (answer) {
          resolve(answer);
          if (answer.status === 481 && ofCall.has(method)) this.#forgotten();
        } else reject(new GatewayError('closed', 'The call is over.', { cause: error }));
      });
    });
  }

  /** RFC 3261 §12.2.1.2: the peer has no such call any more, and its media would be waited for until it times out. */
  #forgotten(): void {
    if (this.#isEnded) return;
    const reason = 'The other side knows nothing of this call any more.';
    void this.#leave('server', reason, { reason: `SIP;cause=481;text="${reason}"` });
  }

  #transmit(method: string, { headers, body }: AskOptions, done: (answer?: SentAnswer, error?: unknown) => void): void {
    this.#dialog.request({ method, headers: ownHeaders(headers), body }, (error, response) => {
      // Called for provisional responses too.
      if (!error && response && response.status < 200) return;
      if (error || !response) done(undefined, error);
      else done({ ...answerOf(response), sentUri: sentUriOf(response) });
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
      // Without a callback: with one, drachtio-srf reads what was sent once more.
      reply.send(status, reason, { headers: ownHeaders(headers), body });
    },
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
