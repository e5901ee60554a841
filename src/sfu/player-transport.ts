// Owns: SfuPlayerTransport: plain RTP and RTCP from two ports of ours to two of a player.
import { isIP } from 'node:net';
import type { types } from 'mediasoup';
import type { PlayerTransportOptions, SfuPlayerTransport } from '#core/player-transport.ts';
import type { RoomNode } from './room-node.ts';
import { MediaTransport, type RoomMedia } from './transports.ts';
import { integer, refuse } from './untrusted.ts';

export class PlayerTransport extends MediaTransport<types.PlainTransport> implements SfuPlayerTransport {
  static async create(room: RoomMedia, node: RoomNode, options: PlayerTransportOptions): Promise<PlayerTransport> {
    const { localAddress, localPort, address, rtpPort, rtcpPort } = options;
    for (const ip of [localAddress, address]) if (isIP(ip) === 0) refuse('address', 'must be an IP address');
    const listen = (port: number) => ({ protocol: 'udp' as const, ip: localAddress, port });
    const native = await node.router.createPlainTransport({
      listenInfo: listen(integer(localPort, 'localPort', 1, 65_534)),
      rtcpListenInfo: listen(localPort + 1),
      rtcpMux: false,
      // Where it goes is known: nobody can draw the stream to itself by being the first to send something.
      comedia: false,
    });
    try {
      await native.connect({
        ip: address,
        port: integer(rtpPort, 'rtpPort', 1, 65_535),
        rtcpPort: integer(rtcpPort, 'rtcpPort', 1, 65_535),
      });
      return new PlayerTransport(native, room, node);
    } catch (thrown) {
      native.close();
      throw thrown;
    }
  }

  async receivedBytes(): Promise<number> {
    const [stats] = await this.run('this connection', () => this.native.getStats());
    return stats?.bytesReceived ?? 0;
  }
}
