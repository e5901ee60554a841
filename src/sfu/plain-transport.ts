// Owns: SfuPlainTransport: RTP over loopback UDP to a media worker, all its streams on one socket.
import { EventEmitter } from 'node:events';
import { isIPv4 } from 'node:net';
import type { types } from 'mediasoup';
import type { SfuPlainTransport } from '#core/ports.ts';
import type { RoomNode } from './room-node.ts';
import { MediaTransport, type RoomMedia } from './transports.ts';
import { integer, refuse } from './untrusted.ts';

export class PlainTransport extends MediaTransport<types.PlainTransport> implements SfuPlainTransport {
  readonly events = new EventEmitter<{ closed: [] }>();
  readonly localAddress: string;
  readonly localPort: number;

  private constructor(native: types.PlainTransport, room: RoomMedia, node: RoomNode) {
    super(native, room, node);
    native.observer.once('close', () => this.events.emit('closed'));
    this.localAddress = native.tuple.localAddress;
    this.localPort = native.tuple.localPort;
  }

  static async create(room: RoomMedia, node: RoomNode): Promise<PlainTransport> {
    const native = await node.router.createPlainTransport({
      listenInfo: node.process.loopback,
      rtcpMux: true,
      // The other end says where it is: nobody else on this machine can take its place by being first.
      comedia: false,
    });
    return new PlainTransport(native, room, node);
  }

  connect({ ip, port }: { ip: string; port: number }): Promise<void> {
    return this.run('the address', async () => {
      if (!isIPv4(ip)) refuse('ip', 'must be an IPv4 address');
      await this.native.connect({ ip, port: integer(port, 'port', 1, 65_535) });
    });
  }
}
