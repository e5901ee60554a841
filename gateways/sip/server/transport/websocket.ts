import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { parseMessage } from '../message/parse.ts';
import { type Advertiser, plainAddress } from './addresses.ts';
import type { Flow, FlowHandler } from './flow.ts';
import type { AddressLimiter, TransportLimits } from './limiter.ts';

export interface WebSocketOptions {
  readonly handler: FlowHandler;
  readonly limits: TransportLimits;
  readonly limiter: AddressLimiter;
  readonly advertiser: Advertiser;
}

/** SIP over WebSocket on an HTTP server of somebody else's (RFC 7118). */
export class WebSocketListener extends Owned {
  readonly #options: WebSocketOptions;
  readonly #server: WebSocketServer;

  constructor(options: WebSocketOptions) {
    super();
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: options.limits.maxMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has('sip') ? 'sip' : false),
    });
  }

  /** For the `upgrade` event of an HTTP or HTTPS server; refuses by itself what is not SIP. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = plainAddress(request.socket.remoteAddress);
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes('sip')) {
      refuse(socket, '400 Bad Request', 'Ask for the WebSocket sub-protocol "sip".');
      return;
    }
    if (this.isClosed) {
      refuse(socket, '503 Service Unavailable', 'Closing.');
      return;
    }
    if (!this.#options.limiter.connected(address)) {
      refuse(socket, '503 Service Unavailable', 'Too many connections.');
      return;
    }
    const isSecure = 'encrypted' in request.socket && request.socket.encrypted === true;
    let isUp = false;
    socket.once('close', () => {
      if (!isUp) this.#options.limiter.disconnected(address);
    });
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      isUp = true;
      const flow = this.own(
        new WebSocketFlow(this.#options, webSocket, {
          protocol: isSecure ? 'wss' : 'ws',
          remoteAddress: address,
          remotePort: request.socket.remotePort ?? 0,
          localAddress: this.#options.advertiser.addressFor(address, plainAddress(request.socket.localAddress)),
          localPort: request.socket.localPort ?? 0,
        }),
      );
      flow.whenClosed(() => this.#options.limiter.disconnected(address));
    });
  }

  protected override onClose(_reason: CloseReason): void {
    this.#server.close();
  }
}

interface Ends {
  readonly protocol: 'ws' | 'wss';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

const maxQueuedBytes = 1_048_576;
const pingIntervalMs = 30_000;

class WebSocketFlow extends Owned implements Flow {
  readonly protocol: 'ws' | 'wss';
  readonly isReliable = true;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly #webSocket: WebSocket;
  readonly #closeListeners = new Set<() => void>();
  readonly #pingTimer: NodeJS.Timeout;
  #isAlive = true;

  constructor(options: WebSocketOptions, webSocket: WebSocket, ends: Ends) {
    super();
    this.#webSocket = webSocket;
    this.protocol = ends.protocol;
    this.remoteAddress = ends.remoteAddress;
    this.remotePort = ends.remotePort;
    this.localAddress = ends.localAddress;
    this.localPort = ends.localPort;
    webSocket.on('message', (data: Buffer) => this.#receive(options, data));
    webSocket.on('pong', () => {
      this.#isAlive = true;
    });
    webSocket.on('error', () => void this.close('failed'));
    webSocket.on('close', () => void this.close('peer_left'));
    this.#pingTimer = setInterval(() => this.#ping(), pingIntervalMs);
    this.#pingTimer.unref();
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  send(bytes: Buffer, onFailure?: (error: Error) => void): void {
    if (this.isClosed || this.#webSocket.bufferedAmount > maxQueuedBytes) {
      onFailure?.(new Error('The WebSocket is closed or does not take what is sent.'));
      if (!this.isClosed) void this.close('failed');
      return;
    }
    // Browsers' libraries expect text frames; a body that is no UTF-8 would break one.
    const isText = bytes.every((byte) => byte < 128) || Buffer.from(bytes.toString('utf8')).equals(bytes);
    this.#webSocket.send(bytes, { binary: !isText });
  }

  whenClosed(listener: () => void): () => void {
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  #receive({ handler, limiter }: WebSocketOptions, data: Buffer): void {
    this.#isAlive = true;
    if (data.length < 12) {
      // RFC 7118 §6 and RFC 5626 §3.5.1: CRLF CRLF is answered by CRLF.
      if (data.toString() === '\r\n\r\n') this.send(Buffer.from('\r\n'));
      return;
    }
    if (!limiter.mayReceive(this.remoteAddress)) return;
    const read = parseMessage(data);
    if (read.ok) handler.onMessage(this, read.message);
    else handler.onFault(this, read.fault, read.message);
  }

  #ping(): void {
    if (!this.#isAlive) {
      void this.close('timeout');
      return;
    }
    this.#isAlive = false;
    this.#webSocket.ping();
  }

  protected override onClose(reason: CloseReason): void {
    clearInterval(this.#pingTimer);
    if (reason === 'timeout') this.#webSocket.terminate();
    else this.#webSocket.close();
    setTimeout(() => this.#webSocket.terminate(), 1000).unref();
    for (const listener of [...this.#closeListeners]) listener();
    this.#closeListeners.clear();
  }
}

function refuse(socket: Duplex, status: string, reason: string): void {
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${reason.length}\r\nConnection: close\r\n\r\n${reason}`,
  );
}
