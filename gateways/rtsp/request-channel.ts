// Owns: one connection to an RTSP server: requests with their answers, authentication, frames in between.
// May import: core.
import type { Duplex } from 'node:stream';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { Authenticator, type Credentials, chooseChallenge } from './digest.ts';
import { type InterleavedFrame, interleavedHead, RtspReader } from './interleaved.ts';
import {
  type HeaderFields,
  headerOf,
  type RtspMessage,
  type RtspResponse,
  serializeRequest,
  serializeResponse,
} from './message.ts';

export interface RequestChannelOptions {
  readonly credentials: Credentials | undefined;
  readonly requestTimeoutMs: number;
  readonly onFrame: (frame: InterleavedFrame) => void;
}

interface Pending {
  resolve(response: RtspResponse): void;
  reject(error: GatewayError): void;
}

const userAgent = 'Switchyard';
const lingerMs = 300;

export class RequestChannel extends Owned {
  readonly #socket: Duplex;
  readonly #options: RequestChannelOptions;
  readonly #reader = new RtspReader();
  readonly #pending = new Map<number, Pending>();
  readonly #session: { id: string | undefined } = { id: undefined };
  #authenticator: Authenticator | undefined;
  #lastCSeq = 0;
  #failure: GatewayError | undefined;

  constructor(socket: Duplex, options: RequestChannelOptions) {
    super();
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (data: Buffer) => this.#receive(data));
    socket.on('end', () => void this.close('peer_left'));
    socket.on('close', () => void this.close('peer_left'));
    socket.on('error', () => void this.close('peer_left'));
  }

  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Sent with every request from now on. */
  set sessionId(id: string) {
    this.#session.id = id;
  }

  /**
   * Answers a challenge once and repeats the request.
   * @returns the answer, whatever its status but 401
   * @throws GatewayError `upstream_refused` for 401, `timeout`, `upstream_failed` when the connection goes
   */
  async request(method: string, uri: string, fields: HeaderFields = {}, body = ''): Promise<RtspResponse> {
    const first = await this.#exchange(method, uri, fields, body);
    if (first.status !== 401) return first;
    const { credentials } = this.#options;
    const challenge = chooseChallenge(first.headers.get('www-authenticate') ?? []);
    if (!credentials) throw new GatewayError('upstream_refused', 'The RTSP server asks for a user name and password.');
    if (!challenge) throw new GatewayError('upstream_refused', 'The RTSP server asks for a login that we do not know.');
    this.#authenticator = new Authenticator(challenge, credentials);
    const second = await this.#exchange(method, uri, fields, body);
    if (second.status !== 401) return second;
    throw new GatewayError('upstream_refused', 'The RTSP server refused the user name or password.');
  }

  /** Sends without waiting for an answer. */
  tell(method: string, uri: string, fields: HeaderFields = {}): void {
    this.#write(method, uri, fields, '');
  }

  sendFrame(channel: number, payload: Uint8Array): void {
    if (this.isClosed || !this.#socket.writable) return;
    this.#socket.cork();
    this.#socket.write(interleavedHead(channel, payload.length));
    this.#socket.write(payload);
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  fail(error: GatewayError, reason: CloseReason = 'failed'): void {
    this.#failure ??= error;
    void this.close(reason);
  }

  async #exchange(method: string, uri: string, fields: HeaderFields, body: string): Promise<RtspResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<RtspResponse>();
    if (this.isClosed) throw this.#closedError();
    const cSeq = this.#write(method, uri, fields, body);
    this.#pending.set(cSeq, { resolve, reject });
    const late = new GatewayError('timeout', `The RTSP server did not answer ${method}.`);
    const timer = setTimeout(() => reject(late), this.#options.requestTimeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(cSeq);
    }
  }

  #write(method: string, uri: string, fields: HeaderFields, body: string): number {
    this.#lastCSeq += 1;
    const all = {
      CSeq: String(this.#lastCSeq),
      'User-Agent': userAgent,
      Session: this.#session.id,
      Authorization: this.#authenticator?.authorization(method, uri),
      ...fields,
    };
    if (this.#socket.writable) this.#socket.write(serializeRequest(method, uri, all, body));
    return this.#lastCSeq;
  }

  #receive(data: Buffer): void {
    if (this.isClosed) return;
    try {
      this.#reader.write(data);
      for (let one = this.#reader.read(); one && !this.isClosed; one = this.#reader.read()) {
        if (one.kind === 'interleaved') this.#options.onFrame(one);
        else this.#message(one);
      }
    } catch (thrown) {
      const { code, message } = toGatewayError(thrown);
      this.fail(new GatewayError(code === 'internal' ? code : 'upstream_failed', message, { cause: thrown }));
    }
  }

  #message(message: RtspMessage): void {
    const cSeq = headerOf(message, 'cseq');
    if (message.kind === 'response') {
      // An answer without CSeq belongs to the one question there is; some cameras forget it on errors.
      const key = cSeq === undefined ? [...this.#pending.keys()][0] : Number.parseInt(cSeq, 10);
      if (key !== undefined && !(message.status >= 100 && message.status < 200))
        this.#pending.get(key)?.resolve(message);
      return;
    }
    // Servers may ask whether we still live; anything else is not for us.
    const status = message.method === 'OPTIONS' || message.method === 'GET_PARAMETER' ? 200 : 501;
    this.#socket.write(serializeResponse(status, { CSeq: cSeq }));
  }

  #closedError(): GatewayError {
    return this.#failure ?? new GatewayError('upstream_failed', 'The RTSP server closed the connection.');
  }

  protected override async onClose(): Promise<void> {
    const error = this.#closedError();
    for (const { reject } of this.#pending.values()) reject(error);
    if (this.#socket.destroyed) return;
    // What was said last (TEARDOWN) gets a moment to leave, and no more.
    const closed = new Promise<void>((resolve) => void this.#socket.once('close', () => resolve()));
    const timer = setTimeout(() => this.#socket.destroy(), lingerMs);
    this.#socket.resume();
    this.#socket.end(() => this.#socket.destroy());
    await closed;
    clearTimeout(timer);
  }
}
