// Owns: one UDP socket as a leg wants it, by Node's own means or by the batch where it was compiled.
import { createSocket, type Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import { batchUdp } from './batch-udp.ts';

export interface Address {
  readonly address: string;
  readonly port: number;
}

/**
 * A datagram where it lies, without a view of its own: that alone would cost a tenth of what a packet does. The bytes are the
 * receiver's to keep. @param arrivalMs when it came, on the clock of `performance.now()`
 */
export type OnDatagram = (bytes: Uint8Array, offset: number, length: number, from: Address, arrivalMs: number) => void;

const rtpHeaderLength = 12;

export interface UdpSocket {
  /** To whom it is connected. The bytes may be written to again at once. */
  send(packet: Uint8Array): void;
  sendTo(packet: Uint8Array, to: Address): void;
  /**
   * An RTP packet.
   * @param header its first two bytes, as one number
   * @param payload unchanged until the end of the beat, since many may share it
   * @param to where it goes unless connected
   */
  sendRtp(header: number, sequence: number, timestamp: number, ssrc: number, payload: Uint8Array, to: Address): void;
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
        socket.on('message', (data, from) => onDatagram(data, 0, data.length, from, performance.now()));
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

  sendRtp(header: number, sequence: number, timestamp: number, ssrc: number, payload: Uint8Array, to: Address): void {
    const packet = Buffer.allocUnsafe(rtpHeaderLength + payload.length);
    packet.writeUInt16BE(header, 0);
    packet.writeUInt16BE(sequence, 2);
    packet.writeUInt32BE(timestamp, 4);
    packet.writeUInt32BE(ssrc, 8);
    packet.set(payload, rtpHeaderLength);
    this.sendTo(packet, to);
  }

  connect({ address, port }: Address): void {
    this.#socket.connect(port, address, (error?: Error) => {
      if (!error && !this.#isClosed) this.#isConnected = true;
    });
    // As a rule that is done now, before it is told, and whatever is sent with an address from now on is an error.
    this.#isConnected = hasPeer(this.#socket);
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

function hasPeer(socket: Socket): boolean {
  try {
    return socket.remoteAddress().port > 0;
  } catch {
    return false;
  }
}
