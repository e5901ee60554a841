// Owns: one UDP socket, of a listener with many peers or of a caller with one. May import: core.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { Owned } from '#core/lifecycle.ts';

export type OnDatagram = (datagram: Buffer, address: string, port: number) => void;

/** Some milliseconds of many streams; the system gives less where it does not allow that much. */
const socketBufferBytes = 4 * 1_024 * 1_024;

export class UdpPort extends Owned {
  readonly #socket: Socket;
  #isConnected = false;

  /** @throws Error of the system when the port cannot be had */
  static async listen(host: string, port: number, onDatagram: OnDatagram): Promise<UdpPort> {
    const udp = new UdpPort(host, onDatagram);
    await udp.#settled('listening', () => udp.#socket.bind(port, host));
    udp.#prepare();
    return udp;
  }

  /** Hears and reaches nobody but that address. @throws Error of the system */
  static async connect(address: string, port: number, onDatagram: OnDatagram): Promise<UdpPort> {
    const udp = new UdpPort(address, onDatagram);
    await udp.#settled('connect', () => udp.#socket.connect(port, address));
    udp.#isConnected = true;
    udp.#prepare();
    return udp;
  }

  private constructor(host: string, onDatagram: OnDatagram) {
    super();
    this.#socket = createSocket({
      type: isIPv6(host) ? 'udp6' : 'udp4',
      // Addresses only: each datagram would wait for a look-up of what is no name.
      lookup: (address, _options, callback) => callback(null, address, isIPv6(address) ? 6 : 4),
    });
    this.#socket.on('message', (datagram, { address, port: from }) => onDatagram(datagram, address, from));
  }

  get port(): number | undefined {
    return this.isClosed ? undefined : this.#socket.address().port;
  }

  /** Nobody listens at the other end, as the system has been told; of connected ports only. */
  onRefused: () => void = () => undefined;

  /** @param port and address only where it is not connected */
  send(datagram: Buffer, port?: number, address?: string): void {
    if (this.isClosed) return;
    // What cannot be sent now is a lost datagram, and the protocol mends that.
    if (this.#isConnected) this.#socket.send(datagram, ignore);
    else this.#socket.send(datagram, port, address, ignore);
  }

  async #settled(event: string, begin: () => void): Promise<void> {
    try {
      const done = once(this.#socket, event);
      begin();
      await done;
    } catch (error) {
      void this.close('failed');
      throw error;
    }
  }

  #prepare(): void {
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.onRefused();
    });
    this.#socket.setRecvBufferSize(socketBufferBytes);
    this.#socket.setSendBufferSize(socketBufferBytes);
  }

  protected override async onClose(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

const ignore = () => undefined;
