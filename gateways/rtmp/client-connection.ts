// Owns: what push and pull share: dialling, connect, createStream, answers to calls, and reading of onStatus.
// May import: core.
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { type DialOptions, dial } from '#wire/dial.ts';
import { type AmfObject, type AmfValue, numberOf, objectOf, stringOf } from './amf0.ts';
import type { RtmpMessage } from './chunk.ts';
import { RtmpConnection } from './connection.ts';
import { commandMessage, messageType, parseCommand, type RtmpCommand } from './messages.ts';
import type { RtmpUrl } from './url.ts';

export interface ClientConnectionOptions extends Omit<DialOptions, 'signal'> {
  readonly url: RtmpUrl;
  /** For everything until the server says that the stream has started. */
  readonly startTimeoutMs: number;
  /** Without a byte from the server, or with bytes that it does not take. */
  readonly stallTimeoutMs: number;
  /** Whether silence of the server is a stall: it is when it sends media. */
  readonly expectsMedia: boolean;
}

export interface ServerStatus {
  readonly isError: boolean;
  readonly code: string;
  readonly description: string;
}

interface PendingCall {
  resolve(args: readonly AmfValue[]): void;
  reject(error: GatewayError): void;
}

export class ClientConnection extends Owned {
  readonly #options: ClientConnectionOptions;
  readonly #calls = new Map<number, PendingCall>();
  readonly #startTimer: NodeJS.Timeout;
  #connection: RtmpConnection | undefined;
  #lastTransactionId = 0;
  #streamId = 0;
  #failure: GatewayError | undefined;
  #statusWaiter: { code: string; resolve(): void; reject(error: GatewayError): void } | undefined;
  #properties: AmfObject = {};
  /** Anything but answers; set before `open`. */
  onMessage: (message: RtmpMessage) => void = () => undefined;
  /** What the server says after the start. */
  onStatus: (status: ServerStatus) => void = () => undefined;

  constructor(options: ClientConnectionOptions) {
    super();
    this.#options = options;
    this.#startTimer = setTimeout(() => {
      this.fail(new GatewayError('timeout', 'The RTMP server did not start the stream in time.'), 'timeout');
    }, options.startTimeoutMs);
  }

  get streamId(): number {
    return this.#streamId;
  }

  get failure(): GatewayError | undefined {
    return this.#failure ?? this.#connection?.failure;
  }

  get unsentBytes(): number {
    return this.#connection?.unsentBytes ?? 0;
  }

  /** What the server said of itself in its answer to connect. */
  get serverProperties(): AmfObject {
    return this.#properties;
  }

  /**
   * Dials, shakes hands, connects and creates a stream.
   * @throws GatewayError as `dial`, `timeout`, `upstream_refused` with the server's words, `closed`
   */
  async open(before: readonly RtmpCommand[], properties: AmfObject): Promise<void> {
    const { url, stallTimeoutMs, expectsMedia, startTimeoutMs } = this.#options;
    const socket = await dial(url, url.scheme === 'rtmps', { ...this.#options, signal: this.signal }).catch(
      (thrown) => {
        throw this.#failure ?? thrown;
      },
    );
    if (this.isClosed) {
      socket.destroy();
      throw this.#failure ?? new GatewayError('closed', 'The connection is not wanted any more.');
    }
    // Fires only while nothing moves in either direction, partial writes included, which a Duplex could not tell.
    socket.setTimeout(stallTimeoutMs, () => {
      if (this.unsentBytes === 0 && !expectsMedia) return;
      this.fail(new GatewayError('timeout', 'The RTMP server has stalled.'), 'timeout');
    });
    const ready = Promise.withResolvers<void>();
    const connection = this.own(
      new RtmpConnection(
        socket,
        {
          role: 'client',
          handshakeTimeoutMs: startTimeoutMs,
          idleTimeoutMs: expectsMedia ? stallTimeoutMs : undefined,
        },
        { onReady: () => ready.resolve(), onMessage: (message) => this.#message(message) },
      ),
    );
    this.#connection = connection;
    void connection.done.then((reason) => {
      this.#failure ??= connection.failure;
      ready.reject(this.#closedError());
      void this.close(reason);
    });
    await ready.promise;
    const [answered] = await this.#call('connect', { app: url.app, tcUrl: url.tcUrl, ...properties });
    this.#properties = objectOf(answered) ?? {};
    for (const command of before) this.#send(command);
    const [, streamId] = await this.#call('createStream', null);
    this.#streamId = numberOf(streamId) ?? 0;
    if (this.#streamId === 0) throw new GatewayError('upstream_failed', 'The RTMP server created no stream.');
  }

  /** Sends the command that starts the stream, and waits for the status that says it has. */
  async start(command: RtmpCommand, statusCode: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#statusWaiter = { code: statusCode, resolve, reject };
    if (this.isClosed) reject(this.#closedError());
    this.#send(command, this.#streamId);
    await promise;
    clearTimeout(this.#startTimer);
  }

  send(message: RtmpMessage): void {
    this.#connection?.send(message);
  }

  hold(): void {
    this.#connection?.hold();
  }

  release(): void {
    this.#connection?.release();
  }

  fail(error: GatewayError, reason: CloseReason = 'failed'): void {
    this.#failure ??= error;
    void this.close(reason);
  }

  /** Says goodbye and closes once that has left. */
  finish(commands: readonly RtmpCommand[]): void {
    for (const command of commands) this.#send(command);
    if (this.#connection) this.#connection.finish('requested');
    else void this.close('requested');
  }

  #send(command: RtmpCommand, streamId = 0): void {
    this.send(commandMessage(command, streamId));
  }

  #call(name: string, ...args: readonly AmfValue[]): Promise<readonly AmfValue[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly AmfValue[]>();
    this.#lastTransactionId += 1;
    if (this.isClosed) reject(this.#closedError());
    else this.#calls.set(this.#lastTransactionId, { resolve, reject });
    this.#send({ name, transactionId: this.#lastTransactionId, args });
    return promise;
  }

  #message(message: RtmpMessage): void {
    if (message.type !== messageType.commandAmf0 && message.type !== messageType.commandAmf3) {
      this.onMessage(message);
      return;
    }
    const { name, transactionId, args } = parseCommand(message);
    if (name === '_result') this.#takeCall(transactionId)?.resolve(args);
    else if (name === '_error') this.#takeCall(transactionId)?.reject(this.#refusal(readStatus(args[1])));
    else if (name === 'onStatus') this.#status(readStatus(args[1]));
    else if (name === 'close') this.fail(new GatewayError('upstream_failed', 'The RTMP server asked to close.'));
  }

  #takeCall(transactionId: number): PendingCall | undefined {
    const call = this.#calls.get(transactionId);
    this.#calls.delete(transactionId);
    return call;
  }

  #status(status: ServerStatus): void {
    const waiter = this.#statusWaiter;
    if (waiter && status.code === waiter.code) waiter.resolve();
    else if (status.isError) waiter?.reject(this.#refusal(status));
    this.onStatus(status);
  }

  #refusal(status: ServerStatus): GatewayError {
    const error = new GatewayError('upstream_refused', this.#withoutKey(`${status.description || status.code}`));
    this.#failure ??= error;
    return error;
  }

  /** Some servers say which stream they did not find, and this name is a secret. */
  #withoutKey(text: string): string {
    const { streamName } = this.#options.url;
    const names = [streamName, streamName.split('?')[0] as string].filter((name) => name.length > 0);
    const shown = names.reduce((words, name) => words.replaceAll(name, '…'), text).slice(0, 300);
    return `The RTMP server refused the stream: ${shown}`;
  }

  #closedError(): GatewayError {
    return this.failure ?? new GatewayError('upstream_failed', 'The RTMP server closed the connection.');
  }

  protected override onClose(): void {
    clearTimeout(this.#startTimer);
    const error = this.#closedError();
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    this.#statusWaiter?.reject(error);
  }
}

function readStatus(value: AmfValue): ServerStatus {
  const info = objectOf(value);
  const code = stringOf(info?.code) ?? '';
  return { isError: info?.level === 'error', code, description: stringOf(info?.description) ?? '' };
}
