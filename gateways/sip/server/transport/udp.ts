import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { parseMessage } from '../message/parse.ts';
import { type Advertiser, plainAddress } from './addresses.ts';
import { CallBacklog } from './call-backlog.ts';
import type { Flow, FlowHandler } from './flow.ts';
import type { AddressLimiter } from './limiter.ts';

export interface UdpOptions {
  readonly host: string;
  readonly port: number;
  readonly handler: FlowHandler;
  readonly limiter: AddressLimiter;
  readonly advertiser: Advertiser;
}

/** Bursts of many calls must fit while the loop is busy; the kernel grants what rmem_max allows. */
const socketBufferBytes = 4 * 1024 * 1024;

/** One UDP socket, receiving and sending. */
export class UdpListener extends Owned {
  readonly host: string;
  readonly port: number;
  readonly #socket: Socket;
  readonly #options: UdpOptions;
  readonly #backlog = new CallBacklog<{ readonly port: number; readonly address: string }>({
    onDue: ({ address, port }, bytes, isLate) => this.#hand(new UdpFlow(this, address, port), bytes, isLate),
    onWaiting: ({ address, port }, bytes) => {
      const read = parseMessage(bytes);
      if (read.ok) this.#options.handler.onWaiting(new UdpFlow(this, address, port), read.message);
    },
  });

  private constructor(options: UdpOptions, socket: Socket) {
    super();
    this.#options = options;
    this.#socket = socket;
    this.host = options.host;
    this.port = socket.address().port;
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    // Errors of a bound socket (ECONNREFUSED of an earlier send, ENOBUFS) concern one datagram; timers cover its loss.
    socket.on('error', () => undefined);
  }

  static async create(options: UdpOptions): Promise<UdpListener> {
    const isV6 = isIPv6(options.host);
    const socket = createSocket({
      type: isV6 ? 'udp6' : 'udp4',
      ipv6Only: isV6,
      // Targets are addresses already: the resolver of node would only cost a turn of the loop for each datagram.
      lookup: (hostname, _options, callback) => callback(null, hostname, isV6 ? 6 : 4),
    });
    // With that lookup the event comes before bind() returns.
    const listening = once(socket, 'listening');
    socket.bind(options.port, options.host);
    await listening;
    try {
      socket.setRecvBufferSize(socketBufferBytes);
      socket.setSendBufferSize(socketBufferBytes);
    } catch {
      // The default size works too, with less room for bursts.
    }
    return new UdpListener(options, socket);
  }

  flowTo(remoteAddress: string, remotePort: number): Flow {
    return new UdpFlow(this, remoteAddress, remotePort);
  }

  localAddressFor(remoteAddress: string): string {
    return this.#options.advertiser.addressFor(remoteAddress, this.host);
  }

  send(bytes: Buffer, port: number, address: string, onFailure: ((error: Error) => void) | undefined): void {
    if (this.isClosed) return;
    try {
      if (onFailure) this.#socket.send(bytes, port, address, (error) => error && onFailure(error));
      else this.#socket.send(bytes, port, address);
    } catch (error) {
      onFailure?.(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #receive(bytes: Buffer, from: RemoteInfo): void {
    // Keep-alives: CRLF, STUN-less probes of four NULs, the single byte of some phones.
    if (bytes.length < 12) {
      if (bytes.length === 4 && bytes.readUInt32BE(0) === 0x0d0a0d0a)
        this.send(pong, from.port, from.address, undefined);
      return;
    }
    const address = plainAddress(from.address);
    if (!this.#options.limiter.mayReceive(address)) return;
    const method = methodOfCall(bytes);
    if (method) this.#backlog.take({ address, port: from.port }, bytes, method);
    else this.#hand(new UdpFlow(this, address, from.port), bytes, false);
  }

  #hand(flow: UdpFlow, bytes: Buffer, isLate: boolean): void {
    const { handler } = this.#options;
    const read = parseMessage(bytes);
    if (!read.ok) handler.onFault(flow, read.fault, read.message);
    else if (isLate) handler.onLate(flow, read.message, bytes);
    else handler.onMessage(flow, read.message, bytes);
  }

  protected override onClose(_reason: CloseReason): Promise<void> {
    this.#backlog.clear();
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

/** By its first letters, before anything is read of it. */
function methodOfCall(bytes: Buffer): 'INVITE' | 'CANCEL' | undefined {
  const start = bytes.readUInt32BE(0);
  return start === 0x494e5649 /* INVI */ ? 'INVITE' : start === 0x43414e43 /* CANC */ ? 'CANCEL' : undefined;
}

const pong = Buffer.from('\r\n');
const neverClosed = (): void => undefined;

class UdpFlow implements Flow {
  readonly protocol = 'udp';
  readonly isReliable = false;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #listener: UdpListener;

  constructor(listener: UdpListener, remoteAddress: string, remotePort: number) {
    this.#listener = listener;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  get localAddress(): string {
    return this.#listener.localAddressFor(this.remoteAddress);
  }

  get localPort(): number {
    return this.#listener.port;
  }

  get isOpen(): boolean {
    return !this.#listener.isClosed;
  }

  send(bytes: Buffer, onFailure?: (error: Error) => void): void {
    this.#listener.send(bytes, this.remotePort, this.remoteAddress, onFailure);
  }

  whenClosed(): () => void {
    return neverClosed;
  }
}
