// Owns: one UDP socket as a leg wants it, by Node's own means or by the batch where it was compiled.
import { createSocket, type Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import { batchUdp } from './batch-udp.ts';

export interface Address {
  readonly address: string;
  readonly port: number;
}

/** @param data the receiver's own; @param arrivalMs when it came, on the clock of `performance.now()` */
export type OnDatagram = (data: Buffer, from: Address, arrivalMs: number) => void;

export interface UdpSocket {
  /** To whom it is connected. The bytes may be written to again at once. */
  send(packet: Uint8Array): void;
  sendTo(packet: Uint8Array, to: Address): void;
  /** From now on only this peer is heard and sent to. */
  connect(to: Address): void;
  disconnect(): void;
  /** What was sent before still goes out. */
  close(): void;
}

/** @throws the error of the system where the port is taken */
export async function openUdp(local: Address, onDatagram: OnDatagram): Promise<UdpSocket> {
  if (batchUdp && isIPv4(local.address)) return batchUdp.open(local, onDatagram);
  return DgramUdp.open(local, onDatagram);
}

class DgramUdp implements UdpSocket {
  readonly #socket: Socket;
  #isConnected = false;
  #isClosed = false;

  static open({ address, port }: Address, onDatagram: OnDatagram): Promise<UdpSocket> {
    const family = isIPv6(address) ? 6 : 4;
    return new Promise((resolve, reject) => {
      const socket = createSocket({
        type: family === 6 ? 'udp6' : 'udp4',
        // Peers are numeric addresses; asking the resolver for each packet costs more than sending it.
        lookup: (host, _options, callback) => callback(null, host, family),
      });
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address, port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        // ICMP of a peer that is not there (yet); its silence is noticed in another way.
        socket.on('error', ignore);
        socket.on('message', (data, from) => onDatagram(data, from, performance.now()));
        resolve(new DgramUdp(socket));
      });
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(packet: Uint8Array): void {
    // A copy: what the system does not take at once stays in Node's hands.
    if (this.#isConnected) this.#socket.send(Buffer.from(packet));
  }

  sendTo(packet: Uint8Array, { address, port }: Address): void {
    if (this.#isConnected) this.send(packet);
    else if (!this.#isClosed) this.#socket.send(Buffer.from(packet), port, address, ignore);
  }

  connect({ address, port }: Address): void {
    this.#socket.connect(port, address, (error?: Error) => {
      if (!error && !this.#isClosed) this.#isConnected = true;
    });
  }

  disconnect(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#socket.disconnect();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isConnected = false;
    this.#socket.close();
  }
}

const ignore = () => undefined;
