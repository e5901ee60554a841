import type { Socket } from 'node:net';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { StreamFramer } from '../message/framing.ts';
import { defaultParseLimits } from '../message/parse.ts';
import { plainAddress } from './addresses.ts';
import type { Flow, FlowHandler } from './flow.ts';
import type { AddressLimiter, TransportLimits } from './limiter.ts';

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly protocol: 'tcp' | 'tls';
  readonly localAddress: string;
  /** Where we listen for this protocol: what Via and Contact name, rather than an ephemeral port. */
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly handler: FlowHandler;
  readonly limits: TransportLimits;
  readonly limiter: AddressLimiter;
}

/** Bytes waiting for a peer that does not read; past them it is cut off. */
const maxQueuedBytes = 1_048_576;
const pong = Buffer.from('\r\n');

/** One TCP or TLS connection, accepted or made by us. Closes itself when it idles, stalls or breaks the framing. */
export class Connection extends Owned implements Flow {
  readonly protocol: 'tcp' | 'tls';
  readonly isReliable = true;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #closeListeners = new Set<() => void>();
  #messageTimer: NodeJS.Timeout | undefined;

  constructor(options: ConnectionOptions) {
    super();
    const { socket, handler, limits } = options;
    this.#options = options;
    this.#socket = socket;
    this.protocol = options.protocol;
    this.remoteAddress = plainAddress(options.remoteAddress);
    this.remotePort = options.remotePort;
    this.localAddress = options.localAddress;
    this.localPort = options.localPort;
    const framer = new StreamFramer({
      limits: defaultParseLimits,
      maxMessageBytes: limits.maxMessageBytes,
      onMessage: (message) => {
        if (options.limiter.mayReceive(this.remoteAddress)) handler.onMessage(this, message);
      },
      onFault: (fault, message) => handler.onFault(this, fault, message),
      onPing: () => this.send(pong),
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.setTimeout(limits.idleTimeoutMs, () => void this.close('idle'));
    socket.on('data', (chunk: Buffer) => {
      const isWhole = framer.push(chunk);
      if (!isWhole) void this.close('failed');
      else this.#watchMessage(framer.isMidMessage);
    });
    socket.on('error', () => void this.close('failed'));
    socket.on('close', () => void this.close('peer_left'));
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  send(bytes: Buffer, onFailure?: (error: Error) => void): void {
    if (this.isClosed || this.#socket.writableLength > maxQueuedBytes) {
      onFailure?.(new Error('The connection is closed or does not take what is sent.'));
      if (!this.isClosed) void this.close('failed');
      return;
    }
    this.#socket.write(bytes);
  }

  whenClosed(listener: () => void): () => void {
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  /** A message that began must end: one byte now and then is how a connection is held for nothing. */
  #watchMessage(isMidMessage: boolean): void {
    if (isMidMessage) {
      this.#messageTimer ??= setTimeout(() => void this.close('timeout'), this.#options.limits.messageTimeoutMs);
    } else if (this.#messageTimer) {
      clearTimeout(this.#messageTimer);
      this.#messageTimer = undefined;
    }
  }

  protected override onClose(reason: CloseReason): void {
    clearTimeout(this.#messageTimer);
    // What was just written (a 400 for what broke the framing) still goes out; a peer that does not read is cut.
    if (reason === 'timeout' || reason === 'idle') this.#socket.destroy();
    else {
      this.#socket.end();
      setTimeout(() => this.#socket.destroy(), 1000).unref();
    }
    for (const listener of [...this.#closeListeners]) listener();
    this.#closeListeners.clear();
  }
}
