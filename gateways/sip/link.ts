import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { PassingSet } from '#core/passing-map.ts';
import type { Logger } from '#core/ports.ts';
import { hostAddressOf } from './call-texts.ts';
import { answerOf, questionOf, type SipAnswer, SipDialog } from './dialog.ts';
import { answerChallenge, maxChallenges, type SipCredentials } from './digest.ts';
import { type InboundCall, type InboundRequest, inboundCallOf, inboundOf } from './inbound-call.ts';
import type { CallOptions, CallOutcome, OutboundCall } from './outbound-call.ts';
import type { AppEnd, ChallengeAnswer } from './server/index.ts';
import {
  type CallFailure,
  createSrf,
  type Headers,
  headerOf,
  ownHeaders,
  type SrfApp,
  type SrfDialog,
  type SrfIncoming,
  type SrfMessage,
  type SrfOutgoing,
  type SrfReply,
} from './srf-shapes.ts';
import { firstHopOf } from './trunks/register-words.ts';

export interface LinkOptions {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** Where the server is in this process: the way to it. */
  readonly openInProcess?: (() => AppEnd) | undefined;
  /** The address that a URI leads to first, by DNS. */
  readonly locate?: ((uri: string) => Promise<string | undefined>) | undefined;
  /** Shorter session timers of callers are refused; 90 s if absent (RFC 4028 §5). */
  readonly minSessionSec?: number;
  readonly log: Logger;
  /** The first connection must stand within this. */
  readonly connectTimeoutMs?: number;
  readonly pingIntervalMs?: number;
  /** A server that says nothing for so long after a ping is taken for dead. */
  readonly pingTimeoutMs?: number;
}

interface DialogName {
  readonly callId: string;
  readonly localTag: string;
}

export type LinkEvents = {
  /** It is up again; `hostPorts` is where the server listens. */
  connected: [hostPorts: string];
  /** Every call on it has ended. It comes back by itself. */
  lost: [];
};

/** Stands for what could be anywhere on the internet (RFC 5737). */
const anywhere = '192.0.2.1';
const methods = ['options', 'message', 'register', 'subscribe', 'publish', 'notify', 'refer', 'info'] as const;

/** The application's one way to SIP: drachtio-srf over a link that is watched. */
export class SipLink extends Owned {
  readonly events = new EventEmitter<LinkEvents>();
  readonly #srf: SrfApp = createSrf();
  readonly #log: Logger;
  readonly #options: LinkOptions;
  readonly #dialogs = new PassingSet<SipDialog>();
  /** Of calls of ours that are not answered yet, by Call-ID. */
  readonly #asking = new Map<string, ChallengeAnswer>();
  readonly #pending = new PassingSet<(error: GatewayError) => void>();
  #onCall: ((call: InboundCall) => void) | undefined;
  #onRequest: ((request: InboundRequest) => void) | undefined;
  #isUp = false;
  #hostPorts = '';
  #pingTimer: NodeJS.Timeout | undefined;
  #deadTimer: NodeJS.Timeout | undefined;

  private constructor(options: LinkOptions) {
    super();
    this.#options = options;
    this.#log = options.log;
  }

  /** @throws GatewayError `unauthorized` (secret), `timeout` */
  static async connect(options: LinkOptions): Promise<SipLink> {
    const link = new SipLink(options);
    try {
      await link.#open();
    } catch (error) {
      await link.close('failed');
      throw error;
    }
    return link;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** `udp/192.0.2.1:5060,tcp/…` */
  get hostPorts(): string {
    return this.#hostPorts;
  }

  get callCount(): number {
    return this.#dialogs.size;
  }

  /**
   * What answers the challenges that the server's own requests in a call meet: session refreshes, BYE, and PRACK.
   * @returns undefined for a call that is not, or has no password to show
   */
  authorityOf(call: DialogName): ChallengeAnswer | undefined {
    return this.#dialogOf(call)?.challengeAnswer ?? this.#asking.get(call.callId);
  }

  /** The server has refreshed the session, and this is what the peer says now. */
  refreshed(call: DialogName, sdp: string): void {
    this.#dialogOf(call)?.refreshed(sdp);
  }

  #dialogOf({ callId, localTag }: DialogName): SipDialog | undefined {
    for (const dialog of this.#dialogs) if (dialog.callId === callId && dialog.localTag === localTag) return dialog;
    return undefined;
  }

  /** Where a request to a URI goes, as far as that is known soon: our address in the SDP is chosen for it. */
  async addressOf(uri: string): Promise<string> {
    const known = hostAddressOf(uri);
    const { locate } = this.#options;
    if (known !== undefined || !locate) return known ?? anywhere;
    return (await Promise.race([locate(uri), shortly()])) ?? anywhere;
  }

  /** Takes INVITEs; without it they are refused. */
  onCall(handler: (call: InboundCall) => void): void {
    this.#onCall = handler;
  }

  /** Takes what comes outside calls: OPTIONS, MESSAGE, REGISTER, SUBSCRIBE, PUBLISH, NOTIFY, REFER, INFO. */
  onRequest(handler: (request: InboundRequest) => void): void {
    this.#onRequest = handler;
  }

  /** Sends a request outside a call; challenges are answered, of a proxy and of who is behind it. @throws GatewayError `invalid_request`, `signalling_lost` */
  async request(
    method: string,
    uri: string,
    options: { headers?: Headers; body?: string; proxy?: string; credentials?: SipCredentials } = {},
  ): Promise<SipAnswer> {
    const proxy = this.#routeFor(options.proxy);
    const { headers, body, credentials } = options;
    let retry: Headers = {};
    for (let answered = 0; ; answered++) {
      const sent = await this.#send(method, uri, { ...headers, ...retry }, body, proxy);
      if (!credentials || answered >= maxChallenges) return sent.answer;
      const next = this.#authorized(sent, credentials, method, body ?? '', retry);
      if (!next) return sent.answer;
      retry = next;
    }
  }

  /** Calls somebody. */
  call(uri: string, options: CallOptions): OutboundCall {
    let sent: SrfOutgoing | undefined;
    let callId = '';
    const { credentials, sdp = '' } = options;
    let cancelHeaders: Headers | undefined;
    const cancel = (headers: Headers = {}): void => {
      cancelHeaders = headers;
      // Too late is no error: the outcome tells what came first.
      sent?.cancel({ headers: ownHeaders(headers) }, () => undefined);
    };
    const attempt = (headers: Headers): Promise<CallOutcome> =>
      this.#invite(uri, options, headers, (request) => {
        sent = request;
        callId = headerOf(request, 'call-id') ?? '';
        if (credentials) this.#asking.set(callId, answerWith(credentials));
        if (cancelHeaders) cancel(cancelHeaders);
      });
    const outcomeOf = async (): Promise<CallOutcome> => {
      let retry: Headers = {};
      for (let answered = 0; ; answered++) {
        const outcome = await attempt({ ...ownHeaders(options.headers), ...retry });
        const isOver = outcome.kind === 'answered' || cancelHeaders !== undefined || answered >= maxChallenges;
        if (isOver || !credentials || !sent) return outcome;
        const next = this.#authorized({ answer: outcome.answer, request: sent }, credentials, 'INVITE', sdp, retry);
        if (!next) return outcome;
        retry = next;
      }
    };
    return { outcome: outcomeOf().finally(() => this.#asking.delete(callId)), cancel };
  }

  // ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<void> {
    const { host, port, secret, openInProcess, connectTimeoutMs = 5000 } = this.#options;
    this.#srf.use('invite', (request, reply) => this.#invited(request, reply));
    for (const method of methods) this.#srf.use(method, (request, reply) => this.#requested(request, reply));
    this.#srf.on('error', (error: Error) => this.#log.warn({ error: error.message }, 'link to the SIP server failed'));
    this.#srf.on('close', () => this.#lost());
    const up = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new GatewayError('timeout', `No drachtio-server answers at ${host}:${port}.`)),
        connectTimeoutMs,
      );
      this.#srf.on('connect', (error: Error | null, hostPorts: string) => {
        clearTimeout(timer);
        if (error) reject(new GatewayError('unauthorized', 'The drachtio-server refuses sip.drachtio.secret.'));
        else {
          this.#connected(hostPorts);
          resolve();
        }
      });
    });
    this.#srf.connect({ host, port, secret, openInProcess });
    await up;
  }

  #connected(hostPorts: string): void {
    this.#isUp = true;
    this.#hostPorts = hostPorts;
    this.#watch();
    this.events.emit('connected', hostPorts);
  }

  get #socket(): Socket | undefined {
    return this.#srf.app.client.mapServer.keys().next().value;
  }

  /** drachtio-srf pings but never looks whether an answer comes. */
  #watch(): void {
    const { pingIntervalMs = 10_000, pingTimeoutMs = 5000 } = this.#options;
    const { wp } = this.#srf.app.client;
    wp.off('msg', this.#alive);
    wp.on('msg', this.#alive);
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => {
      const socket = this.#socket;
      if (!socket || this.#deadTimer) return;
      wp.send(socket, 'ping');
      this.#deadTimer = setTimeout(() => {
        this.#log.warn({}, 'the SIP server does not answer pings');
        socket.destroy();
      }, pingTimeoutMs);
    }, pingIntervalMs);
    this.#pingTimer.unref();
  }

  readonly #alive = (): void => {
    clearTimeout(this.#deadTimer);
    this.#deadTimer = undefined;
  };

  #lost(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#alive();
    const error = new GatewayError('signalling_lost', 'The link to the SIP server was lost.');
    for (const reject of [...this.#pending]) reject(error);
    this.#pending.clear();
    for (const dialog of [...this.#dialogs]) dialog.lose();
    this.#srf._dialogs.clear();
    if (!this.isClosed) this.#log.error({}, 'lost the link to the SIP server, and the calls on it');
    this.events.emit('lost');
  }

  #keep(dialog: SrfDialog, localSdp: string, wasCaller: boolean, credentials?: SipCredentials): SipDialog {
    const kept = new SipDialog(dialog, { localSdp, credentials, wasCaller });
    kept.events.once('ended', this.#dialogs.add(kept));
    return kept;
  }

  #invited(request: SrfIncoming, reply: SrfReply): void {
    const { minSessionSec = 90 } = this.#options;
    const call = inboundCallOf(request, reply, minSessionSec, (sdp, headers, onDialog) => {
      return new Promise((resolve, reject) => {
        // The callback form: with promises a BYE in the same packet would find nobody listening.
        this.#srf.createUAS(request, reply, { localSdp: sdp, headers }, (error, dialog) => {
          if (error || !dialog) {
            reject(new GatewayError('closed', 'The caller has hung up.', { cause: error }));
            return;
          }
          const kept = this.#keep(dialog, sdp, false);
          onDialog(kept);
          resolve(kept);
        });
      });
    });
    if (call) this.#guard(call, this.#onCall);
  }

  #requested(request: SrfIncoming, reply: SrfReply): void {
    this.#guard(inboundOf(request, reply), this.#onRequest);
  }

  #guard<T extends InboundRequest>(request: T, handler: ((request: T) => void) | undefined): void {
    if (!handler) {
      request.respond(request.method === 'OPTIONS' ? 200 : 405);
      return;
    }
    try {
      handler(request);
    } catch (error) {
      this.#log.error({ error, callId: request.callId }, 'a SIP request failed');
      request.respond(500);
    }
  }

  #invite(
    uri: string,
    options: CallOptions,
    headers: Headers,
    onSent: (request: SrfOutgoing) => void,
  ): Promise<CallOutcome> {
    const { sdp, onOffer, proxy, credentials, onProgress, onUpdate, onDialog } = options;
    return this.#pend((resolve, reject) => {
      const answered = (dialog: SrfDialog, localSdp: string): void => {
        const kept = this.#keep(dialog, localSdp, true, credentials);
        onDialog?.(kept);
        resolve({ kind: 'answered', dialog: kept });
      };
      this.#srf.createUAC(
        uri,
        { headers, localSdp: sdp, proxy: this.#routeFor(proxy), noAck: sdp === undefined },
        {
          cbRequest: (error, request) => {
            if (error || !request) return;
            onSent(request);
            // Drachtio-srf listens after us, and would answer with the SDP of our INVITE whatever was asked.
            request.on('update', (update: SrfIncoming, reply: SrfReply) => {
              const question = questionOf(update, reply);
              if (question.body === '') question.respond(200);
              else if (onUpdate) onUpdate(question);
              else question.respond(488);
            });
          },
          cbProvisional: (response) => onProgress?.(answerOf(response)),
        },
        (error: CallFailure | null, result) => {
          if (error?.res) resolve({ kind: 'refused', answer: answerOf(error.res) });
          else if (error || !result)
            reject(new GatewayError('invalid_request', `The call could not be made: ${error?.message}`));
          else if ('sdp' in result) {
            const offer = onOffer ?? (() => Promise.reject(new Error('no onOffer')));
            offer(result.sdp)
              .then(async (answer) => answered(await result.ack(answer), answer))
              .catch((cause: unknown) =>
                reject(new GatewayError('unprocessable', 'The offer was not answered.', { cause })),
              );
          } else answered(result, sdp ?? '');
        },
      );
    });
  }

  #send(
    method: string,
    uri: string,
    headers: Headers | undefined,
    body: string | undefined,
    proxy: string | undefined,
  ): Promise<{ answer: SipAnswer; request: SrfOutgoing }> {
    return this.#pend((resolve, reject) => {
      this.#srf.request(uri, { method, headers: ownHeaders(headers), body, proxy }, (error, request) => {
        if (error || !request) {
          reject(
            new GatewayError('invalid_request', `The request could not be sent: ${error?.message}`, { cause: error }),
          );
          return;
        }
        request.on('response', (response: SrfMessage) => {
          if (response.status >= 200) resolve({ answer: answerOf(response), request });
        });
      });
    });
  }

  /** A drachtio-server takes one hop; ours all of them. */
  #routeFor(proxy: string | undefined): string | undefined {
    return proxy === undefined || this.#options.openInProcess ? proxy : firstHopOf(proxy);
  }

  /** Headers that send the same request again with credentials, or undefined where that would not help. */
  #authorized(
    { answer, request }: { answer: SipAnswer; request: SrfOutgoing },
    credentials: SipCredentials,
    method: string,
    body: string,
    before: Headers,
  ): Headers | undefined {
    const asked = { method, uri: request.uri, body };
    const shown = answerChallenge(answer, credentials, asked, undefined, (name) => before[name] !== undefined);
    if (!shown) return undefined;
    const number = Number.parseInt(headerOf(request, 'cseq') ?? '1', 10);
    return {
      ...before,
      [shown.name]: shown.value,
      from: headerOf(request, 'from') ?? '',
      'call-id': headerOf(request, 'call-id') ?? '',
      cseq: `${number + 1} ${method}`,
    };
  }

  /** A promise that the loss of the link rejects: drachtio-srf forgets its callbacks then. */
  #pend<T>(start: (resolve: (value: T) => void, reject: (error: GatewayError) => void) => void): Promise<T> {
    if (!this.#isUp) return Promise.reject(new GatewayError('signalling_lost', 'There is no link to the SIP server.'));
    return new Promise<T>((resolve, reject) => {
      const settle = this.#pending.add(reject);
      start(
        (value) => {
          settle();
          resolve(value);
        },
        (error) => {
          settle();
          reject(error);
        },
      );
    });
  }

  protected override async onClose(_reason: CloseReason): Promise<void> {
    clearInterval(this.#pingTimer);
    await Promise.all([...this.#dialogs].map((dialog) => Promise.race([dialog.bye(), shortly()])));
    this.#lost();
    this.#alive();
    const { wp } = this.#srf.app.client;
    const socket = this.#socket;
    // drachtio-srf's own disconnect() throws when there is no connection, and goes on making one.
    wp.closing = true;
    clearTimeout(wp.reconnectVars.retryTimer ?? undefined);
    socket?.end();
  }
}

function answerWith(credentials: SipCredentials): ChallengeAnswer {
  return (challenged, request, hasShown) => answerChallenge(challenged, credentials, request, undefined, hasShown);
}

function shortly(): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, 500, undefined).unref();
  });
}
