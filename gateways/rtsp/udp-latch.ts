// Owns: two UDP ports that are kept for a track until it is played, and from where its player has knocked on them.
// May import: core.
import { plainAddress, UdpPair, type UdpPairOptions, type UdpRemote } from './udp-pair.ts';

/**
 * Behind NAT a player's packets come from other ports than those that it names. Players send something to ours before
 * PLAY, to open the way; where that came from is where media goes. Only from the address of its connection: nobody can
 * draw the media of others to itself.
 */
export class UdpLatch {
  readonly #udp: UdpPair;
  #remote: UdpRemote;

  static async create(options: UdpPairOptions, named: UdpRemote): Promise<UdpLatch> {
    return new UdpLatch(await UdpPair.create(options), named);
  }

  private constructor(udp: UdpPair, named: UdpRemote) {
    this.#udp = udp;
    this.#remote = named;
    udp.connect(
      { address: named.address, rtpPort: 0, rtcpPort: 0 },
      {
        rtp: (_, rtpPort) => {
          this.#remote = { ...this.#remote, rtpPort };
        },
        rtcp: (_, rtcpPort) => {
          this.#remote = { ...this.#remote, rtcpPort };
        },
      },
    );
  }

  /** RTCP is one above. */
  get localPort(): number {
    return this.#udp.rtpPort;
  }

  /** @returns where to send to; the ports are free for who sends */
  async release(): Promise<UdpRemote> {
    await this.#udp.close('requested');
    return { ...this.#remote, address: plainAddress(this.#remote.address) };
  }
}
