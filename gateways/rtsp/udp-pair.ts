// Owns: two UDP sockets on neighbouring ports, an even one for RTP and the odd one above it for RTCP (RFC 3550 §11).
// May import: core.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { GatewayError } from '#core/errors.ts';
import { Owned } from '#core/lifecycle.ts';

export interface UdpPairOptions {
  /** Address to bind, of the family to use. */
  readonly host: string;
  /** Inclusive; both 0 for whatever the system gives. */
  readonly firstPort: number;
  readonly lastPort: number;
}

export interface UdpRemote {
  readonly address: string;
  readonly rtpPort: number;
  readonly rtcpPort: number;
}

/** @param fromPort port of who sent it */
type Listener = (packet: Buffer, fromPort: number) => void;

/** A second of a fast camera, as far as the system allows. */
const receiveBufferBytes = 2 * 1_048_576;
const maxAttempts = 200;

export class UdpPair extends Owned {
  readonly rtpPort: number;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  #remote: UdpRemote | undefined;

  /** @throws GatewayError `overloaded` when no pair is free */
  static async create(options: UdpPairOptions): Promise<UdpPair> {
    const { host, firstPort, lastPort } = options;
    const evenPorts = Math.max(1, Math.floor((lastPort - firstPort + 1) / 2));
    const start = Math.floor(Math.random() * evenPorts); // a port that was just given back rests
    for (let i = 0; i < maxAttempts && (firstPort === 0 || i < evenPorts); i++) {
      const wanted = firstPort === 0 ? 0 : ((firstPort + 1) & ~1) + 2 * ((start + i) % evenPorts);
      if (wanted + 1 > lastPort && firstPort !== 0) continue;
      const pair = await bindPair(host, wanted);
      if (pair) return new UdpPair(...pair);
    }
    throw new GatewayError('overloaded', 'No pair of UDP ports is free for RTP.');
  }

  private constructor(rtp: Socket, rtcp: Socket) {
    super();
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    this.rtpPort = rtp.address().port;
    for (const socket of [rtp, rtcp]) socket.on('error', () => void this.close('failed'));
    try {
      rtp.setRecvBufferSize(receiveBufferBytes);
    } catch {
      // The system's own limit stays.
    }
  }

  /**
   * Where to send, and whose packets count: those from that address, and from that port where it is known.
   * @param remote port 0: not known, any of that address is taken
   */
  connect(remote: UdpRemote, listeners: { rtp: Listener; rtcp: Listener }): void {
    this.#remote = remote;
    const from = plainAddress(remote.address);
    const listen = (socket: Socket, port: number, listener: Listener) =>
      socket.on('message', (packet, sender) => {
        if (plainAddress(sender.address) === from && (port === 0 || sender.port === port))
          listener(packet, sender.port);
      });
    listen(this.#rtp, remote.rtpPort, listeners.rtp);
    listen(this.#rtcp, remote.rtcpPort, listeners.rtcp);
  }

  sendRtp(packet: Uint8Array): void {
    this.#send(this.#rtp, packet, this.#remote?.rtpPort);
  }

  sendRtcp(packet: Uint8Array): void {
    this.#send(this.#rtcp, packet, this.#remote?.rtcpPort);
  }

  #send(socket: Socket, packet: Uint8Array, port: number | undefined): void {
    // Errors (nobody listens there yet) are those of one packet, and UDP loses packets.
    if (!this.isClosed && this.#remote && port) socket.send(packet, port, this.#remote.address, () => undefined);
  }

  protected override async onClose(): Promise<void> {
    await Promise.all(
      [this.#rtp, this.#rtcp].map((socket) => new Promise<void>((resolve) => void socket.close(resolve))),
    );
  }
}

async function bindPair(host: string, port: number): Promise<[Socket, Socket] | undefined> {
  const rtp = await bind(host, port);
  if (!rtp) return undefined;
  const bound = rtp.address().port;
  const rtcp = bound % 2 === 0 ? await bind(host, bound + 1) : undefined;
  if (rtcp) return [rtp, rtcp];
  rtp.close();
  return undefined;
}

async function bind(host: string, port: number): Promise<Socket | undefined> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  try {
    socket.bind(port, host);
    await once(socket, 'listening');
    return socket;
  } catch {
    socket.close();
    return undefined;
  }
}

/** Of IPv4 over a socket of IPv6. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
