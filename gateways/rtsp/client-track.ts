// Owns: how one track of a stream that we pull or push travels: in the RTSP connection, or by two UDP ports. May import: core.
import { randomBytes } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import { buildPli, buildReceiverReport } from './rtcp.ts';
import type { RtspTrack } from './sdp.ts';
import { isRtcp, isRtp, parseTransport } from './translate.ts';
import { UdpPair, type UdpPairOptions } from './udp-pair.ts';

export interface ClientTrackOptions {
  readonly transport: 'tcp' | 'udp';
  /** Media comes to us; else it goes out. */
  readonly isReceiving: boolean;
  /** Even; the next one is RTCP's. */
  readonly channelId: number;
  /** The server's, as the TCP connection has it: packets from elsewhere are not its. */
  readonly remoteAddress: string;
  readonly udpPorts: Pick<UdpPairOptions, 'firstPort' | 'lastPort'> | undefined;
  readonly onPacket: (kind: 'rtp' | 'rtcp', data: Buffer) => void;
}

export class ClientTrack {
  readonly #track: RtspTrack;
  readonly #options: ClientTrackOptions;
  readonly #udp: UdpPair | undefined;
  #channels: readonly [number, number] | undefined;
  #sendFrame: (channel: number, data: Uint8Array) => void = () => undefined;
  #mediaSsrc: number | undefined;

  /** @throws GatewayError `overloaded` when there is no port */
  static async create(track: RtspTrack, options: ClientTrackOptions): Promise<ClientTrack> {
    const host = options.remoteAddress.includes(':') ? '::' : '0.0.0.0';
    const range = options.udpPorts ?? { firstPort: 0, lastPort: 0 };
    const udp = options.transport === 'udp' ? await UdpPair.create({ host, ...range }) : undefined;
    return new ClientTrack(track, options, udp);
  }

  private constructor(track: RtspTrack, options: ClientTrackOptions, udp: UdpPair | undefined) {
    this.#track = track;
    this.#options = options;
    this.#udp = udp;
  }

  get isUdp(): boolean {
    return this.#udp !== undefined;
  }

  /** The Transport field for SETUP. */
  get offer(): string {
    const { channelId } = this.#options;
    if (!this.#udp) return `RTP/AVP/TCP;unicast;interleaved=${channelId}-${channelId + 1}`;
    return `RTP/AVP;unicast;client_port=${this.#udp.rtpPort}-${this.#udp.rtpPort + 1}`;
  }

  /**
   * @param transport what the server answered
   * @throws GatewayError `upstream_failed` when it is not what was offered
   */
  accept(transport: string | undefined, sendFrame: (channel: number, data: Uint8Array) => void): void {
    const [answer] = parseTransport(transport ?? '');
    if (answer && answer.isTcp === this.isUdp) {
      throw new GatewayError('upstream_failed', 'The RTSP server chose a transport that was not offered.');
    }
    this.#mediaSsrc = answer?.ssrc;
    if (!this.#udp) {
      const { channelId } = this.#options;
      this.#channels = answer?.interleaved ?? [channelId, channelId + 1]; // a server may choose others
      this.#sendFrame = sendFrame;
      return;
    }
    const [rtpPort, rtcpPort] = answer?.serverPorts ?? [0, 0];
    const listeners = { rtp: (packet: Buffer) => this.#rtp(packet), rtcp: (packet: Buffer) => this.#rtcp(packet) };
    this.#udp.connect({ address: this.#options.remoteAddress, rtpPort, rtcpPort }, listeners);
    if (this.#options.isReceiving) this.#udp.sendRtp(keepOpen); // opens the way back through NAT and firewalls
  }

  send(kind: 'rtp' | 'rtcp', packet: Uint8Array): void {
    if (kind === 'rtcp') this.#sendRtcp(packet);
    else if (this.#udp) this.#udp.sendRtp(packet);
    else if (this.#channels) this.#sendFrame(this.#channels[0], packet);
  }

  /** A frame of the connection, of whichever track. */
  frame(channel: number, payload: Buffer): void {
    if (channel === this.#channels?.[0]) this.#rtp(payload);
    else if (channel === this.#channels?.[1]) this.#rtcp(payload);
  }

  /** Some servers end sessions that never report. */
  report(ssrc: number): void {
    this.#sendRtcp(buildReceiverReport(ssrc, cname));
  }

  requestKeyFrame(ssrc: number): boolean {
    if (!this.#track.takesPli || this.#mediaSsrc === undefined) return false;
    this.#sendRtcp(Buffer.concat([buildReceiverReport(ssrc, cname), buildPli(ssrc, this.#mediaSsrc)]));
    return true;
  }

  async close(): Promise<void> {
    await this.#udp?.close('requested');
  }

  #sendRtcp(packet: Uint8Array): void {
    if (this.#udp) this.#udp.sendRtcp(packet);
    else if (this.#channels) this.#sendFrame(this.#channels[1], packet);
  }

  #rtp(packet: Buffer): void {
    if (!isRtp(packet)) return;
    this.#mediaSsrc = packet.readUInt32BE(8);
    this.#options.onPacket('rtp', packet);
  }

  #rtcp(packet: Buffer): void {
    if (isRtcp(packet)) this.#options.onPacket('rtcp', packet);
  }
}

const cname = randomBytes(6).toString('base64url');
/** An RTP header without payload, of a payload type that nobody uses (RFC 6263 §4.1 has better ones that few know). */
const keepOpen = Buffer.from('807f00000000000000000000', 'hex');
