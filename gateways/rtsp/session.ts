// Owns: one RTSP client of ours, from its connection to its end: an encoder that pushes or a player. Knows Duplex
// streams and UDP only: runs in whatever process its socket is in. May import: core.
import type { Duplex } from 'node:stream';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { randomText } from '#core/ids.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import { DigestVerifier } from './digest.ts';
import { interleavedHead, RtspReader } from './interleaved.ts';
import { type HeaderFields, headerOf, type RtspMessage, type RtspRequest, serializeResponse } from './message.ts';
import { PlayerSession } from './player-session.ts';
import type { RtspAccessRequest, RtspSessionOptions, RtspSessionPorts } from './ports.ts';
import { PusherSession } from './pusher-session.ts';
import { statusOf } from './status.ts';
import { placeOf } from './translate.ts';

/** What a request is answered with. */
export interface RtspAnswer {
  readonly status: number;
  readonly fields?: HeaderFields;
  readonly body?: string;
  /** Done after the answer has been sent. */
  readonly afterwards?: () => void;
}

/** The half of a session that moves media: one of the two, once the client has said which it is. */
export interface RtspRole extends Owned {
  /** @returns undefined for a method that the role does not have */
  handle(request: RtspRequest): Promise<RtspAnswer | undefined>;
  frame(channel: number, packet: Buffer): void;
  readonly isActive: boolean;
}

/** What a role needs of its session. */
export interface RtspSessionContext {
  readonly ports: RtspSessionPorts;
  readonly options: RtspSessionOptions;
  readonly log: Logger;
  readonly sessionId: string;
  access(request: RtspRequest): Promise<RtspAccessRequest>;
  sendFrame(channel: number, packet: Uint8Array): void;
  /** Written into the connection and not taken by the network yet. */
  queuedBytes(): number;
  /** A packet or report came: the client lives. */
  heard(): void;
  hold(): void;
  release(): void;
  end(reason: CloseReason, failure?: GatewayError): void;
  /** Why the session ends; for a role that is being closed. */
  ending(): { readonly reason: CloseReason; readonly failure: GatewayError | undefined };
  /** The client said goodbye. */
  isTornDown(): boolean;
}

const methods = 'OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, PAUSE, RECORD, GET_PARAMETER, SET_PARAMETER, TEARDOWN';
const realm = 'Switchyard';
const maxWrongPasswords = 5;
const maxQueuedRequests = 32;
const maxUnsentReplyBytes = 1_048_576;
const lingerMs = 1_000;

export class RtspSession extends Owned {
  readonly #socket: Duplex;
  readonly #ports: RtspSessionPorts;
  readonly #options: RtspSessionOptions;
  readonly #log: Logger;
  readonly #reader = new RtspReader();
  readonly #verifier = new DigestVerifier(realm);
  readonly #sessionId = randomText(16);
  readonly #requests: RtspRequest[] = [];
  #role: RtspRole | undefined;
  #isBusy = false;
  #holds = 0;
  #wrongPasswords = 0;
  #timer: NodeJS.Timeout;
  #failure: GatewayError | undefined;
  #reason: CloseReason = 'parent_closed';
  #isTimedBySession = false;
  #isTornDown = false;

  constructor(socket: Duplex, ports: RtspSessionPorts, options: RtspSessionOptions) {
    super();
    this.#socket = socket;
    this.#ports = ports;
    this.#options = options;
    this.#log = ports.log.child({ address: options.remoteAddress });
    this.#timer = this.#expireAfter(options.setupTimeoutMs, 'The RTSP client set nothing up.');
    socket.on('data', (data: Buffer) => this.#receive(data));
    socket.on('end', () => void this.close('peer_left'));
    socket.on('close', () => void this.close('peer_left'));
    socket.on('error', () => void this.close('peer_left'));
  }

  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  get isActive(): boolean {
    return this.#role?.isActive ?? false;
  }

  override close(reason: CloseReason = 'requested'): Promise<CloseReason> {
    if (!this.isClosed) this.#reason = reason;
    return super.close(reason);
  }

  /** Ends the session from our side. RTSP 1.0 has no words for why: the connection closes. */
  dismiss(reason: CloseReason): void {
    void this.close(reason);
  }

  #receive(data: Buffer): void {
    if (this.isClosed) return;
    try {
      this.#reader.write(data);
      this.#deliver();
    } catch (thrown) {
      this.#refuseAndClose(toGatewayError(thrown));
    }
  }

  #deliver(): void {
    for (let one = this.#reader.read(); one && !this.isClosed; one = this.#reader.read()) {
      if (one.kind === 'interleaved') this.#role?.frame(one.channel, one.payload);
      else this.#message(one);
    }
  }

  #message(message: RtspMessage): void {
    if (message.kind === 'response') return; // to nothing that we asked
    if (this.#requests.length >= maxQueuedRequests) {
      throw new GatewayError('limit_reached', 'Too many RTSP requests at once.');
    }
    this.#requests.push(message);
    void this.#work();
  }

  /** One request after the other, in order, while media goes on. */
  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let request = this.#requests.shift(); request && !this.isClosed; request = this.#requests.shift()) {
      await this.#answer(request);
    }
    this.#isBusy = false;
  }

  async #answer(request: RtspRequest): Promise<void> {
    let answer: RtspAnswer;
    try {
      answer = await this.#handle(request);
    } catch (thrown) {
      answer = this.#refusal(toGatewayError(thrown), request);
    }
    if (this.isClosed) return;
    const { status, fields, body, afterwards } = answer;
    const session = this.#role
      ? { Session: `${this.#sessionId};timeout=${this.#options.sessionTimeoutMs / 1_000}` }
      : {};
    const all = { CSeq: headerOf(request, 'cseq'), Server: realm, ...session, ...fields };
    this.#socket.write(serializeResponse(status, all, body));
    if (this.#socket.writableLength > maxUnsentReplyBytes + this.#options.maxQueuedBytes) {
      this.#end('failed', new GatewayError('limit_reached', 'The RTSP client does not read what it is sent.'));
      return;
    }
    afterwards?.();
    if (this.#role?.isActive) this.#heard();
  }

  async #handle(request: RtspRequest): Promise<RtspAnswer> {
    const { method } = request;
    const sessionId = headerOf(request, 'session')?.split(';')[0]?.trim();
    if (sessionId !== undefined && sessionId !== this.#sessionId) return { status: 454 };
    const required = request.headers.get('require');
    if (required) return { status: 551, fields: { Unsupported: required } };
    switch (method) {
      case 'OPTIONS':
        return { status: 200, fields: { Public: methods } };
      case 'GET_PARAMETER': // the keep-alive of most clients
      case 'SET_PARAMETER':
        return { status: request.body.length > 0 && method === 'SET_PARAMETER' ? 451 : 200 };
      case 'TEARDOWN':
        this.#isTornDown = true;
        return { status: this.#role ? 200 : 454, afterwards: () => this.#end('peer_left') };
      case 'ANNOUNCE':
      case 'DESCRIBE':
      case 'SETUP':
        this.#role ??= this.own(
          method === 'ANNOUNCE' ? new PusherSession(this.#context()) : new PlayerSession(this.#context()),
        );
    }
    return (
      (await this.#role?.handle(request)) ?? {
        status: methods.includes(method) ? 455 : 501,
        fields: { Allow: methods },
      }
    );
  }

  #refusal(error: GatewayError, request: RtspRequest): RtspAnswer {
    const status = statusOf(error);
    const facts = { code: error.code, reason: error.message, cause: error.cause };
    // Players ask without a login first, to be told how to sign in; those that push have their key in the path.
    const isFirst =
      status === 401 &&
      request.method !== 'ANNOUNCE' &&
      !headerOf(request, 'authorization') &&
      !/[?&]token=/.test(request.uri);
    if (isFirst) this.#log.debug(facts, 'rtsp login asked for');
    else this.#log.warn(facts, 'rtsp request refused');
    if (status !== 401) return { status };
    const fields = { 'WWW-Authenticate': this.#verifier.challenges(error === staleNonce) };
    return {
      status,
      fields,
      ...(this.#wrongPasswords >= maxWrongPasswords && { afterwards: () => this.#end('failed', error) }),
    };
  }

  #context(): RtspSessionContext {
    return {
      ports: this.#ports,
      options: this.#options,
      log: this.#log,
      sessionId: this.#sessionId,
      access: (request) => this.#access(request),
      sendFrame: (channel, packet) => this.#sendFrame(channel, packet),
      queuedBytes: () => this.#socket.writableLength,
      heard: () => this.#heard(),
      hold: () => this.#hold(),
      release: () => this.#release(),
      end: (reason, failure) => this.#end(reason, failure),
      ending: () => ({ reason: this.#reason, failure: this.#failure }),
      isTornDown: () => this.#isTornDown,
    };
  }

  /** @throws GatewayError `unauthorized` for a login that is wrong; without one there is no username */
  async #access(request: RtspRequest): Promise<RtspAccessRequest> {
    const { remoteAddress, isEncrypted } = this.#options;
    const authorization = headerOf(request, 'authorization');
    let username: string | undefined;
    if (authorization !== undefined) {
      const verdict = await this.#verifier.verify(authorization, request, (user) => this.#ports.passwordOf(user));
      if (verdict.kind === 'refused') {
        if (verdict.isStale) throw staleNonce;
        this.#wrongPasswords += 1;
        throw new GatewayError('unauthorized', 'The user name or password is wrong.');
      }
      username = verdict.username;
    }
    const { path, query } = placeOf(request.uri);
    const userAgent = (headerOf(request, 'user-agent') ?? '').slice(0, 128);
    return { path, query, username, remoteAddress, isEncrypted, userAgent };
  }

  #sendFrame(channel: number, packet: Uint8Array): void {
    if (this.isClosed || !this.#socket.writable || this.#socket.writableLength > this.#options.maxQueuedBytes) return;
    this.#socket.cork();
    this.#socket.write(interleavedHead(channel, packet.length));
    this.#socket.write(packet);
    this.#socket.uncork();
  }

  #heard(): void {
    if (this.isClosed) return;
    if (this.#isTimedBySession) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#isTimedBySession = true;
    this.#timer = this.#expireAfter(this.#options.sessionTimeoutMs, 'Nothing came from the RTSP client.');
  }

  #expireAfter(timeoutMs: number, message: string): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#holds > 0)
        this.#timer.refresh(); // it is we who do not listen
      else this.#end('timeout', new GatewayError('timeout', message));
    }, timeoutMs);
  }

  #hold(): void {
    if (this.#holds++ === 0) this.#socket.pause();
  }

  #release(): void {
    if (this.#holds === 0 || --this.#holds > 0 || this.isClosed) return;
    this.#socket.resume();
  }

  #refuseAndClose(error: GatewayError): void {
    this.#failure ??= error;
    const status = error.code === 'internal' ? 500 : statusOf(error);
    if (this.#socket.writable) this.#socket.write(serializeResponse(status, {}));
    this.#end('failed', error);
  }

  #end(reason: CloseReason, failure?: GatewayError): void {
    this.#failure ??= failure;
    void this.close(reason);
  }

  protected override async onClose(reason: CloseReason): Promise<void> {
    clearTimeout(this.#timer);
    this.#requests.length = 0;
    const fields = { reason, failure: this.#failure?.message };
    if (this.#role) this.#log.info(fields, 'rtsp session ended');
    else if (this.#failure) this.#log.info(fields, 'rtsp connection cut off');
    else this.#log.debug(fields, 'rtsp connection closed');
    if (this.#socket.destroyed) return;
    const closed = new Promise<void>((resolve) => void this.#socket.once('close', () => resolve()));
    const timer = setTimeout(() => this.#socket.destroy(), lingerMs);
    this.#socket.resume(); // unread data would make a reset of our last answer
    this.#socket.end();
    await closed;
    clearTimeout(timer);
  }
}

const staleNonce = new GatewayError('unauthorized', 'The login is too old; sign in again.');
