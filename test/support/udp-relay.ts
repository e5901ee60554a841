// Owns: a path for media between a browser and a media worker that can be cut and mended.
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

  private constructor(port: number) {
    this.#port = port;
    this.#socket.on('message', (data, { address, port: from }) => {
      if (!this.#isCut) this.#upstream(address, from).send(data, this.#port, '127.0.0.1');
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

  close(): void {
    for (const upstream of this.#upstreams.values()) upstream.close();
    this.#socket.close();
  }

  #upstream(address: string, from: number): Socket {
    const key = `${address}:${from}`;
    const known = this.#upstreams.get(key);
    if (known) return known;
    const upstream = createSocket('udp4');
    upstream.on('message', (data) => {
      if (!this.#isCut) this.#socket.send(data, from, address);
    });
    this.#upstreams.set(key, upstream);
    return upstream;
  }
}
