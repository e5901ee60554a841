// Owns: how one track travels between us and a client of ours, as SETUP agreed. May import: core.
import type { CloseReason } from '#core/lifecycle.ts';
import type { RtspOutlet } from './ports.ts';
import { isRtcp, isRtp, parseTransport, type TransportSpec } from './translate.ts';
import { UdpPair } from './udp-pair.ts';

export interface SessionTransportOptions {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly firstUdpPort: number;
  readonly lastUdpPort: number;
  /** Writes into the connection. */
  readonly sendFrame: (channel: number, packet: Uint8Array) => void;
  /** Of the connection. */
  readonly queuedBytes: () => number;
  readonly onPacket: (kind: 'rtp' | 'rtcp', packet: Buffer) => void;
}

export class SessionTransport implements RtspOutlet {
  /** What SETUP answers. */
  readonly answer: string;
  readonly channels: readonly [number, number] | undefined;
  readonly #udp: UdpPair | undefined;
  readonly #options: SessionTransportOptions;

  /** @throws GatewayError `overloaded` when there is no port */
  static async create(
    spec: TransportSpec,
    channels: readonly [number, number],
    options: SessionTransportOptions,
  ): Promise<SessionTransport> {
    if (spec.isTcp) return new SessionTransport(channels, undefined, options, '');
    const { firstUdpPort: firstPort, lastUdpPort: lastPort, remoteAddress, localAddress } = options;
    const udp = await UdpPair.create({ host: localAddress, firstPort, lastPort });
    const [rtpPort, rtcpPort] = spec.clientPorts ?? [0, 0];
    // Only ever to the address that the connection comes from: nobody is flooded on somebody else's word.
    udp.connect(
      { address: remoteAddress, rtpPort, rtcpPort },
      {
        rtp: (packet) => isRtp(packet) && options.onPacket('rtp', packet),
        rtcp: (packet) => isRtcp(packet) && options.onPacket('rtcp', packet),
      },
    );
    const ports = `client_port=${rtpPort}-${rtcpPort};server_port=${udp.rtpPort}-${udp.rtpPort + 1}`;
    return new SessionTransport(undefined, udp, options, ports);
  }

  private constructor(
    channels: readonly [number, number] | undefined,
    udp: UdpPair | undefined,
    options: SessionTransportOptions,
    ports: string,
  ) {
    this.channels = channels;
    this.#udp = udp;
    this.#options = options;
    this.answer = channels
      ? `RTP/AVP/TCP;unicast;interleaved=${channels[0]}-${channels[1]}`
      : `RTP/AVP;unicast;${ports}`;
  }

  /** @returns whether the channel is this track's */
  frame(channel: number, packet: Buffer): boolean {
    const [rtp, rtcp] = this.channels ?? [];
    if (channel === rtp && isRtp(packet)) this.#options.onPacket('rtp', packet);
    if (channel === rtcp && isRtcp(packet)) this.#options.onPacket('rtcp', packet);
    return channel === rtp || channel === rtcp;
  }

  /** UDP does not wait. */
  get queuedBytes(): number {
    return this.channels ? this.#options.queuedBytes() : 0;
  }

  send(kind: 'rtp' | 'rtcp', packet: Uint8Array): void {
    if (this.channels) this.#options.sendFrame(this.channels[kind === 'rtp' ? 0 : 1], packet);
    else if (kind === 'rtp') this.#udp?.sendRtp(packet);
    else this.#udp?.sendRtcp(packet);
  }

  async close(reason: CloseReason): Promise<void> {
    await this.#udp?.close(reason);
  }
}

export interface ChosenTransport {
  readonly spec: TransportSpec;
  readonly channels: readonly [number, number];
}

/**
 * The first alternative that we have: unicast, in the connection or to two ports.
 * @param taken transports of the same session, whose channels are not free any more
 */
export function chooseTransport(header: string, taken: readonly SessionTransport[]): ChosenTransport | undefined {
  const spec = parseTransport(header).find((one) => !one.isMulticast && (one.isTcp || one.clientPorts !== undefined));
  if (!spec) return undefined;
  const used = new Set(taken.flatMap(({ channels }) => channels ?? []));
  const wanted = spec.interleaved;
  if (wanted && wanted[0] !== wanted[1] && !used.has(wanted[0]) && !used.has(wanted[1]))
    return { spec, channels: wanted };
  let first = 0;
  while (used.has(first) || used.has(first + 1)) first += 2;
  return { spec, channels: [first, first + 1] };
}
