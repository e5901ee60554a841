// Owns: a path for datagrams between two peers that can be cut and mended, and that loses and delays some.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/**
 * Listens on another loopback address at the worker's own port, since that is the one number that a candidate cannot
 * change, and passes datagrams on, for each sender from a socket of its own.
 */
export class UdpRelay {
  readonly #socket = createSocket('udp4');
  readonly #upstreams = new Map<string, Socket>();
  readonly #port: number;
  #isCut = false;
  #isClosed = false;
  #lossShare = 0;
  #jitterMs = 0;
  #random = 1;
  /** Both ways. */
  passed = 0;
  lost = 0;

  private constructor(port: number) {
    this.#port = port;
    this.#socket.on('message', (data, { address, port: from }) => {
      this.#pass(() => this.#upstream(address, from).send(data, this.#port, '127.0.0.1'));
    });
  }

  /** @param address where browsers are told that the worker is, like 127.0.0.2 */
  static async start(address: string, port: number): Promise<UdpRelay> {
    const relay = new UdpRelay(port);
    relay.#socket.bind(port, address);
    await once(relay.#socket, 'listening');
    return relay;
  }

  cut(): void {
    this.#isCut = true;
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Loses this share of the datagrams both ways, the same ones in each run. */
  lose(share: number): void {
    this.#lossShare = share;
  }

  /** Holds each datagram back for up to so long, both ways, so that some overtake others. */
  delay(jitterMs: number): void {
    this.#jitterMs = jitterMs;
  }

  close(): void {
    this.#isClosed = true;
    for (const upstream of this.#upstreams.values()) upstream.close();
    this.#socket.close();
  }

  #pass(send: () => void): void {
    if (!this.#passes()) return;
    if (this.#jitterMs === 0) send();
    else setTimeout(() => this.#isClosed || send(), this.#next() * this.#jitterMs);
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#random / 2 ** 32;
  }

  #passes(): boolean {
    if (this.#isCut) return false;
    const isLost = this.#next() < this.#lossShare;
    if (isLost) this.lost += 1;
    else this.passed += 1;
    return !isLost;
  }

  #upstream(address: string, from: number): Socket {
    const key = `${address}:${from}`;
    const known = this.#upstreams.get(key);
    if (known) return known;
    const upstream = createSocket('udp4');
    upstream.on('message', (data) => {
      this.#pass(() => this.#socket.send(data, from, address));
    });
    this.#upstreams.set(key, upstream);
    return upstream;
  }
}
